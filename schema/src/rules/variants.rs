//! Enums.

use super::compare::{Walk, is_read};
use super::describe::{kind, tagging, word};
use super::path::{At, Step};
use super::rule::Rule;
use crate::text::{Text, has, same};
use crate::{Body, Enum, Format, Shape, Struct, Tagging, Variant};

impl<const KEPT: usize> Walk<KEPT> {
    pub(super) const fn reads_tagged(&mut self, writer: &Enum, reader: &Enum, at: &At<'_>) {
        if !is_same_tagging(writer.tagging, reader.tagging) {
            self.fail(Rule::Tagging, at, tagging(writer), tagging(reader));
            return;
        }
        let mut next = 0;
        while next < writer.variants.len() {
            let w = &writer.variants[next];
            next += 1;
            if !w.is_written {
                continue;
            }
            let at = &at.step(Step::Variant(w.name));
            match find(reader, w.name) {
                Some(r) => self.reads_body(writer.tagging, w.body, r.body, at),
                None => self.reads_unknown(w, writer, reader, at),
            }
        }
    }

    const fn reads_unknown(&mut self, w: &Variant, writer: &Enum, reader: &Enum, at: &At<'_>) {
        // The whole value must be a name, unless the name stands beside or among the content.
        let is_other = match reader.tagging {
            Tagging::Internal { .. } => true,
            _ => matches!(w.body, Body::Unit),
        };
        if is_other && let Some(other) = other(reader) {
            self.doubt(Rule::VariantToOther, at, form(w.body), word(other.name));
        } else if self.forward {
            self.fail(Rule::VariantAdded, at, form(w.body), word(""));
        } else {
            let now = came_for(w, writer, reader);
            self.fail(Rule::VariantRemoved, at, form(w.body), now);
        }
    }

    const fn reads_body(&mut self, tagging: Tagging, w: Body, r: Body, at: &At<'_>) {
        let internal = matches!(tagging, Tagging::Internal { .. });
        match (content(w), content(r)) {
            (None, None) => {}
            (Some(w), Some(r)) => self.reads(&w, &r, at),
            // Beside a tag, a variant without content is an object without further keys, and skips those that are there.
            (None, Some(Shape::Struct(r))) if internal => self.reads_struct(&EMPTY, &r, at),
            (Some(Shape::Struct(w)), None) if internal => self.reads_struct(&w, &EMPTY, at),
            (Some(Shape::Null), None) if matches!(tagging, Tagging::External) => {}
            _ => self.fail(Rule::VariantForm, at, form(w), form(r)),
        }
    }

    /// Names are not written: what counts is the place of the first variant that reads the content, before and after.
    pub(super) const fn reads_untagged(&mut self, writer: &Enum, reader: &Enum, at: &At<'_>) {
        let mut place = 0;
        while place < writer.variants.len() {
            let w = &writer.variants[place];
            let here = place;
            place += 1;
            if !w.is_written {
                continue;
            }
            let shape = untagged(w.body);
            let at = &at.step(Step::Variant(w.name));
            let forward = self.forward;
            match (
                first(writer, &shape, at, forward),
                first(reader, &shape, at, forward),
            ) {
                (before, Some(after)) if !matches!(before, Some(before) if before != after) => {
                    // What another variant read before, it reads now; its own content is looked at in its turn.
                    if after == here {
                        self.reads(&shape, &untagged(reader.variants[after].body), at);
                    }
                }
                (_, Some(after)) => {
                    let (w, r) = (form(w.body), form(reader.variants[after].body));
                    self.doubt(Rule::VariantOrder, at, w, r);
                }
                (_, None) if here < reader.variants.len() => {
                    self.reads(&shape, &untagged(reader.variants[here].body), at);
                }
                (_, None) if self.forward => {
                    self.fail(Rule::VariantAdded, at, form(w.body), word(""));
                }
                (_, None) => self.fail(Rule::VariantRemoved, at, form(w.body), word("")),
            }
        }
    }
}

/// The name of the one variant that came, with content of the same kind, where this one alone went; else nothing.
const fn came_for(gone: &Variant, writer: &Enum, reader: &Enum) -> Text<48> {
    let (mut came, mut next) = (word(""), 0);
    while next < writer.variants.len() {
        let other = &writer.variants[next];
        next += 1;
        if other.is_written && find(reader, other.name).is_none() && !same(other.name, gone.name) {
            return word("");
        }
    }
    next = 0;
    while next < reader.variants.len() {
        let new = &reader.variants[next];
        next += 1;
        if !new.is_read || find(writer, new.name).is_some() {
            continue;
        }
        let is_alike = same(form(gone.body).as_str(), form(new.body).as_str());
        if !is_alike || !came.as_str().is_empty() {
            return word("");
        }
        came = word(new.name);
    }
    came
}

/// The first variant that reads a content.
const fn first(of: &Enum, content: &Shape, at: &At<'_>, forward: bool) -> Option<usize> {
    let mut place = 0;
    while place < of.variants.len() {
        let variant = &of.variants[place];
        if variant.is_read && is_read(content, &untagged(variant.body), at, forward) {
            return Some(place);
        }
        place += 1;
    }
    None
}

/// What is beside the tag of a variant without content.
const EMPTY: Struct = Struct::new(&[]);

/// Whether an enum is written as a plain string.
pub(super) const fn only_names(of: &Enum) -> bool {
    if !matches!(of.tagging, Tagging::External) {
        return false;
    }
    let mut next = 0;
    while next < of.variants.len() {
        let variant = &of.variants[next];
        if variant.is_written && !matches!(variant.body, Body::Unit) {
            return false;
        }
        next += 1;
    }
    true
}

/// Whether a key of an object can be read as a shape.
pub(super) const fn is_name_read_by(name: &str, key: &Shape) -> bool {
    match key {
        Shape::String(Format::Any) => true,
        Shape::Enum(of) => match find(of, name) {
            Some(variant) => matches!(variant.body, Body::Unit),
            None => other(of).is_some(),
        },
        _ => false,
    }
}

/// What is written of a variant apart from its name: a variant with a struct in it and one with the struct's fields are the same.
const fn content(body: Body) -> Option<Shape> {
    match body {
        Body::Unit => None,
        Body::Newtype(shape) => Some(*shape),
        Body::Tuple(places) => Some(Shape::Tuple(places)),
        Body::Struct(fields) => Some(Shape::Struct(fields)),
    }
}

const fn untagged(body: Body) -> Shape {
    match content(body) {
        Some(shape) => shape,
        None => Shape::Null,
    }
}

const fn form(body: Body) -> Text<48> {
    match body {
        Body::Unit => word("variant without content"),
        Body::Newtype(shape) => word("variant of ").with(kind(shape).as_str()),
        Body::Tuple(places) => word("variant of array of ").with_number(places.len() as u128),
        Body::Struct(_) => word("variant of struct"),
    }
}

const fn find(of: &Enum, name: &str) -> Option<&'static Variant> {
    let mut next = 0;
    while next < of.variants.len() {
        let variant = &of.variants[next];
        if variant.is_read && (same(variant.name, name) || has(variant.aliases, name)) {
            return Some(variant);
        }
        next += 1;
    }
    None
}

const fn other(of: &Enum) -> Option<&'static Variant> {
    let mut next = 0;
    while next < of.variants.len() {
        let variant = &of.variants[next];
        if variant.is_read && variant.other {
            return Some(variant);
        }
        next += 1;
    }
    None
}

const fn is_same_tagging(a: Tagging, b: Tagging) -> bool {
    match (a, b) {
        (Tagging::External, Tagging::External) => true,
        (Tagging::Internal { tag: a }, Tagging::Internal { tag: b }) => same(a, b),
        (Tagging::Adjacent { tag: a, content: c }, Tagging::Adjacent { tag: b, content: d }) => {
            same(a, b) && same(c, d)
        }
        _ => false,
    }
}
