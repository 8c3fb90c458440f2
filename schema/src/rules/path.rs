//! Where in two shapes the comparison stands: a list on the stack, written out only when there is something to say.

use crate::Shape;
use crate::text::{Text, same};

/// A step into a shape.
#[derive(Clone, Copy)]
pub(super) enum Step {
    /// None, the place is the same.
    Same,
    Field(&'static str),
    Item,
    Place(usize),
    Key,
    Value,
    Variant(&'static str),
}

/// A recursive shape that is being looked at.
#[derive(Clone, Copy)]
pub(super) struct Binder {
    pub(super) name: &'static str,
    pub(super) shape: &'static Shape,
}

/// A place, and all that encloses it.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    outer: Option<&'a At<'a>>,
    step: Step,
    /// The recursive shape of the writer that begins here, and the reader's.
    writer: Option<Binder>,
    reader: Option<Binder>,
    pub(super) depth: usize,
}

impl<'a> At<'a> {
    pub(super) const ROOT: Self = Self {
        outer: None,
        step: Step::Same,
        writer: None,
        reader: None,
        depth: 0,
    };

    pub(super) const fn step(&'a self, step: Step) -> Self {
        Self {
            outer: Some(self),
            step,
            writer: None,
            reader: None,
            depth: self.depth + 1,
        }
    }

    pub(super) const fn bind(&'a self, writer: Option<Binder>, reader: Option<Binder>) -> Self {
        Self {
            writer,
            reader,
            ..self.step(Step::Same)
        }
    }

    /// The innermost recursive shape of this name.
    pub(super) const fn find(&self, of_writer: bool, name: &str) -> Option<Binder> {
        let binder = if of_writer { self.writer } else { self.reader };
        if let Some(binder) = binder
            && same(binder.name, name)
        {
            return Some(binder);
        }
        match self.outer {
            Some(outer) => outer.find(of_writer, name),
            None => None,
        }
    }

    /// Whether the comparison of these two is under way already, so that it may be taken for granted.
    pub(super) const fn compares(&self, writer: &str, reader: &str) -> bool {
        if let (Some(w), Some(r)) = (self.writer, self.reader)
            && same(w.name, writer)
            && same(r.name, reader)
        {
            return true;
        }
        match self.outer {
            Some(outer) => outer.compares(writer, reader),
            None => false,
        }
    }

    pub(super) const fn push_to<const N: usize>(&self, text: &mut Text<N>) {
        if let Some(outer) = self.outer {
            outer.push_to(text);
        }
        match self.step {
            Step::Same => {}
            Step::Field(name) => {
                text.push(".");
                text.push(name);
            }
            Step::Item => text.push("[]"),
            Step::Place(at) => {
                text.push(".");
                text.push_number(at as u128);
            }
            Step::Key => text.push("{key}"),
            Step::Value => text.push("{}"),
            Step::Variant(name) => {
                text.push("<");
                text.push(name);
                text.push(">");
            }
        }
    }
}
