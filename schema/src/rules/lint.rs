//! What is wrong with one shape by itself.

use super::compare::DEPTH;
use super::describe::{kind, range, word};
use super::path::{At, Binder, Step};
use super::report::{Breaks, Report};
use super::rule::Rule;
use super::variants::only_names;
use crate::text::{Text, has, same};
use crate::{Body, Enum, Field, Map, Reads, Shape, Struct, Tagging, Written};

/// What is wrong with a shape by itself, whatever it was before: it cannot read its own payloads, or serde does
/// something with it that nobody expects.
///
/// ```
/// use recount_schema::{Rule, Shaped, lint};
///
/// let report = lint(<Vec<Option<Option<usize>>>>::SHAPE);
/// let rules: Vec<_> = report.problems().iter().map(|problem| problem.rule).collect();
/// assert_eq!(rules, [Rule::NestedOption, Rule::PlatformWidth]);
/// ```
pub const fn lint(shape: &Shape) -> Report {
    let mut report = Report::new();
    look(&mut report, shape, false, &At::ROOT);
    report
}

/// What is wrong with the shape of an event, which must be a struct with named fields, besides what [`lint`] finds.
///
/// ```
/// use recount_schema::{Rule, Shaped, lint_event};
///
/// assert_eq!(lint_event(<()>::SHAPE).problems()[0].rule, Rule::UnitEvent);
/// assert_eq!(lint_event(<(u8, u8)>::SHAPE).problems()[0].rule, Rule::EventForm);
/// ```
pub const fn lint_event(shape: &Shape) -> Report {
    let mut report = Report::new();
    match shape {
        Shape::Struct(_)
        | Shape::Unknown
        | Shape::Recursive {
            shape: Shape::Struct(_),
            ..
        } => {}
        Shape::Null => found(
            &mut report,
            Rule::UnitEvent,
            Breaks::BACKWARD,
            &At::ROOT,
            kind(shape),
        ),
        _ => found(
            &mut report,
            Rule::EventForm,
            Breaks::BACKWARD,
            &At::ROOT,
            kind(shape),
        ),
    }
    look(&mut report, shape, false, &At::ROOT);
    report
}

const fn found(report: &mut Report, rule: Rule, breaks: Breaks, at: &At<'_>, what: Text<48>) {
    report.push(rule, breaks, at, word(""), what);
}

/// `buffered`: serde keeps what it read in a form of its own before it knows what it is.
const fn look(report: &mut Report, shape: &Shape, buffered: bool, at: &At<'_>) {
    const UNREADABLE: Breaks = Breaks::BACKWARD;
    if at.depth > DEPTH {
        found(
            report,
            Rule::Recursion,
            UNREADABLE,
            at,
            word("deeper than can be followed"),
        );
        return;
    }
    match shape {
        Shape::Null | Shape::Bool | Shape::String(_) | Shape::Any | Shape::Opaque { .. } => {}
        Shape::Int(int) => {
            if buffered && int.is_wide() {
                found(report, Rule::Buffered, UNREADABLE, at, range(int));
            }
        }
        Shape::Size { .. } => found(report, Rule::PlatformWidth, UNREADABLE, at, word("")),
        Shape::Float(_) => found(report, Rule::NotANumber, UNREADABLE, at, kind(shape)),
        Shape::Option(Shape::Float(_)) => {
            found(report, Rule::NotANumber, Breaks::MEANING, at, kind(shape));
        }
        Shape::Option(inner) => {
            if matches!(inner, Shape::Option(_) | Shape::Null) {
                found(report, Rule::NestedOption, Breaks::MEANING, at, word(""));
            }
            look(report, inner, buffered, at);
        }
        Shape::Seq(seq) => look(report, seq.item, buffered, &at.step(Step::Item)),
        Shape::Tuple(places) => {
            let mut place = 0;
            while place < places.len() {
                look(
                    report,
                    places[place].shape,
                    buffered,
                    &at.step(Step::Place(place)),
                );
                place += 1;
            }
        }
        Shape::Map(map) => look_at_map(report, map, buffered, at),
        Shape::Struct(of) => look_at_struct(report, of, buffered, at),
        Shape::Enum(of) => look_at_enum(report, of, buffered, at),
        Shape::Unknown => {
            found(
                report,
                Rule::UnknownShape,
                UNREADABLE.and(Breaks::FORWARD),
                at,
                word(""),
            );
        }
        Shape::Recursive { name, shape } => {
            if at.find(true, name).is_some() {
                found(
                    report,
                    Rule::Recursion,
                    UNREADABLE,
                    at,
                    word("twice: ").with(name),
                );
            }
            let binder = Some(Binder { name, shape });
            look(report, shape, buffered, &at.bind(binder, None));
        }
        Shape::Ref(name) => {
            if at.find(true, name).is_none() {
                found(
                    report,
                    Rule::Recursion,
                    UNREADABLE,
                    at,
                    word("not there: ").with(name),
                );
            }
        }
    }
}

const fn look_at_map(report: &mut Report, map: &Map, buffered: bool, at: &At<'_>) {
    let key = &at.step(Step::Key);
    match map.key {
        Shape::String(_) => {}
        Shape::Enum(of) if only_names(of) => {}
        Shape::Unknown | Shape::Size { .. } | Shape::Opaque { .. } => {
            look(report, map.key, buffered, key);
        }
        Shape::Int(_) | Shape::Bool | Shape::Float(_) => {
            if buffered {
                found(report, Rule::Buffered, Breaks::BACKWARD, key, kind(map.key));
            }
        }
        other => found(report, Rule::MapKey, Breaks::BACKWARD, key, kind(other)),
    }
    look(report, map.value, buffered, &at.step(Step::Value));
}

const fn look_at_struct(report: &mut Report, of: &Struct, buffered: bool, at: &At<'_>) {
    let mut next = 0;
    while next < of.fields.len() {
        let field = &of.fields[next];
        next += 1;
        if field.flatten {
            if of.deny_unknown_fields {
                found(report, Rule::FlattenedDeny, Breaks::BACKWARD, at, word(""));
            }
            if let Shape::Option(_) = field.shape {
                let at = &at.step(Step::Field(field.name));
                found(
                    report,
                    Rule::FlattenedOption,
                    Breaks::MEANING,
                    at,
                    kind(field.shape),
                );
            }
            look(report, field.shape, true, at);
            continue;
        }
        let at = &at.step(Step::Field(field.name));
        match (field.written, field.reads) {
            (Written::Never, Reads::Ignored) => continue,
            (Written::Maybe | Written::Never, Reads::Required) => {
                found(
                    report,
                    Rule::UnreadableOutput,
                    Breaks::BACKWARD,
                    at,
                    word(""),
                );
            }
            _ => {}
        }
        look(report, field.shape, buffered, at);
    }
    collisions(report, of.fields, of.fields, at);
}

const fn look_at_enum(report: &mut Report, of: &Enum, buffered: bool, at: &At<'_>) {
    let buffers = match of.tagging {
        Tagging::Untagged => {
            found(report, Rule::Untagged, Breaks::MEANING, at, word("enum"));
            true
        }
        Tagging::Internal { .. } => true,
        _ => buffered,
    };
    let mut next = 0;
    while next < of.variants.len() {
        let variant = &of.variants[next];
        next += 1;
        let at = &at.step(Step::Variant(variant.name));
        let fields = match variant.body {
            Body::Unit => continue,
            Body::Newtype(shape) => {
                look(report, shape, buffers, at);
                match shape {
                    Shape::Struct(fields) => fields.fields,
                    _ => &[],
                }
            }
            Body::Tuple(places) => {
                look(report, &Shape::Tuple(places), buffers, at);
                &[]
            }
            Body::Struct(fields) => {
                look(report, &Shape::Struct(fields), buffers, at);
                fields.fields
            }
        };
        if let Tagging::Internal { tag } = of.tagging
            && times(fields, tag) > 0
        {
            found(report, Rule::Collision, Breaks::BACKWARD, at, word(tag));
        }
    }
}

/// Keys of `fields` that are there twice in the whole object.
const fn collisions(
    report: &mut Report,
    fields: &'static [Field],
    whole: &'static [Field],
    at: &At<'_>,
) {
    let mut next = 0;
    while next < fields.len() {
        let field = &fields[next];
        next += 1;
        if field.flatten {
            if let Shape::Struct(inner) = field.shape {
                collisions(report, inner.fields, whole, at);
            }
            continue;
        }
        if is_nothing(field) {
            continue;
        }
        if times(whole, field.name) > 1 {
            found(
                report,
                Rule::Collision,
                Breaks::BACKWARD,
                &at.step(Step::Field(field.name)),
                word(field.name),
            );
        }
        let mut alias = 0;
        while alias < field.aliases.len() {
            let name = field.aliases[alias];
            alias += 1;
            // serde's own list of a field's names has the name itself once more.
            if !same(name, field.name) && times(whole, name) > 1 {
                found(
                    report,
                    Rule::Collision,
                    Breaks::BACKWARD,
                    &at.step(Step::Field(field.name)),
                    word(name),
                );
            }
        }
    }
}

/// How many fields have a key.
const fn times(fields: &'static [Field], key: &str) -> usize {
    let (mut next, mut times_found) = (0, 0);
    while next < fields.len() {
        let field = &fields[next];
        next += 1;
        if field.flatten {
            if let Shape::Struct(inner) = field.shape {
                times_found += times(inner.fields, key);
            }
        } else if !is_nothing(field) && (same(field.name, key) || has(field.aliases, key)) {
            times_found += 1;
        }
    }
    times_found
}

const fn is_nothing(field: &Field) -> bool {
    matches!(
        (field.written, field.reads),
        (Written::Never, Reads::Ignored)
    )
}
