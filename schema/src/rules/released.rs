//! The rules as the macros ask them: a panic while compiling, at the field that was changed.

use super::advice::Advice;
use super::compare::Walk;
use super::path::At;
use super::report::{Breaks, Problem, Report, is_in, split_last};
use super::rule::Rule;
use crate::Shape;
use crate::text::{Text, same};

/// How long a message may be.
const LENGTH: usize = 1024;

type Found = Report<{ Released::PROBLEMS }>;

/// A released version of an event, as code must be able to read it.
///
/// ```
/// use recount_schema::{Field, Read, Released, Shape, Struct};
///
/// const RELEASED: Released = Released {
///     event: "WorkoutScheduled", version: 1, newest: 1, since: "0.3.0", accepted: &[],
///     shape: &Shape::Struct(Struct::new(&[Field::of::<u32>("reps")])),
/// };
/// const NOW: &Shape = &Shape::Struct(Struct::new(&[Field::of::<u64>("reps"), Field::of::<Option<String>>("note")]));
/// const READ: Read = RELEASED.read_as(NOW);
/// const _: () = READ.assert_field("reps");
/// const _: () = READ.assert_others(&["reps", "note"], &[], "");
/// ```
///
/// ```compile_fail
/// # use recount_schema::{Field, Released, Shape, Struct};
/// # const RELEASED: Released = Released {
/// #     event: "WorkoutScheduled", version: 1, newest: 1, since: "0.3.0", accepted: &[],
/// #     shape: &Shape::Struct(Struct::new(&[Field::of::<u32>("reps")])),
/// # };
/// const NOW: &Shape = &Shape::Struct(Struct::new(&[Field::of::<u8>("reps")]));
/// // [RC1011] `reps` of `WorkoutScheduled` version 1 (released in 0.3.0): u32 0..=4294967295 -> u8 0..=255: stored events could not be read
/// //
/// // help: take the change back, and begin version 2 for it: `recount schema bump WorkoutScheduled`
/// const _: () = RELEASED.read_as(NOW).assert_field("reps");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Released {
    /// The stored name.
    pub event: &'static str,
    /// The version.
    pub version: u32,
    /// The newest version in the lock: an older one is not followed by a new one.
    pub newest: u32,
    /// The release in which it was released; may be empty.
    pub since: &'static str,
    /// What was written.
    pub shape: &'static Shape,
    /// Problems that somebody took responsibility for: pairs of a rule's code and a path.
    pub accepted: &'static [(&'static str, &'static str)],
}

impl Released {
    /// How many problems of one change are told apart: those of an event with some hundred fields.
    pub const PROBLEMS: usize = 256;

    /// Holds it against the shape that reads it now.
    #[must_use]
    pub const fn read_as(self, now: &'static Shape) -> Read {
        let mut trial = Walk::<0>::new(false);
        trial.reads(self.shape, now, &At::ROOT);
        if trial.report.breaks().is_nothing() {
            Read::WHOLLY
        } else {
            Read(Some((self, now)))
        }
    }

    const fn is_refused(&self, problem: &Problem) -> bool {
        let is_fatal =
            problem.breaks.has(Breaks::BACKWARD) || matches!(problem.rule, Rule::FieldRemoved);
        is_fatal && !self.accepts(problem)
    }

    const fn problems(&self, now: &Shape) -> Found {
        let mut walk = Walk::new(false);
        walk.reads(self.shape, now, &At::ROOT);
        walk.report
    }

    #[track_caller]
    const fn assert(&self, problem: &Problem, found: &Found, within: &str) {
        if self.is_refused(problem) {
            let message = self.message(problem, found, within);
            panic!("{}", message.as_str());
        }
    }

    const fn accepts(&self, problem: &Problem) -> bool {
        let mut next = 0;
        while next < self.accepted.len() {
            let (code, path) = self.accepted[next];
            if same(problem.rule.code(), code) && same(problem.path.as_str(), path) {
                return true;
            }
            next += 1;
        }
        false
    }

    /// What is wrong and what would happen, then what to write. It lies within a type, or in the event itself.
    const fn message(&self, problem: &Problem, found: &Found, within: &str) -> Text<LENGTH> {
        let path = problem.path.as_str();
        let place = without_dot(path);
        let renamed = match found.renamed(problem) {
            Some(now) if self.is_refused(now) => Some(now),
            _ => None,
        };
        let rule = match renamed {
            Some(_) => Rule::FieldRenamed,
            None => problem.rule,
        };
        let now = match (renamed, problem.gone_variant()) {
            (Some(now), _) => Some(without_dot(now.path.as_str())),
            (None, Some((_, now))) if !now.is_empty() => Some(now),
            _ => None,
        };
        let mut text = Text::new().with("[").with(rule.code()).with("] ");
        if !place.is_empty() {
            text = text.with("`").with(place).with("`");
        }
        match rule {
            Rule::FieldAdded => {
                text.push(" is required, but ");
                self.push_title(&mut text);
                text.push(" does not have it: stored events could not be read");
            }
            Rule::FieldRemoved => {
                text.push(" of ");
                self.push_title(&mut text);
                text.push(" is gone: what is stored of it would be dropped on every read");
            }
            _ => {
                if !place.is_empty() {
                    text.push(" of ");
                }
                self.push_title(&mut text);
                if let Some(now) = now {
                    text.push(" is called `");
                    text.push(now);
                    text.push("` now");
                } else {
                    text.push(": ");
                    problem.push_change(&mut text);
                }
                text.push(": stored events could not be read");
            }
        }
        text.push("\n\nhelp: ");
        if let Rule::UnknownShape = rule {
            return text.with(
                "derive `ValueObject` for its type, or write `#[event(opaque = \"name@1\")]` above it",
            );
        }
        self.push_near_way(&mut text, rule, problem, now);
        let bump: Text<160> = Text::new().with("recount schema bump ").with(self.event);
        let advice = Advice {
            version: self.version,
            newest: self.newest,
            within,
            bump: bump.as_str(),
        };
        text.with(advice.text().as_str())
    }

    /// What keeps the payloads readable where one field, or one variant, is in the way; `now` is what it is called if it was renamed.
    const fn push_near_way(
        &self,
        text: &mut Text<LENGTH>,
        rule: Rule,
        problem: &Problem,
        now: Option<&str>,
    ) {
        let path = problem.path.as_str();
        let place = match now {
            Some(now) => now,
            None => without_dot(path),
        };
        match rule {
            Rule::FieldAdded => {
                text.push("make ");
                push_last(text, place);
                text.push(" an `Option`, or write `#[serde(default)]` above it, or ");
            }
            Rule::BecameRequired => {
                text.push("make ");
                push_last(text, place);
                text.push(
                    " an `Option`, or write `#[serde(default)]` above it, whichever it had, or ",
                );
            }
            Rule::FieldRenamed => {
                text.push("write `#[serde(rename = \"");
                text.push(split_last(path).1);
                text.push("\")]` above ");
                push_last(text, place);
                text.push(", so that only its name in Rust changes, or ");
            }
            Rule::FieldRemoved => {
                text.push("keep it, with `#[serde(rename = \"");
                text.push(split_last(path).1);
                text.push("\")]` if only its name in Rust changed, or say that it may go: `recount schema accept ");
                text.push(self.event);
                text.push(" --reason \"…\"`, or ");
            }
            Rule::VariantRemoved => {
                if let Some((was, now)) = problem.gone_variant() {
                    let is_renamed = !now.is_empty();
                    text.push(if is_renamed { "write" } else { "keep it, with" });
                    text.push(" `#[serde(rename = \"");
                    text.push(was);
                    text.push("\")]` ");
                    text.push(if is_renamed {
                        "above it, so that only its name in Rust changes, or "
                    } else {
                        "if only its name in Rust changed, or with `alias` if it is stored under another name from now on, or "
                    });
                }
            }
            _ => {}
        }
    }

    /// `` `Opened` version 1 (released in 0.3.0) ``
    const fn push_title(&self, text: &mut Text<LENGTH>) {
        text.push("`");
        text.push(self.event);
        text.push("` version ");
        text.push_number(self.version as u128);
        if !self.since.is_empty() {
            text.push(" (released in ");
            text.push(self.since);
            text.push(")");
        }
    }
}

/// Whether a shape reads a released version.
///
/// As a rule it does. That is found out once, and is all that it costs while compiling: little where the shape has the
/// [`digest`](crate::digest) of what was released, which then need not be looked at.
#[derive(Debug, Clone, Copy)]
pub struct Read(Option<(Released, &'static Shape)>);

impl Read {
    /// It reads all that was written, and drops nothing of it.
    ///
    /// ```
    /// use recount_schema::{Field, Read, Shape, Struct, digest};
    ///
    /// const THEN: &Shape = &Shape::Struct(Struct::new(&[Field::of::<u32>("reps"), Field::of::<bool>("done")]));
    /// const NOW: &Shape = &Shape::Struct(Struct::new(&[Field::of::<bool>("done"), Field::of::<u32>("reps")]));
    /// const READ: Read = if digest(NOW) == digest(THEN) { Read::WHOLLY } else { panic!("to be compared") };
    /// const _: () = READ.assert_field("reps");
    /// ```
    pub const WHOLLY: Self = Self(None);

    /// The same, unless the shape reads another released version instead, which has the same name in another category.
    #[must_use]
    pub const fn or(self, other: Released) -> Self {
        match self.0 {
            Some((_, now)) if other.read_as(now).is_accepted() => Self::WHOLLY,
            _ => self,
        }
    }

    /// Whether all that was written is read, or all but what somebody took responsibility for.
    pub const fn is_accepted(&self) -> bool {
        let Some((released, now)) = self.0 else {
            return true;
        };
        let found = released.problems(now);
        let problems = found.problems();
        let mut next = 0;
        while next < problems.len() {
            if released.is_refused(&problems[next]) {
                return false;
            }
            next += 1;
        }
        found.more() == 0
    }

    /// Panics, while compiling, with the first of the problems that lies in a field, unless the shapes agree.
    ///
    /// The message says what to write; `recount schema explain` has more to say about its code.
    ///
    /// # Panics
    ///
    /// If stored payloads could not be read: that is its purpose.
    #[track_caller]
    pub const fn assert_field(&self, field: &str) {
        self.assert_within(field, "");
    }

    /// The same for a field whose type is [`Shaped`](crate::Shaped): naming its shape asks for that, in the same constant, of which there
    /// are as many as fields. If the field is as it was, a problem lies within a type that it names.
    ///
    /// # Panics
    ///
    /// If stored payloads could not be read: that is its purpose.
    #[track_caller]
    pub const fn assert_shaped_field(&self, field: &str, within: &str, _: &Shape) {
        self.assert_within(field, within);
    }

    #[track_caller]
    const fn assert_within(&self, field: &str, within: &str) {
        let Some((released, now)) = self.0 else {
            return;
        };
        let found = released.problems(now);
        let problems = found.problems();
        let mut next = 0;
        while next < problems.len() {
            let problem = &problems[next];
            next += 1;
            if is_in(problem.path.as_str(), field) {
                let within = if problem.is_within(field) { within } else { "" };
                released.assert(problem, &found, within);
            }
        }
    }

    /// Panics, while compiling, with the first of the problems that lies in none of these fields: what was stored and has no field,
    /// and what is in a type that is flattened, beside the event's own fields of then and now.
    ///
    /// # Panics
    ///
    /// If stored payloads could not be read, or more problems were found than can be told: that is its purpose.
    #[track_caller]
    pub const fn assert_others(&self, fields: &[&str], own: &[&str], flattened: &str) {
        let Some((released, now)) = self.0 else {
            return;
        };
        let found = released.problems(now);
        let problems = found.problems();
        let mut next = 0;
        while next < problems.len() {
            let problem = &problems[next];
            next += 1;
            let path = problem.path.as_str();
            if !is_in_any(path, fields) {
                let within = if is_in_any(path, own) { "" } else { flattened };
                released.assert(problem, &found, within);
            }
        }
        assert!(
            found.more() == 0,
            "more problems than can be told apart: change less at once"
        );
    }
}

/// The last key of a path, as it is called in the code.
const fn push_last(text: &mut Text<LENGTH>, path: &str) {
    let last = split_last(path).1;
    text.push("`");
    text.push(last);
    text.push("`");
}

const fn without_dot(path: &str) -> &str {
    if path.is_empty() {
        path
    } else {
        path.split_at(1).1
    }
}

const fn is_in_any(path: &str, fields: &[&str]) -> bool {
    let mut next = 0;
    while next < fields.len() {
        if is_in(path, fields[next]) {
            return true;
        }
        next += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Body, Enum, Field, Shaped, Struct, Variant};

    const WRITTEN: Released = Released {
        event: "set.done",
        version: 2,
        newest: 2,
        since: "0.3.0",
        shape: &Shape::Struct(Struct::new(&[
            Field::of::<Vec<u16>>("reps"),
            Field::of::<String>("reps_note"),
        ])),
        accepted: &[("RC1011", ".reps[]")],
    };

    fn of(now: &'static Shape) -> Vec<String> {
        let found = WRITTEN.problems(now);
        let problems = found.problems().iter();
        problems
            .map(|problem| WRITTEN.message(problem, &found, "").to_string())
            .collect()
    }

    #[test]
    fn a_message_names_the_code_the_place_the_change_the_release_and_the_ways_out() {
        const NOW: Shape = Shape::Struct(Struct::new(&[
            Field::of::<Vec<u8>>("reps"),
            Field::of::<u8>("sets"),
        ]));
        assert_eq!(
            of(&NOW),
            [
                "[RC1011] `reps[]` of `set.done` version 2 (released in 0.3.0): u16 0..=65535 -> u8 0..=255: stored events could not be read\n\n\
                 help: take the change back, and begin version 3 for it: `recount schema bump set.done`",
                "[RC1001] `reps_note` of `set.done` version 2 (released in 0.3.0) is gone: what is stored of it would be dropped on every read\n\n\
                 help: keep it, with `#[serde(rename = \"reps_note\")]` if only its name in Rust changed, or say that it may go: \
                 `recount schema accept set.done --reason \"…\"`, or take the change back, and begin version 3 for it: `recount schema bump set.done`",
                "[RC1002] `sets` is required, but `set.done` version 2 (released in 0.3.0) does not have it: stored events could not be read\n\n\
                 help: make `sets` an `Option`, or write `#[serde(default)]` above it, or take the change back, and begin version 3 for it: `recount schema bump set.done`",
            ]
        );
    }

    #[test]
    fn a_change_in_a_flattened_type_lies_within_that_type_and_one_beside_it_does_not() {
        const PLACE: Shape = Shape::Struct(Struct::new(&[Field::of::<String>("zip")]));
        const MOVED: Shape = Shape::Struct(Struct::new(&[Field::of::<String>("postcode")]));
        const SOLD: Released = Released {
            // As a lock has it.
            shape: &Shape::Struct(Struct::new(&[
                Field::of::<String>("zip"),
                Field::of::<u32>("cents"),
            ])),
            ..WRITTEN
        };
        const INSIDE: Shape = Shape::Struct(Struct::new(&[
            Field::new("place", &MOVED).flattened(),
            Field::of::<u32>("cents"),
        ]));
        const BESIDE: Shape =
            Shape::Struct(Struct::new(&[Field::new("place", &PLACE).flattened()]));
        let refused = |now: &'static Shape| {
            let panic = std::panic::catch_unwind(|| {
                SOLD.read_as(now)
                    .assert_others(&[], &["place", "cents"], "Place");
            });
            *panic.unwrap_err().downcast::<String>().unwrap()
        };
        let inside = refused(&INSIDE);
        assert!(
            inside.starts_with(
                "[RC1004] `zip` of `set.done` version 2 (released in 0.3.0) is called `postcode` now"
            ) && inside.contains("take back what changed in `Place`"),
            "{inside}"
        );
        let beside = refused(&BESIDE);
        assert!(
            beside.starts_with("[RC1001] `cents`") && beside.contains("take the change back, and"),
            "{beside}"
        );
    }

    #[test]
    fn a_field_is_taken_for_renamed_only_if_one_of_its_kind_came_beside_it() {
        const TWO: Shape = Shape::Struct(Struct::new(&[
            Field::of::<Vec<u16>>("reps"),
            Field::of::<String>("note"),
            Field::of::<String>("by"),
        ]));
        const OTHER: Shape = Shape::Struct(Struct::new(&[
            Field::of::<Vec<u16>>("reps"),
            Field::of::<bool>("note"),
        ]));
        const ONE: Shape = Shape::Struct(Struct::new(&[
            Field::of::<Vec<u16>>("reps"),
            Field::of::<String>("note"),
        ]));
        assert!(of(&TWO)[0].starts_with("[RC1001] `reps_note`"));
        assert!(of(&OTHER)[0].starts_with("[RC1001] `reps_note`"));
        assert!(of(&ONE)[0].contains("is called `note` now"));
    }

    #[test]
    fn a_variant_is_taken_for_renamed_only_if_one_alone_went_and_one_of_its_kind_came() {
        macro_rules! form {
            ($($variant:ident),*) => {
                Shape::Struct(Struct::new(&[Field::new("place", &Shape::Enum(Enum::new(&[$($variant),*])))]))
            };
        }
        const INDOOR: Variant = Variant::new("Indoor", Body::Unit);
        const OUTDOOR: Variant = Variant::new("Outdoor", Body::Unit);
        const OUTSIDE: Variant = Variant::new("Outside", Body::Unit);
        const AWAY: Variant = Variant::new("Away", Body::Unit);
        const FAR: Variant = Variant::new("Far", Body::Newtype(u8::SHAPE));
        const OLD: Shape = form!(INDOOR, OUTDOOR);
        const RENAMED: Shape = form!(INDOOR, OUTSIDE);
        const OTHERS: [Shape; 4] = [
            form!(INDOOR),
            form!(INDOOR, FAR),
            form!(INDOOR, OUTSIDE, AWAY),
            form!(OUTSIDE),
        ];
        let told = |now: &'static Shape| {
            let written = Released {
                shape: &OLD,
                ..WRITTEN
            };
            let found = written.problems(now);
            written
                .message(&found.problems()[0], &found, "")
                .to_string()
        };
        let renamed = told(&RENAMED);
        assert!(
            renamed.starts_with("[RC1030] `place<Outdoor>` of `set.done` version 2 (released in 0.3.0) is called `Outside` now")
                && renamed.contains("help: write `#[serde(rename = \"Outdoor\")]` above it"),
            "{renamed}"
        );
        for now in &OTHERS {
            let told = told(now);
            assert!(
                told.contains("-> nothing")
                    && told.contains("help: keep it, with `#[serde(rename = "),
                "{told}"
            );
        }
    }

    #[test]
    fn what_was_accepted_is_accepted_at_its_place_only() {
        const NOW: Shape = Shape::Struct(Struct::new(&[
            Field::of::<Vec<u8>>("reps"),
            Field::of::<String>("reps_note"),
        ]));
        WRITTEN.read_as(&NOW).assert_field("reps");
        let stricter = Released {
            accepted: &[("RC1011", ".reps")],
            ..WRITTEN
        };
        let refused = std::panic::catch_unwind(|| stricter.read_as(&NOW).assert_field("reps"));
        assert!(refused.is_err());
    }

    #[test]
    fn a_problem_is_told_at_its_own_field_and_at_no_other() {
        assert!(is_in(".reps", "reps") && is_in(".reps[].x", "reps") && is_in(".reps<A>", "reps"));
        assert!(!is_in(".reps_note", "reps") && !is_in("", "reps") && !is_in(".re", "reps"));
        assert!(is_in_any(".b.c", &["a", "b"]) && !is_in_any(".c", &["a", "b"]));
    }
}
