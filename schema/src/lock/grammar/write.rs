//! Shapes to JSON.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::NAMED;
use crate::{
    Body, Element, Enum, Field, Format, Reads, Seq, Shape, Struct, Tagging, Variant, Written,
};

/// The shape as JSON.
pub(in crate::lock) fn write(shape: &Shape) -> Value {
    Writer::default().shape(shape)
}

#[derive(Default)]
struct Writer {
    /// The recursive shapes around, with their numbers.
    outer: Vec<(&'static str, usize)>,
    next: usize,
}

impl Writer {
    fn shape(&mut self, shape: &Shape) -> Value {
        if let Some((name, _)) = NAMED.iter().find(|(_, named)| named == shape) {
            return (*name).into();
        }
        match shape {
            Shape::Int(int) => {
                let mut bounds = json!({ "min": int.min.to_string(), "max": int.max.to_string() });
                if int.nonzero {
                    bounds["nonzero"] = true.into();
                }
                json!({ "integer": bounds })
            }
            Shape::String(Format::Named(name)) => json!({ "format": name }),
            Shape::Option(inner) => json!({ "option": self.shape(inner) }),
            Shape::Seq(Seq { item, len, unique }) => {
                let item = self.shape(item);
                match len {
                    Some(len) => json!({ "array": item, "length": len }),
                    None if *unique => json!({ "set": item }),
                    None => json!({ "list": item }),
                }
            }
            Shape::Tuple(places) => self.tuple(places),
            Shape::Map(map) => {
                json!({ "map": { "key": self.shape(map.key), "value": self.shape(map.value) } })
            }
            Shape::Struct(of) => self.fields(of),
            Shape::Enum(of) => self.one_of(of),
            Shape::Opaque { name, version } => json!({ "opaque": name, "version": version }),
            Shape::Recursive { name, shape } => {
                let number = self.next;
                self.next += 1;
                self.outer.push((name, number));
                let shape = self.shape(shape);
                self.outer.pop();
                json!({ "recursive": format!("r{number}"), "shape": shape })
            }
            Shape::Ref(name) => match self.outer.iter().rfind(|(known, _)| known == name) {
                Some((_, number)) => json!({ "reference": format!("r{number}") }),
                None => json!({ "reference": name }),
            },
            // They have names, above; what is left can hold nothing that is told apart.
            _ => "unknown".into(),
        }
    }

    fn tuple(&mut self, places: &[Element]) -> Value {
        let places = places.iter().map(|place| {
            let shape = self.shape(place.shape);
            match place.default {
                Some(text) => json!({ "default": text, "shape": shape }),
                None => shape,
            }
        });
        json!({ "tuple": places.collect::<Vec<_>>() })
    }

    fn fields(&mut self, of: &Struct) -> Value {
        let mut known = BTreeMap::new();
        let mut rests = Vec::new();
        merge(of.fields, &mut known, &mut rests);
        let fields: Map<_, _> = known
            .into_iter()
            .map(|(name, field)| (name.to_owned(), self.field(field)))
            .collect();
        let mut value = json!({ "struct": fields });
        if of.deny_unknown_fields {
            value["deny_unknown_fields"] = true.into();
        }
        if !rests.is_empty() {
            let rests: Vec<_> = rests.into_iter().map(|rest| self.shape(rest)).collect();
            value["flatten"] = rests.into();
        }
        value
    }

    fn field(&mut self, field: &Field) -> Value {
        let mut value = json!({ "shape": self.shape(field.shape) });
        match field.written {
            Written::Always => {}
            Written::Maybe => value["write"] = "maybe".into(),
            Written::Never => value["write"] = "never".into(),
        }
        match field.reads {
            Reads::Required => {}
            Reads::Optional => value["read"] = "optional".into(),
            Reads::Default(text) => value["read"] = json!({ "default": text }),
            Reads::Ignored => value["read"] = "ignored".into(),
        }
        put_aliases(&mut value, field.aliases);
        value
    }

    fn one_of(&mut self, of: &Enum) -> Value {
        let (tag, content) = match of.tagging {
            Tagging::Untagged => {
                let variants = of.variants.iter().map(|variant| {
                    let mut value = self.variant(variant);
                    value["name"] = variant.name.into();
                    value
                });
                return json!({ "untagged": variants.collect::<Vec<_>>() });
            }
            Tagging::External => (None, None),
            Tagging::Internal { tag } => (Some(tag), None),
            Tagging::Adjacent { tag, content } => (Some(tag), Some(content)),
        };
        let sorted: BTreeMap<_, _> = of
            .variants
            .iter()
            .map(|variant| (variant.name, variant))
            .collect();
        let variants: Map<_, _> = sorted
            .into_iter()
            .map(|(name, variant)| (name.to_owned(), self.variant(variant)))
            .collect();
        let mut value = json!({ "enum": variants });
        if let Some(tag) = tag {
            value["tag"] = tag.into();
        }
        if let Some(content) = content {
            value["content"] = content.into();
        }
        value
    }

    fn variant(&mut self, variant: &Variant) -> Value {
        let mut value = match variant.body {
            Body::Unit => json!({}),
            Body::Newtype(shape) => json!({ "content": self.shape(shape) }),
            Body::Tuple(places) => json!({ "content": self.tuple(places) }),
            Body::Struct(of) => json!({ "content": self.fields(&of) }),
        };
        if variant.other {
            value["other"] = true.into();
        }
        if !variant.is_written {
            value["write"] = "never".into();
        }
        if !variant.is_read {
            value["read"] = "ignored".into();
        }
        put_aliases(&mut value, variant.aliases);
        value
    }
}

fn put_aliases(value: &mut Value, aliases: &[&str]) {
    if !aliases.is_empty() {
        let mut aliases = aliases.to_vec();
        aliases.sort_unstable();
        value["aliases"] = aliases.into();
    }
}

/// The fields by name, those of flattened structs among them, and what else is flattened.
fn merge(
    fields: &'static [Field],
    known: &mut BTreeMap<&'static str, &'static Field>,
    rests: &mut Vec<&'static Shape>,
) {
    for field in fields {
        match (field.flatten, field.shape, (field.written, field.reads)) {
            (true, Shape::Struct(inner), _) => {
                let (mut inner_known, mut inner_rests) = (BTreeMap::new(), Vec::new());
                merge(inner.fields, &mut inner_known, &mut inner_rests);
                // A key that is there already has no place; the rules refuse such a struct anyway.
                if inner_known.keys().any(|name| known.contains_key(name)) {
                    rests.push(field.shape);
                } else {
                    known.extend(inner_known);
                    rests.extend(inner_rests);
                }
            }
            (true, Shape::Null, _) | (false, _, (Written::Never, Reads::Ignored)) => {}
            (true, rest, _) => rests.push(rest),
            (false, ..) => {
                known.entry(field.name).or_insert(field);
            }
        }
    }
}
