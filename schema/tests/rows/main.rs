//! Every way in which a type may change, judged twice: by serde on real payloads, and by the rules. Where they disagree,
//! the row's test fails.
//!
//! `[B F S]` is what a change breaks: new code cannot read old payloads, old code cannot read new ones, the meaning may be
//! another one. `stricter` names what the rules report although serde reads the payloads, by accident or by luck.

#![expect(dead_code, reason = "the rows' types are there to be written and read")]

mod alone;
mod enums;
mod fields;
mod types;

use recount_schema::private::digest_of_released;
use recount_schema::values::{payloads, validate};
use recount_schema::{Breaks, Guard, Rule, Shape, compare, digest};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// One side of a row: the shape as it is written by hand, and payloads as serde writes them.
struct Side {
    shape: &'static Shape,
    written: Vec<String>,
    /// Payloads of earlier releases, which the type can read and does not write.
    stored: Vec<String>,
}

impl Side {
    fn new<T: Serialize + DeserializeOwned>(
        shape: &'static Shape,
        values: &[T],
        stored: &[&str],
    ) -> Self {
        let written = values
            .iter()
            .map(|value| serde_json::to_string(value).unwrap());
        let side = Self {
            shape,
            written: written.collect(),
            stored: stored.iter().map(|&payload| payload.to_owned()).collect(),
        };
        for payload in side
            .written
            .iter()
            .chain(&side.stored)
            .cloned()
            .chain(payloads(shape))
        {
            assert!(
                reads::<T>(&payload),
                "the shape is not the type's: {payload} is not read"
            );
            assert!(
                fits(shape, &payload),
                "the shape is not the type's: {payload} does not fit"
            );
        }
        side
    }
}

fn reads<T: DeserializeOwned>(payload: &str) -> bool {
    serde_json::from_str::<T>(payload).is_ok()
}

fn fits(shape: &Shape, payload: &str) -> bool {
    validate(shape, &serde_json::from_str(payload).unwrap()).is_ok()
}

/// Whether serde reads with a type all that another one wrote, and the shape's validator agrees on each payload.
fn all_read<Reader: DeserializeOwned>(writer: &Side, reader: &Shape) -> bool {
    let mut all = true;
    let made = payloads(writer.shape);
    for payload in writer.written.iter().chain(&writer.stored).chain(&made) {
        let read = reads::<Reader>(payload);
        assert_eq!(
            read,
            fits(reader, payload),
            "serde and `validate` disagree on {payload}"
        );
        all &= read;
    }
    all
}

fn judge<Old: DeserializeOwned, New: DeserializeOwned>(
    old: &Side,
    new: &Side,
    broken: &[Breaks],
    stricter: &[Breaks],
) {
    let and = |all: &[Breaks]| all.iter().fold(Breaks::NOTHING, |all, one| all.and(*one));
    let report = compare(old.shape, new.shape);
    assert_eq!(
        report.breaks(),
        and(broken).and(and(stricter)),
        "by the rules:\n{report}"
    );

    let mut by_serde = Breaks::NOTHING;
    if !all_read::<New>(old, new.shape) {
        by_serde = by_serde.and(Breaks::BACKWARD);
    }
    if !all_read::<Old>(new, old.shape) {
        by_serde = by_serde.and(Breaks::FORWARD);
    }
    if broken.contains(&Breaks::MEANING) {
        by_serde = by_serde.and(Breaks::MEANING);
    }
    assert_eq!(by_serde, and(broken), "by serde; the rules say:\n{report}");
    for problem in report.problems() {
        let is_lost = problem.breaks.has(Breaks::BACKWARD) || problem.rule == Rule::FieldRemoved;
        let says = problem.rule.guard() == Guard::Compiler;
        // Of what only the last release cannot read the compiler says nothing, whatever the rule.
        assert!(says || !is_lost, "{problem}: the compiler refuses it");
        assert!(
            is_lost || !says || problem.breaks == Breaks::FORWARD,
            "{problem}: nobody refuses it"
        );
    }
    assert!(compare(old.shape, old.shape).is_clean() && compare(new.shape, new.shape).is_clean());
    let is_same = digest_of_released(old.shape) == Some(digest(new.shape));
    assert!(
        report.is_clean() || !is_same,
        "the digest does not tell of\n{report}"
    );
}

/// `name: [what breaks]`, and for each side the shape, values that are written, and the types.
macro_rules! row {
    (
        $name:ident: [$($breaks:ident)*] $(stricter [$($stricter:ident)*])?
        old = $old:expr, [$($old_value:expr),*] $(stored $stored:tt)? { $($old_item:item)* }
        new = $new:expr, [$($new_value:expr),*] { $($new_item:item)* }
    ) => {
        #[test]
        fn $name() {
            $(#[derive(serde::Serialize, serde::Deserialize)] $old_item)*
            $(#[derive(serde::Serialize, serde::Deserialize)] $new_item)*
            const OLD: &Shape = &$old;
            const NEW: &Shape = &$new;
            #[allow(unused_mut, unused_assignments, reason = "most rows store no more than is written")]
            let mut stored: &[&str] = &[];
            $(stored = &$stored;)?
            let old = crate::Side::new::<Old>(OLD, &[$($old_value),*], stored);
            let new = crate::Side::new::<New>(NEW, &[$($new_value),*], &[]);
            crate::judge::<Old, New>(&old, &new, &[$(crate::$breaks),*], &[$($(crate::$stricter),*)?]);
        }
    };
}
pub(crate) use row;

const B: Breaks = Breaks::BACKWARD;
const F: Breaks = Breaks::FORWARD;
const S: Breaks = Breaks::MEANING;

/// The shape of a struct of fields without attributes.
macro_rules! object {
    ($($name:literal: $type:ty),* $(,)?) => { crate::built!($(recount_schema::Field::of::<$type>($name)),*) };
}
pub(crate) use object;

/// The shape of a struct of fields that were built.
macro_rules! built {
    ($($field:expr),* $(,)?) => {{
        const FIELDS: &[recount_schema::Field] = &[$($field),*];
        recount_schema::Shape::Struct(recount_schema::Struct::new(FIELDS))
    }};
}
pub(crate) use built;
