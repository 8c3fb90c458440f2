//! Shapes as Rust.

use std::fmt::Write as _;

use crate::private::terms;
use crate::{Body, Element, Enum, Field, Int, Reads, Seq, Shape, Struct, Tagging, Written};

/// An expression of Rust that is a reference to the shape, for constants that macros make; `krate` is the path of this crate. It is
/// as short as can be: what the compiler checks costs by the word.
///
/// ```
/// use recount_schema::{Shaped, lock::expression};
///
/// let text = expression(<Vec<u8>>::SHAPE, "::recount_schema");
/// assert_eq!(text, "{ use ::recount_schema::private::terms::*; &Shape::seq(U8) }");
/// ```
pub fn expression(shape: &Shape, krate: &str) -> String {
    format!("{{ use {krate}::private::terms::*; {} }}", kept(shape))
}

fn list<T>(items: &[T], print: impl Fn(&T) -> String) -> String {
    let items: Vec<_> = items.iter().map(print).collect();
    format!("&[{}]", items.join(", "))
}

/// A reference to a shape.
fn kept(shape: &Shape) -> String {
    let known = terms::ALL.iter().find(|(_, known)| *known == shape);
    if let Some((term, _)) = known {
        return (*term).to_owned();
    }
    let inner = match shape {
        Shape::Null | Shape::Bool | Shape::Any | Shape::Unknown => format!("{shape:?}"),
        Shape::Int(Int { min, max, nonzero }) => {
            format!("Int(Int {{ min: {min}i128, max: {max}u128, nonzero: {nonzero} }})")
        }
        Shape::Size { signed } => format!("Size {{ signed: {signed} }}"),
        Shape::Float(float) => format!("Float(Float::{float:?})"),
        Shape::String(format) => format!("String(Format::{format:?})"),
        Shape::Option(inner) => format!("Option({})", kept(inner)),
        Shape::Seq(Seq { item, len, unique }) => {
            let item = kept(item);
            match (len, unique) {
                (None, false) => format!("seq({item})"),
                (None, true) => format!("set({item})"),
                (Some(len), false) => format!("array({item}, {len}usize)"),
                (Some(len), true) => format!(
                    "Seq(Seq {{ item: {item}, len: ::core::option::Option::Some({len}usize), unique: true }})"
                ),
            }
        }
        Shape::Tuple(places) => format!("Tuple({})", tuple(places)),
        Shape::Map(map) => {
            let (key, value) = (kept(map.key), kept(map.value));
            format!("map({key}, {value})")
        }
        Shape::Struct(of) => format!("Struct({})", object(of)),
        Shape::Enum(of) => format!("Enum({})", one_of(of)),
        Shape::Opaque { name, version } => {
            format!("Opaque {{ name: {name:?}, version: {version}u32 }}")
        }
        Shape::Recursive { name, shape } => {
            format!("Recursive {{ name: {name:?}, shape: {} }}", kept(shape))
        }
        Shape::Ref(name) => format!("Ref({name:?})"),
    };
    format!("&Shape::{inner}")
}

fn tuple(places: &[Element]) -> String {
    list(places, |place| {
        let mut text = format!("Element::new({})", kept(place.shape));
        if let Some(default) = place.default {
            // Writing into a `String` does not fail.
            let _ = write!(text, ".with_default({default:?})");
        }
        text
    })
}

fn object(of: &Struct) -> String {
    let fields = list(of.fields, key);
    let deny = if of.deny_unknown_fields {
        ".denying_unknown_fields()"
    } else {
        ""
    };
    format!("Struct::new({fields}){deny}")
}

fn key(field: &Field) -> String {
    let shape = kept(field.shape);
    let mut text = format!("Field::new({:?}, {shape})", field.name);
    if !field.aliases.is_empty() {
        let _ = write!(text, ".aliases(&{:?})", field.aliases);
    }
    match field.written {
        Written::Always => {}
        other => {
            let _ = write!(text, ".written(Written::{other:?})");
        }
    }
    let _ = match field.reads {
        Reads::Required => Ok(()),
        Reads::Optional => write!(text, ".optional_if(true)"),
        Reads::Default(default) => write!(text, ".default({default:?})"),
        Reads::Ignored => write!(text, ".ignored()"),
    };
    if field.flatten {
        text.push_str(".flattened()");
    }
    text
}

fn one_of(of: &Enum) -> String {
    let tagging = match of.tagging {
        Tagging::External => "External".to_owned(),
        Tagging::Internal { tag } => format!("Internal {{ tag: {tag:?} }}"),
        Tagging::Adjacent { tag, content } => {
            format!("Adjacent {{ tag: {tag:?}, content: {content:?} }}")
        }
        Tagging::Untagged => "Untagged".to_owned(),
    };
    let variants = list(of.variants, |variant| {
        let body = match variant.body {
            Body::Unit => "Unit".to_owned(),
            Body::Newtype(shape) => format!("Newtype({})", kept(shape)),
            Body::Tuple(places) => format!("Tuple({})", tuple(places)),
            Body::Struct(of) => format!("Struct({})", object(&of)),
        };
        let mut text = format!("Variant::new({:?}, Body::{body})", variant.name);
        if !variant.aliases.is_empty() {
            let _ = write!(text, ".aliases(&{:?})", variant.aliases);
        }
        if variant.other {
            text.push_str(".other()");
        }
        let (is_written, is_read) = (variant.is_written, variant.is_read);
        if !(is_written && is_read) {
            let _ = write!(text, ".kept({is_written}, {is_read})");
        }
        text
    });
    if of.tagging == Tagging::External {
        return format!("Enum::new({variants})");
    }
    format!("Enum::new({variants}).tagged(Tagging::{tagging})")
}
