//! JSON to shapes.

use serde_json::{Map, Value};

use super::NAMED;
use crate::{
    Body, Element, Enum, Field, Format, Int, Reads, Shape, Struct, Tagging, Variant, Written,
};

/// JSON that is no shape.
#[derive(Debug)]
pub(in crate::lock) struct Unreadable {
    pub(in crate::lock) problem: String,
    /// A key near to it.
    pub(in crate::lock) key: String,
}

fn unreadable<T>(problem: impl Into<String>, key: &str) -> Result<T, Unreadable> {
    Err(Unreadable {
        problem: problem.into(),
        key: key.to_owned(),
    })
}

/// The shape of JSON. What it is made of lives for ever.
pub(in crate::lock) fn read(value: &Value) -> Result<Shape, Unreadable> {
    read_shape(value, "shape")
}

fn text(value: &Value, key: &str) -> Result<&'static str, Unreadable> {
    match value {
        Value::String(text) => Ok(String::leak(text.clone())),
        _ => unreadable(format!("`{key}` must be a string"), key),
    }
}

fn kept(value: &Value, key: &str) -> Result<&'static Shape, Unreadable> {
    Ok(Box::leak(Box::new(read_shape(value, key)?)))
}

/// The keys of an object, each to be taken once.
struct Keys<'a> {
    left: Map<String, Value>,
    of: &'a str,
}

impl<'a> Keys<'a> {
    fn of(value: &Value, of: &'a str) -> Result<Self, Unreadable> {
        match value {
            Value::Object(object) => Ok(Self {
                left: object.clone(),
                of,
            }),
            _ => unreadable(format!("`{of}` must be an object"), of),
        }
    }

    fn take(&mut self, key: &str) -> Option<Value> {
        self.left.remove(key)
    }

    fn need(&mut self, key: &str) -> Result<Value, Unreadable> {
        match self.take(key) {
            Some(value) => Ok(value),
            None => unreadable(format!("`{}` lacks `{key}`", self.of), self.of),
        }
    }

    fn flag(&mut self, key: &str) -> Result<bool, Unreadable> {
        match self.take(key) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => unreadable(format!("`{key}` must be true or false"), key),
        }
    }

    /// One of two words, or nothing.
    fn word(&mut self, key: &str, words: &[&str]) -> Result<Option<usize>, Unreadable> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        match words.iter().position(|word| value == **word) {
            Some(at) => Ok(Some(at)),
            None => unreadable(
                format!("`{key}` must be one of {words:?}, not {value}"),
                key,
            ),
        }
    }

    fn aliases(&mut self) -> Result<&'static [&'static str], Unreadable> {
        let Some(value) = self.take("aliases") else {
            return Ok(&[]);
        };
        let Value::Array(aliases) = value else {
            return unreadable("`aliases` must be a list", "aliases");
        };
        let aliases = aliases.iter().map(|alias| text(alias, "aliases"));
        Ok(Vec::leak(aliases.collect::<Result<_, _>>()?))
    }

    fn end(self) -> Result<(), Unreadable> {
        match self.left.keys().next() {
            Some(key) => unreadable(format!("unknown key `{key}`"), key),
            None => Ok(()),
        }
    }
}

fn read_shape(value: &Value, at: &str) -> Result<Shape, Unreadable> {
    if let Value::String(wanted) = value {
        return match NAMED.iter().find(|(name, _)| name == wanted) {
            Some((_, shape)) => Ok(*shape),
            None => unreadable(format!("unknown shape `{wanted}`"), wanted),
        };
    }
    let mut keys = Keys::of(value, at)?;
    let shape = if let Some(bounds) = keys.take("integer") {
        read_bounds(&bounds)?
    } else if let Some(name) = keys.take("format") {
        Shape::String(Format::Named(text(&name, "format")?))
    } else if let Some(inner) = keys.take("option") {
        Shape::Option(kept(&inner, "option")?)
    } else if let Some(item) = keys.take("list") {
        Shape::seq(kept(&item, "list")?)
    } else if let Some(item) = keys.take("set") {
        Shape::set(kept(&item, "set")?)
    } else if let Some(item) = keys.take("array") {
        let len = keys.need("length")?;
        match len.as_u64().and_then(|len| usize::try_from(len).ok()) {
            Some(len) => Shape::array(kept(&item, "array")?, len),
            None => return unreadable("`length` must be a number", "length"),
        }
    } else if let Some(places) = keys.take("tuple") {
        read_tuple(&places)?
    } else if let Some(map) = keys.take("map") {
        let mut parts = Keys::of(&map, "map")?;
        let (key, value) = (parts.need("key")?, parts.need("value")?);
        parts.end()?;
        Shape::map(kept(&key, "key")?, kept(&value, "value")?)
    } else if let Some(fields) = keys.take("struct") {
        read_struct(&fields, &mut keys)?
    } else if let Some(variants) = keys.take("enum") {
        read_enum(&variants, &mut keys)?
    } else if let Some(variants) = keys.take("untagged") {
        read_untagged(&variants)?
    } else if let Some(name) = keys.take("opaque") {
        let version = keys.need("version")?;
        match version
            .as_u64()
            .and_then(|version| u32::try_from(version).ok())
        {
            Some(version) => Shape::Opaque {
                name: text(&name, "opaque")?,
                version,
            },
            None => return unreadable("`version` must be a number", "opaque"),
        }
    } else if let Some(name) = keys.take("recursive") {
        let shape = keys.need("shape")?;
        Shape::Recursive {
            name: text(&name, "recursive")?,
            shape: kept(&shape, "shape")?,
        }
    } else if let Some(name) = keys.take("reference") {
        Shape::Ref(text(&name, "reference")?)
    } else {
        let found: Vec<_> = keys.left.keys().collect();
        return unreadable(format!("no known shape has the keys {found:?}"), at);
    };
    keys.end()?;
    Ok(shape)
}

fn read_bounds(value: &Value) -> Result<Shape, Unreadable> {
    let mut keys = Keys::of(value, "integer")?;
    let (min, max) = (keys.need("min")?, keys.need("max")?);
    let nonzero = keys.flag("nonzero")?;
    keys.end()?;
    let min = min.as_str().and_then(|min| min.parse().ok());
    let max = max.as_str().and_then(|max| max.parse().ok());
    match (min, max) {
        (Some(min), Some(max)) => Ok(Shape::Int(Int { min, max, nonzero })),
        _ => unreadable("`min` and `max` must be integers in quotes", "integer"),
    }
}

fn read_tuple(value: &Value) -> Result<Shape, Unreadable> {
    let Value::Array(places) = value else {
        return unreadable("`tuple` must be a list", "tuple");
    };
    let places = places.iter().map(|place| match place.get("default") {
        Some(default) => {
            let mut keys = Keys::of(place, "tuple")?;
            keys.take("default");
            let shape = keys.need("shape")?;
            keys.end()?;
            Ok(Element::new(kept(&shape, "tuple")?).with_default(text(default, "default")?))
        }
        None => Ok(Element::new(kept(place, "tuple")?)),
    });
    Ok(Shape::Tuple(Vec::leak(places.collect::<Result<_, _>>()?)))
}

fn read_struct(fields: &Value, keys: &mut Keys<'_>) -> Result<Shape, Unreadable> {
    let Value::Object(fields) = fields else {
        return unreadable("`struct` must be an object", "struct");
    };
    let mut all = Vec::new();
    for (name, field) in fields {
        let mut keys = Keys::of(field, name)?;
        let shape = kept(&keys.need("shape")?, name)?;
        let written = match keys.word("write", &["maybe", "never"])? {
            None => Written::Always,
            Some(0) => Written::Maybe,
            Some(_) => Written::Never,
        };
        let reads = match keys.take("read") {
            None => Reads::Required,
            Some(Value::Object(read)) if read.len() == 1 && read.contains_key("default") => {
                Reads::Default(text(&read["default"], "default")?)
            }
            Some(read) if read == "optional" => Reads::Optional,
            Some(read) if read == "ignored" => Reads::Ignored,
            Some(read) => return unreadable(format!("`read` cannot be {read}"), name),
        };
        let aliases = keys.aliases()?;
        keys.end()?;
        let name = String::leak(name.clone());
        all.push(Field {
            aliases,
            written,
            reads,
            ..Field::new(name, shape)
        });
    }
    match keys.take("flatten") {
        None => {}
        Some(Value::Array(rests)) => {
            for rest in &rests {
                all.push(Field::new("", kept(rest, "flatten")?).flattened());
            }
        }
        Some(_) => return unreadable("`flatten` must be a list", "flatten"),
    }
    all.sort_by_key(|field| (field.flatten, field.name));
    let deny_unknown_fields = keys.flag("deny_unknown_fields")?;
    Ok(Shape::Struct(Struct {
        fields: Vec::leak(all),
        deny_unknown_fields,
    }))
}

fn read_enum(variants: &Value, keys: &mut Keys<'_>) -> Result<Shape, Unreadable> {
    let Value::Object(variants) = variants else {
        return unreadable("`enum` must be an object", "enum");
    };
    let mut all = Vec::new();
    for (name, variant) in variants {
        let keys = Keys::of(variant, name)?;
        all.push(read_variant(String::leak(name.clone()), keys)?);
    }
    all.sort_by_key(|variant| variant.name);
    let tagging = match (keys.take("tag"), keys.take("content")) {
        (None, None) => Tagging::External,
        (Some(tag), None) => Tagging::Internal {
            tag: text(&tag, "tag")?,
        },
        (Some(tag), Some(content)) => Tagging::Adjacent {
            tag: text(&tag, "tag")?,
            content: text(&content, "content")?,
        },
        (None, Some(_)) => return unreadable("`content` needs `tag`", "content"),
    };
    Ok(Shape::Enum(Enum {
        tagging,
        variants: Vec::leak(all),
    }))
}

fn read_untagged(value: &Value) -> Result<Shape, Unreadable> {
    let Value::Array(variants) = value else {
        return unreadable("`untagged` must be a list", "untagged");
    };
    let variants = variants.iter().map(|variant| {
        let mut keys = Keys::of(variant, "untagged")?;
        let name = keys.need("name")?;
        read_variant(text(&name, "name")?, keys)
    });
    let variants = Vec::leak(variants.collect::<Result<_, _>>()?);
    Ok(Shape::Enum(Enum {
        tagging: Tagging::Untagged,
        variants,
    }))
}

fn read_variant(name: &'static str, mut keys: Keys<'_>) -> Result<Variant, Unreadable> {
    let body = match keys.take("content") {
        None => Body::Unit,
        Some(content) => match read_shape(&content, name)? {
            Shape::Struct(of) => Body::Struct(of),
            Shape::Tuple(places) => Body::Tuple(places),
            shape => Body::Newtype(Box::leak(Box::new(shape))),
        },
    };
    let other = keys.flag("other")?;
    let is_written = keys.word("write", &["never"])?.is_none();
    let is_read = keys.word("read", &["ignored"])?.is_none();
    let aliases = keys.aliases()?;
    keys.end()?;
    Ok(Variant {
        name,
        aliases,
        body,
        other,
        is_written,
        is_read,
    })
}
