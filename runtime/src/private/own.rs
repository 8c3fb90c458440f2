//! What the lock holds of an aggregate's own category, while compiling: only its list knows events and category together.

use recount_schema::{Released, Text};

use super::Shapes;
use crate::event::same;

/// Refuses an event whose stored name was given up in the aggregate's category. Of each the category, the name and the reason.
///
/// # Panics
///
/// While compiling: that is its purpose.
#[track_caller]
pub const fn not_given_up(category: &str, given_up: &[(&str, &str, &str)], shapes: &Shapes) {
    let mut next = 0;
    while next < given_up.len() {
        let (of, name, reason) = given_up[next];
        next += 1;
        if same(of, category) && shapes.named(name).is_some() {
            let text = Text::<512>::new()
                .with("[RC1007] the stored name `")
                .with(name)
                .with("` was given up (")
                .with(reason)
                .with("): events of that name meant something else")
                .with(
                    "\n\nhelp: give the event another name: `#[event(name = \"…\")]` on its type",
                );
            panic!("{}", text.as_str());
        }
    }
}

/// Refuses an event that does not read what its own category released under its name. Of each the category, whether the derive of such
/// an event says nothing, and what was released; one that reads none of them is refused by its derive, unless that says nothing.
///
/// # Panics
///
/// While compiling: that is its purpose.
#[track_caller]
pub const fn reads_its_own(category: &str, released: &[(&str, bool, Released)], shapes: &Shapes) {
    let mut next = 0;
    while next < released.len() {
        let (of, alone, own) = &released[next];
        next += 1;
        if !same(of, category) {
            continue;
        }
        if let Some(now) = shapes.named(own.event)
            && now.version == own.version
            && (*alone || is_read(released, own, shapes))
        {
            own.read_as(now.shape).assert_others(&[], &[], "");
        }
    }
}

/// Whether one of all that have this name and version is read.
const fn is_read(released: &[(&str, bool, Released)], like: &Released, shapes: &Shapes) -> bool {
    let Some(now) = shapes.named(like.event) else {
        return false;
    };
    let mut next = 0;
    while next < released.len() {
        let (_, _, one) = &released[next];
        if same(one.event, like.event)
            && one.version == like.version
            && one.read_as(now.shape).is_accepted()
        {
            return true;
        }
        next += 1;
    }
    false
}
