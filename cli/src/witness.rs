//! Payloads that show what is wrong.

use recount_schema::values::{payloads, validate};
use recount_schema::{Body, Breaks, Enum, Problem, Reads, Shape, Tagging};
use serde_json::Value;

/// A payload that one side writes and the other cannot read, because of this problem. Of one that stands alone that is any which
/// cannot be read.
pub fn witness(problem: &Problem, is_alone: bool, old: &Shape, new: &Shape) -> Option<String> {
    let (writer, reader) = if problem.breaks.has(Breaks::BACKWARD) {
        (old, new)
    } else if problem.breaks.has(Breaks::FORWARD) {
        (new, old)
    } else {
        return None;
    };
    let written = payloads(writer);
    let value = |payload: &str| serde_json::from_str::<Value>(payload).ok();
    let path = problem.path.as_str();
    let shows = |payload: &&String| value(payload).is_some_and(|it| fails_at(reader, &it, path));
    let fails = |payload: &&String| value(payload).is_some_and(|it| validate(reader, &it).is_err());
    let any = || written.iter().find(fails).filter(|_| is_alone);
    written.iter().find(shows).or_else(any).cloned()
}

/// Whether what a value has at a place, or that it has nothing there, cannot be read. Keys of maps, and what refers to itself, are not
/// followed.
fn fails_at(reader: &Shape, value: &Value, path: &str) -> bool {
    if path.is_empty() {
        let is_unknown = |problem: &str| problem.starts_with("a reference to");
        return validate(reader, value).is_err_and(|misfit| !is_unknown(&misfit.problem));
    }
    match (inside(*reader), value) {
        (Shape::Struct(of), Value::Object(object)) => {
            let Some(path) = path.strip_prefix('.') else {
                return false;
            };
            // A name may have points in it.
            let mut fields = of.fields.iter().filter(|field| !field.flatten);
            let Some((field, rest)) = fields.find_map(|field| {
                let rest = path.strip_prefix(field.name)?;
                (rest.is_empty() || rest.starts_with(['.', '[', '{', '<'])).then_some((field, rest))
            }) else {
                return false;
            };
            let mut names = std::iter::once(&field.name).chain(field.aliases);
            match names.find_map(|name| object.get(*name)) {
                Some(value) => fails_at(field.shape(), value, rest),
                None => field.reads == Reads::Required,
            }
        }
        (Shape::Seq(seq), Value::Array(items)) => match (path.strip_prefix("[]"), place(path)) {
            (Some(rest), _) => items.iter().any(|item| fails_at(seq.item, item, rest)),
            (None, Some((at, rest))) => items
                .get(at)
                .is_some_and(|item| fails_at(seq.item, item, rest)),
            _ => false,
        },
        (Shape::Tuple(places), Value::Array(items)) => place(path).is_some_and(|(at, rest)| {
            let both = places.get(at).zip(items.get(at));
            both.is_some_and(|(place, item)| fails_at(place.shape, item, rest))
        }),
        (Shape::Map(map), Value::Object(object)) => path.strip_prefix("{}").is_some_and(|rest| {
            let mut values = object.values();
            values.any(|value| fails_at(map.value, value, rest))
        }),
        (Shape::Enum(of), value) => fails_in(&of, value, path),
        _ => false,
    }
}

/// The same of a variant: `<Name>` stands before its content.
fn fails_in(of: &Enum, value: &Value, path: &str) -> bool {
    let Some((name, rest)) = path.strip_prefix('<').and_then(|path| path.split_once('>')) else {
        return false;
    };
    let (is_it, content) = match (of.tagging, value) {
        (Tagging::External, Value::String(found)) => (found == name, None),
        (Tagging::External, Value::Object(object)) => (
            object.len() == 1 && object.contains_key(name),
            object.get(name),
        ),
        (Tagging::Internal { tag }, Value::Object(object)) => (
            object.get(tag).is_some_and(|found| found == name),
            Some(value),
        ),
        (Tagging::Adjacent { tag, content }, Value::Object(object)) => (
            object.get(tag).is_some_and(|found| found == name),
            object.get(content),
        ),
        _ => return false,
    };
    if !is_it || rest.is_empty() {
        return is_it && validate(&Shape::Enum(*of), value).is_err();
    }
    let variant = of.variants.iter().find(|variant| variant.name == name);
    variant
        .zip(content)
        .is_some_and(|(variant, content)| match variant.body {
            Body::Unit => false,
            Body::Newtype(shape) => fails_at(shape, content, rest),
            Body::Tuple(places) => fails_at(&Shape::Tuple(places), content, rest),
            Body::Struct(fields) => fails_at(&Shape::Struct(fields), content, rest),
        })
}

/// `.3` at the beginning of a path.
fn place(path: &str) -> Option<(usize, &str)> {
    let path = path.strip_prefix('.')?;
    let end = path
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(path.len());
    let (number, rest) = path.split_at_checked(end)?;
    Some((number.parse().ok()?, rest))
}

fn inside(shape: Shape) -> Shape {
    match shape {
        Shape::Option(inner) | Shape::Recursive { shape: inner, .. } => inside(*inner),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use recount_schema::{Field, Shaped, Struct, Variant, compare};
    use std::collections::BTreeMap;

    #[test]
    fn each_problem_has_a_payload_of_its_own() {
        const OLD: &Shape = &Shape::Struct(Struct::new(&[
            Field::of::<u16>("reps"),
            Field::of::<Option<u8>>("sets"),
        ]));
        const NEW: &Shape = &Shape::Struct(Struct::new(&[
            Field::of::<u8>("reps"),
            Field::of::<u8>("sets"),
            Field::of::<String>("coach"),
        ]));
        let report = compare(OLD, NEW);
        let shown: Vec<_> = report
            .problems()
            .iter()
            .map(|problem| {
                (
                    problem.path.as_str(),
                    witness(problem, false, OLD, NEW).unwrap(),
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                (".reps", "{\"reps\":65535,\"sets\":null}".to_owned()),
                (".sets", "{\"reps\":0,\"sets\":null}".to_owned()),
                (".coach", "{\"reps\":0,\"sets\":null}".to_owned()),
            ]
        );
    }

    #[test]
    fn a_payload_shows_its_own_problem_within_lists_maps_and_variants_or_there_is_none() {
        const TARGET: &Shape = &Shape::Enum(Enum::new(&[
            Variant::new("Power", Body::Newtype(<u16>::SHAPE)),
            Variant::unit("Free"),
        ]));
        const LESS: &Shape = &Shape::Enum(Enum::new(&[Variant::new(
            "Power",
            Body::Newtype(<u8>::SHAPE),
        )]));
        const OLD: &Shape = &Shape::Struct(Struct::new(&[
            Field::of::<Vec<u16>>("laps"),
            Field::of::<(u8, u16)>("pair"),
            Field::new("target", TARGET),
            Field::of::<BTreeMap<u16, u8>>("zones"),
        ]));
        const NEW: &Shape = &Shape::Struct(Struct::new(&[
            Field::of::<String>("coach"),
            Field::of::<Vec<u8>>("laps"),
            Field::of::<(u8, u8)>("pair"),
            Field::new("target", LESS),
            Field::of::<BTreeMap<u8, u8>>("zones"),
        ]));
        let report = compare(OLD, NEW);
        let shown: Vec<_> = report
            .problems()
            .iter()
            .filter(|problem| problem.breaks.has(Breaks::BACKWARD))
            .map(|problem| (problem.path.to_string(), witness(problem, false, OLD, NEW)))
            .collect();
        let told = |path: &str, part: &str| {
            let (_, payload) = shown.iter().find(|(at, _)| at == path).expect(path);
            let payload = payload.as_deref().expect(path);
            assert!(payload.contains(part), "{path}: {payload}");
        };
        told(".laps[]", "\"laps\":[65535]");
        told(".pair.1", "\"pair\":[0,65535]");
        told(".target<Power>", "{\"Power\":65535}");
        told(".target<Free>", "\"target\":\"Free\"");
        told(".coach", "");
        // No payload shows what a key does, and that of another problem would mislead.
        assert!(shown.contains(&(".zones{key}".to_owned(), None)));
    }
}
