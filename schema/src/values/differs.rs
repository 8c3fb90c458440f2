//! What a stored payload is read as, compared with what it was read as.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use crate::{Body, Element, Enum, Field, Shape, Tagging, Variant};

type Object = serde_json::Map<String, Value>;

/// A place where what was expected is not what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where: `.tags[2]`; empty for the whole.
    pub path: String,
    /// What was expected there, as JSON.
    pub expected: String,
    /// What is there.
    pub now: String,
}

/// The first place where what was expected is not what is there. Fields that came later are not expected, and fields that the
/// type does not have any more are another rule's.
///
/// ```
/// use recount_schema::{Shape, Struct, Field, Shaped as _, values::differs};
/// use serde_json::json;
///
/// const SET: Shape = Shape::Struct(Struct::new(&[Field::of::<u16>("reps"), Field::of::<Option<u16>>("rest")]));
/// assert_eq!(differs(&SET, &json!({ "reps": 3 }), &json!({ "reps": 3, "rest": null })), None);
/// let found = differs(&SET, &json!({ "reps": 3 }), &json!({ "reps": 4, "rest": null })).unwrap();
/// assert_eq!(found.path, ".reps");
/// ```
pub fn differs(shape: &Shape, expected: &Value, now: &Value) -> Option<Difference> {
    Comparison::default().value(shape, expected, now)
}

/// The same of what a stored event is read as, in the form in which samples have it: the payload, or a list of events of this name.
pub fn events_differ(
    name: &str,
    shape: &Shape,
    expected: &Value,
    now: &Value,
) -> Option<Difference> {
    // A list of others is compared as it is.
    let payloads = |events: &Value| -> Option<Vec<Value>> {
        let events = events.as_array()?.iter();
        let own = events.map(|event| event.get("payload").filter(|_| event["event"] == name));
        own.map(Option::<&Value>::cloned).collect()
    };
    match (payloads(expected), payloads(now)) {
        (Some(before), Some(after)) if before.len() == after.len() => {
            let mut pairs = before.iter().zip(&after).enumerate();
            pairs.find_map(|(at, (before, after))| {
                within(format_args!("[{at}]"), differs(shape, before, after))
            })
        }
        _ => differs(shape, expected, now),
    }
}

fn difference(expected: impl fmt::Display, now: impl fmt::Display) -> Difference {
    Difference {
        path: String::new(),
        expected: expected.to_string(),
        now: now.to_string(),
    }
}

fn of_objects(before: &Object, after: &Object) -> Difference {
    let [before, after] = [before, after].map(|object| Value::Object(object.clone()));
    difference(before, after)
}

/// Puts a step in front of the path.
fn within(step: impl fmt::Display, found: Option<Difference>) -> Option<Difference> {
    found.map(|found| Difference {
        path: format!("{step}{}", found.path),
        ..found
    })
}

/// The recursive shapes around, from the outside.
#[derive(Clone, Default)]
struct Comparison {
    outer: Vec<(&'static str, &'static Shape)>,
}

impl Comparison {
    fn value(&self, shape: &Shape, expected: &Value, now: &Value) -> Option<Difference> {
        if expected == now {
            return None;
        }
        match (shape, expected, now) {
            (Shape::Recursive { .. } | Shape::Ref(_), ..) => match self.entered(shape) {
                Some((inner, shape)) => inner.value(&shape, expected, now),
                None => Some(difference(expected, now)),
            },
            (Shape::Option(inner), ..) => self.value(inner, expected, now),
            (Shape::Seq(seq), Value::Array(before), Value::Array(after))
                if before.len() == after.len() =>
            {
                if !seq.unique {
                    return self.items(std::iter::repeat(seq.item), before, after);
                }
                let is_same = self.is_same_set(seq.item, before, after);
                (!is_same).then(|| difference(expected, now))
            }
            (Shape::Tuple(places), Value::Array(before), Value::Array(after))
                if may_come(places, before.len(), after.len()) =>
            {
                self.items(places.iter().map(|place| place.shape), before, after)
            }
            (
                Shape::Struct(_) | Shape::Map(_) | Shape::Enum(_),
                Value::Object(before),
                Value::Object(after),
            ) => Keys::default().differ(vec![(self.clone(), *shape)], before, after),
            (Shape::Enum(of), Value::String(before), Value::String(after))
                if of.tagging == Tagging::External && is_same(of, before, after) =>
            {
                None
            }
            (Shape::Enum(of), ..) if of.tagging == Tagging::Untagged => {
                let agrees = |body: Shape| self.value(&body, expected, now).is_none();
                if contents(of).any(agrees) {
                    return None;
                }
                Some(difference(expected, now))
            }
            _ => Some(difference(expected, now)),
        }
    }

    fn items<'a>(
        &self,
        shapes: impl Iterator<Item = &'a Shape>,
        before: &[Value],
        after: &[Value],
    ) -> Option<Difference> {
        let mut pairs = shapes.zip(before.iter().zip(after)).enumerate();
        pairs.find_map(|(at, (shape, (before, after)))| {
            within(format_args!("[{at}]"), self.value(shape, before, after))
        })
    }

    /// Whether each item has one that it is read as, in any order: that of a `HashSet` changes from run to run.
    fn is_same_set(&self, item: &Shape, before: &[Value], after: &[Value]) -> bool {
        let mut left: Vec<&Value> = after.iter().collect();
        before.iter().all(|before| {
            let mut others = left.iter();
            let found = others.position(|after| self.value(item, before, after).is_none());
            found.map(|at| left.swap_remove(at)).is_some()
        })
    }

    /// What is in a shape that contains itself, or what a reference to one stands for.
    fn entered(&self, shape: &Shape) -> Option<(Self, Shape)> {
        let mut inner = self.clone();
        let shape = match shape {
            Shape::Recursive { name, shape } => {
                inner.outer.push((name, shape));
                shape
            }
            Shape::Ref(name) => {
                let at = self.outer.iter().rposition(|(known, _)| known == name)?;
                inner.outer.truncate(at + 1);
                self.outer[at].1
            }
            _ => return None,
        };
        Some((inner, *shape))
    }
}

/// Whether all places that came later have a default, and none is gone.
fn may_come(places: &[Element], before: usize, after: usize) -> bool {
    let later = places.get(before..after);
    later.is_some_and(|later| later.iter().all(|place| place.default.is_some()))
}

/// The keys of an object, as those say whose keys stand in it: a struct, what is flattened, a variant beside its tag.
#[derive(Clone, Default)]
struct Keys {
    fields: Vec<(Comparison, &'static Field)>,
    /// The value of a key that no field has.
    free: Option<(Comparison, Shape)>,
    /// Tags, and what stands under a variant's name: they were compared already.
    compared: Vec<String>,
    /// It is a guess whose keys these are, which is wrong if there are others.
    is_guess: bool,
}

impl Keys {
    fn differ(
        mut self,
        mut parts: Vec<(Comparison, Shape)>,
        before: &Object,
        after: &Object,
    ) -> Option<Difference> {
        while let Some((of, shape)) = parts.pop() {
            match shape {
                Shape::Recursive { .. } | Shape::Ref(_) => parts.extend(of.entered(&shape)),
                Shape::Option(inner) => parts.push((of, *inner)),
                Shape::Map(map) => self.free = Some((of, *map.value)),
                Shape::Any | Shape::Opaque { .. } => self.free = Some((of, shape)),
                Shape::Struct(fields) => {
                    for field in fields.fields {
                        if field.flatten {
                            parts.push((of.clone(), *field.shape()));
                        } else {
                            self.fields.push((of.clone(), field));
                        }
                    }
                }
                Shape::Enum(variants) if variants.tagging == Tagging::Untagged => {
                    self.is_guess = true;
                    // Which variant it was read as is not written.
                    let agrees = |body: Shape| {
                        let mut parts = parts.clone();
                        parts.push((of.clone(), body));
                        self.clone().differ(parts, before, after).is_none()
                    };
                    if contents(&variants).any(agrees) {
                        return None;
                    }
                    return Some(of_objects(before, after));
                }
                Shape::Enum(variants) => match self.variant(&of, &variants, before, after) {
                    Ok(None) => {}
                    Ok(Some(content)) => parts.push((of, content)),
                    Err(found) => return Some(found),
                },
                _ => {}
            }
        }
        self.differ_in_fields(before, after)
            .or_else(|| self.differ_in_others(before, after))
    }

    /// Compares what says which variant it is, and what stands apart; what stands beside the tag is left.
    fn variant(
        &mut self,
        of: &Comparison,
        variants: &Enum,
        before: &Object,
        after: &Object,
    ) -> Result<Option<Shape>, Difference> {
        let other = || Err(of_objects(before, after));
        let apart = |expected, now, body| {
            let content = content(body).unwrap_or(Shape::Null);
            of.value(&content, expected, now).map_or(Ok(None), Err)
        };
        let tag = match variants.tagging {
            Tagging::Internal { tag } | Tagging::Adjacent { tag, .. } => tag,
            Tagging::External | Tagging::Untagged => {
                let mut keys = before.iter();
                let Some((key, expected, variant)) =
                    keys.find_map(|(key, value)| Some((key, value, named(variants, key)?)))
                else {
                    // It may be an option. What has come is a key that nobody has.
                    return Ok(None);
                };
                self.compared.extend([key.clone(), variant.name.to_owned()]);
                return match after.get(variant.name) {
                    Some(now) => apart(expected, now, variant.body),
                    None => other(),
                };
            }
        };
        let [name, now] = [before, after].map(|object| object.get(tag).and_then(Value::as_str));
        if (name, now) == (None, None) {
            return Ok(None);
        }
        let variant = name.and_then(|name| named(variants, name));
        let Some(variant) = variant.filter(|variant| Some(variant.name) == now) else {
            return other();
        };
        self.compared.push(tag.to_owned());
        let Tagging::Adjacent { content: key, .. } = variants.tagging else {
            return Ok(content(variant.body));
        };
        self.compared.push(key.to_owned());
        let [expected, now] = [before, after].map(|object| object.get(key));
        // What is `None` may be missing.
        apart(
            expected.unwrap_or(&Value::Null),
            now.unwrap_or(&Value::Null),
            variant.body,
        )
    }

    /// A field may have come, and it may have got another name, its own being an alias now.
    fn differ_in_fields(&self, before: &Object, after: &Object) -> Option<Difference> {
        self.fields.iter().find_map(|(of, field)| {
            let expected = before.get(stored_as(field, before)?)?;
            let now = after.get(field.name).unwrap_or(&Value::Null);
            let found = of.value(field.shape(), expected, now);
            within(format_args!(".{}", field.name), found)
        })
    }

    /// Keys of a map neither come nor go.
    fn differ_in_others(&self, before: &Object, after: &Object) -> Option<Difference> {
        let names = self.fields.iter().flat_map(|(_, field)| {
            let stored = stored_as(field, before);
            std::iter::once(field.name).chain(stored)
        });
        let compared = self.compared.iter().map(String::as_str);
        let known: BTreeSet<&str> = names.chain(compared).collect();
        let mut others = before.keys().chain(after.keys());
        others.find_map(|key| {
            if known.contains(key.as_str()) {
                return None;
            }
            let found = match (before.get(key), after.get(key)) {
                (Some(expected), Some(now)) => match &self.free {
                    Some((of, shape)) => of.value(shape, expected, now),
                    None if expected == now && !self.is_guess => None,
                    None => Some(difference(expected, now)),
                },
                // The type does not have it any more.
                (Some(_), None) if self.free.is_none() && !self.is_guess => None,
                (expected, now) => {
                    let text = |value: Option<&Value>| {
                        value.map_or_else(|| "nothing".to_owned(), Value::to_string)
                    };
                    Some(difference(text(expected), text(now)))
                }
            };
            within(format_args!("{{{key}}}"), found)
        })
    }
}

/// The key of a field in an object.
fn stored_as(field: &Field, object: &Object) -> Option<&'static str> {
    let mut names = std::iter::once(&field.name).chain(field.aliases);
    names.find(|name| object.contains_key(**name)).copied()
}

/// The variant that is read of a name.
fn named(of: &Enum, name: &str) -> Option<&'static Variant> {
    let mut read = of.variants.iter().filter(|variant| variant.is_read);
    read.find(|variant| variant.name == name || variant.aliases.contains(&name))
}

fn is_same(of: &Enum, before: &str, after: &str) -> bool {
    named(of, before).is_some_and(|variant| variant.name == after)
}

fn content(body: Body) -> Option<Shape> {
    match body {
        Body::Unit => None,
        Body::Newtype(shape) => Some(*shape),
        Body::Tuple(places) => Some(Shape::Tuple(places)),
        Body::Struct(fields) => Some(Shape::Struct(fields)),
    }
}

fn contents(of: &Enum) -> impl Iterator<Item = Shape> {
    let bodies = of.variants.iter().map(|variant| variant.body);
    bodies.filter_map(content)
}

#[cfg(test)]
mod tests;
