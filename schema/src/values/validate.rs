//! Whether a value can be read.

use std::fmt;

use serde_json::{Map as Object, Value};

use crate::rules::format_name;
use crate::values::time;
use crate::{
    Body, Element, Enum, Field, Float, Format, Int, Reads, Shape, Struct, Tagging, Variant,
};

/// Why a value cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// Where: `.tags[2]`; empty for the whole.
    pub path: String,
    /// What is wrong there.
    pub problem: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.problem)
    }
}

impl std::error::Error for Misfit {}

/// Whether a type of this shape can read the value, as serde would.
///
/// Numbers that `Value` holds as `f64` only, those beyond 64 bits, are taken for whole if they may be. Opaque shapes take
/// everything.
///
/// ```
/// use recount_schema::{Shaped, values::validate};
/// use serde_json::json;
///
/// assert!(validate(<Vec<u8>>::SHAPE, &json!([1, 255])).is_ok());
/// let misfit = validate(<Vec<u8>>::SHAPE, &json!([1, 256])).unwrap_err();
/// assert_eq!(misfit.to_string(), "[1]: expected an integer within 0..=255, found 256");
/// ```
///
/// # Errors
///
/// The first place that does not fit.
pub fn validate(shape: &Shape, value: &Value) -> Result<(), Misfit> {
    Validator::default().value(shape, value)
}

/// The recursive shapes around, from the outside.
#[derive(Default, Clone)]
struct Validator {
    outer: Vec<(&'static str, &'static Shape)>,
}

fn misfit<T>(problem: impl Into<String>) -> Result<T, Misfit> {
    Err(Misfit {
        path: String::new(),
        problem: problem.into(),
    })
}

/// Puts a step in front of the path.
fn within<T>(step: impl fmt::Display, result: Result<T, Misfit>) -> Result<T, Misfit> {
    result.map_err(|misfit| Misfit {
        path: format!("{step}{}", misfit.path),
        ..misfit
    })
}

fn expected<T>(what: &str, value: &Value) -> Result<T, Misfit> {
    let mut found = value.to_string();
    if found.chars().count() > 40 {
        found = found.chars().take(40).chain(['…']).collect();
    }
    misfit(format!("expected {what}, found {found}"))
}

impl Validator {
    fn value(&self, shape: &Shape, value: &Value) -> Result<(), Misfit> {
        match shape {
            Shape::Null | Shape::Option(_) if value.is_null() => Ok(()),
            Shape::Null => expected("null", value),
            Shape::Bool if value.is_boolean() => Ok(()),
            Shape::Bool => expected("a bool", value),
            Shape::Int(int) => integer(int, value),
            Shape::Size { signed: true } => integer(&Int::I64, value),
            Shape::Size { signed: false } => integer(&Int::U64, value),
            Shape::Float(float) => match value.as_f64() {
                Some(number) if is_within(*float, number) => Ok(()),
                _ => expected("a number", value),
            },
            Shape::String(format) => match value {
                Value::String(text) if has_format(*format, text) => Ok(()),
                _ => expected(&format!("a string, {}", format_name(*format)), value),
            },
            Shape::Option(inner) => self.value(inner, value),
            Shape::Seq(seq) => {
                let Value::Array(items) = value else {
                    return expected("an array", value);
                };
                if seq.len.is_some_and(|len| len != items.len()) {
                    return misfit(format!("an array of {} items", items.len()));
                }
                self.items(items, std::iter::repeat(seq.item))
            }
            Shape::Tuple(places) => self.tuple(places, value),
            Shape::Map(map) => {
                let Value::Object(object) = value else {
                    return expected("an object", value);
                };
                object.iter().try_for_each(|(key, value)| {
                    within("{key}", self.key(map.key, key))?;
                    within(format_args!("{{{key}}}"), self.value(map.value, value))
                })
            }
            Shape::Struct(of) => self.fields(of, value),
            Shape::Enum(of) => self.one_of(of, value),
            Shape::Any | Shape::Opaque { .. } => Ok(()),
            Shape::Unknown => misfit("nothing is known of the shape"),
            Shape::Recursive { name, shape } => {
                let mut inner = self.clone();
                inner.outer.push((name, shape));
                inner.value(shape, value)
            }
            Shape::Ref(name) => {
                let Some(at) = self.outer.iter().rposition(|(known, _)| known == name) else {
                    return misfit(format!("a reference to `{name}`, which is not there"));
                };
                let outer = Self {
                    outer: self.outer[..=at].to_vec(),
                };
                outer.value(self.outer[at].1, value)
            }
        }
    }

    fn items<'a>(
        &self,
        items: &[Value],
        shapes: impl Iterator<Item = &'a Shape>,
    ) -> Result<(), Misfit> {
        let mut both = items.iter().zip(shapes).enumerate();
        both.try_for_each(|(at, (item, shape))| {
            within(format_args!("[{at}]"), self.value(shape, item))
        })
    }

    fn tuple(&self, places: &[Element], value: &Value) -> Result<(), Misfit> {
        let Value::Array(items) = value else {
            return expected("an array", value);
        };
        let needed = places
            .iter()
            .rposition(|place| place.default.is_none())
            .map_or(0, |last| last + 1);
        if !(needed..=places.len()).contains(&items.len()) {
            return misfit(format!("an array of {} items", items.len()));
        }
        self.items(items, places.iter().map(|place| place.shape))
    }

    /// A key is a string, of which a number or a bool is made.
    fn key(&self, shape: &Shape, key: &str) -> Result<(), Misfit> {
        let text = Value::from(key);
        match shape {
            Shape::Int(_) | Shape::Size { .. } | Shape::Float(_) | Shape::Bool => {
                match serde_json::from_str(key) {
                    Ok(value @ (Value::Number(_) | Value::Bool(_))) => self.value(shape, &value),
                    _ => expected("a key of another kind", &text),
                }
            }
            _ => self.value(shape, &text),
        }
    }

    fn fields(&self, of: &Struct, value: &Value) -> Result<(), Misfit> {
        match value {
            Value::Object(object) => self.object(of, object),
            // As serde reads them, by position.
            Value::Array(items) if of.fields.iter().all(|field| !field.flatten) => {
                let read: Vec<_> = of
                    .fields
                    .iter()
                    .filter(|field| !matches!(field.reads, Reads::Ignored))
                    .collect();
                let missing = read.get(items.len()..);
                if !missing.is_some_and(|missing| {
                    missing
                        .iter()
                        .all(|field| matches!(field.reads, Reads::Default(_)))
                }) {
                    return misfit(format!("an array of {} items", items.len()));
                }
                self.items(items, read.iter().map(|field| field.shape))
            }
            _ => expected("an object", value),
        }
    }

    fn object(&self, of: &Struct, object: &Object<String, Value>) -> Result<(), Misfit> {
        let mut left = object.clone();
        self.known(of.fields, &mut left)?;
        let mut free = false;
        for rest in rests(of.fields) {
            free = true;
            // What an enum takes it does not take away, nor what a map takes: each sees what no field has.
            self.value(rest, &Value::Object(left.clone()))?;
        }
        match left.keys().next() {
            Some(key) if of.deny_unknown_fields && !free => {
                misfit(format!("unknown field `{key}`"))
            }
            _ => Ok(()),
        }
    }

    /// Takes the keys of all fields, flattened ones included.
    fn known(&self, fields: &[Field], left: &mut Object<String, Value>) -> Result<(), Misfit> {
        for field in fields {
            if field.flatten {
                if let Shape::Struct(inner) = field.shape {
                    self.known(inner.fields, left)?;
                }
                continue;
            }
            if matches!(field.reads, Reads::Ignored) {
                continue;
            }
            let names = std::iter::once(&field.name)
                .chain(field.aliases.iter().filter(|alias| **alias != field.name));
            let mut found: Vec<_> = names.filter_map(|name| left.remove(*name)).collect();
            let step = format!(".{}", field.name);
            match (found.pop(), found.is_empty()) {
                (Some(value), true) => within(step, self.value(field.shape, &value))?,
                (Some(_), false) => return within(step, misfit("duplicate field")),
                (None, _) if matches!(field.reads, Reads::Required) => {
                    return within(step, misfit("missing field"));
                }
                (None, _) => {}
            }
        }
        Ok(())
    }

    fn one_of(&self, of: &Enum, value: &Value) -> Result<(), Misfit> {
        let read = || of.variants.iter().filter(|variant| variant.is_read);
        let other = || read().find(|variant| variant.other);
        let named = |name: &str| {
            read().find(|variant| variant.name == name || variant.aliases.contains(&name))
        };
        match of.tagging {
            Tagging::Untagged => {
                if read().any(|variant| self.body(variant, Some(value)).is_ok()) {
                    return Ok(());
                }
                expected("what one of the variants has", value)
            }
            Tagging::External => {
                let (name, content) = match value {
                    Value::String(name) => (name, None),
                    Value::Object(object) if object.len() == 1 => match object.iter().next() {
                        Some((name, content)) => (name, Some(content)),
                        None => return expected("a variant", value),
                    },
                    _ => return expected("a variant", value),
                };
                match named(name) {
                    Some(variant) => within(
                        format_args!("<{name}>"),
                        match (variant.body, content) {
                            (Body::Unit, None | Some(Value::Null)) => Ok(()),
                            (Body::Unit, Some(content)) => expected("no content", content),
                            (_, Some(content)) => self.body(variant, Some(content)),
                            (_, None) => expected("content", value),
                        },
                    ),
                    None if content.is_none_or(Value::is_null) && other().is_some() => Ok(()),
                    None => misfit(format!("unknown variant `{name}`")),
                }
            }
            Tagging::Internal { tag } => {
                let Some((name, mut object)) = tagged(value, tag) else {
                    return expected(&format!("an object with the tag `{tag}`"), value);
                };
                object.remove(tag);
                match named(&name) {
                    Some(variant) if variant.body == Body::Unit => Ok(()),
                    Some(variant) => within(
                        format_args!("<{name}>"),
                        self.body(variant, Some(&Value::Object(object))),
                    ),
                    None if other().is_some() => Ok(()),
                    None => misfit(format!("unknown variant `{name}`")),
                }
            }
            Tagging::Adjacent { tag, content } => {
                let Some((name, object)) = tagged(value, tag) else {
                    return expected(&format!("an object with the tag `{tag}`"), value);
                };
                match named(&name).or_else(other) {
                    Some(variant) => within(
                        format_args!("<{name}>"),
                        match (variant.body, object.get(content)) {
                            (Body::Newtype(Shape::Option(_)), None) => Ok(()),
                            (_, content) => self.body(variant, content),
                        },
                    ),
                    None => misfit(format!("unknown variant `{name}`")),
                }
            }
        }
    }

    /// What is in a variant apart from its name.
    fn body(&self, variant: &Variant, content: Option<&Value>) -> Result<(), Misfit> {
        match (variant.body, content) {
            (Body::Unit, None | Some(Value::Null)) => Ok(()),
            (Body::Unit, Some(content)) => expected("no content", content),
            (_, None) => misfit("missing content"),
            (Body::Newtype(shape), Some(content)) => self.value(shape, content),
            (Body::Tuple(places), Some(content)) => self.tuple(places, content),
            (Body::Struct(fields), Some(content)) => self.fields(&fields, content),
        }
    }
}

/// What is flattened and is no struct.
fn rests(fields: &'static [Field]) -> Vec<&'static Shape> {
    let flattened = fields.iter().filter(|field| field.flatten);
    flattened
        .flat_map(|field| match field.shape {
            Shape::Struct(inner) => rests(inner.fields),
            Shape::Null => Vec::new(),
            other => vec![other],
        })
        .collect()
}

fn tagged(value: &Value, tag: &str) -> Option<(String, Object<String, Value>)> {
    let object = value.as_object()?;
    Some((object.get(tag)?.as_str()?.to_owned(), object.clone()))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "it is asked whether it can be rounded"
)]
fn is_within(float: Float, number: f64) -> bool {
    match float {
        Float::F32 => (number as f32).is_finite(),
        Float::F64 => number.is_finite(),
    }
}

fn integer(int: &Int, value: &Value) -> Result<(), Misfit> {
    let fits = match value
        .as_u64()
        .map(i128::from)
        .or(value.as_i64().map(i128::from))
    {
        Some(number) => {
            number >= int.min && u128::try_from(number).map_or(true, |number| number <= int.max)
        }
        // Beyond 64 bits there is only what `f64` holds of it.
        None => int.is_wide() && value.as_f64().is_some_and(|number| number.fract() == 0.0),
    };
    if !fits || (int.nonzero && value.as_i64() == Some(0)) {
        return expected(
            &format!("an integer within {}..={}", int.min, int.max),
            value,
        );
    }
    Ok(())
}

fn has_format(format: Format, text: &str) -> bool {
    match format {
        // What a format of one's own means is not known here.
        Format::Any | Format::Named(_) => true,
        Format::Char => text.chars().count() == 1,
        Format::Uuid => is_uuid(text),
        Format::Date => time::is_date(text),
        Format::Time => time::is_time(text),
        Format::DateTime => time::is_with_offset(text),
        Format::NaiveDateTime => time::is_naive(text),
        Format::Ip => text.parse::<std::net::IpAddr>().is_ok(),
        Format::Ipv4 => text.parse::<std::net::Ipv4Addr>().is_ok(),
        Format::Ipv6 => text.parse::<std::net::Ipv6Addr>().is_ok(),
        Format::Socket => text.parse::<std::net::SocketAddr>().is_ok(),
        Format::SocketV4 => text.parse::<std::net::SocketAddrV4>().is_ok(),
        Format::SocketV6 => text.parse::<std::net::SocketAddrV6>().is_ok(),
    }
}

fn is_uuid(text: &str) -> bool {
    let digits = text.strip_prefix("urn:uuid:").unwrap_or(text);
    let digits: String = digits.chars().filter(|c| *c != '-').collect();
    digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}
