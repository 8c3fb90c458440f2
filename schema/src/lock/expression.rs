//! Shapes as Rust.

use std::fmt::Write as _;

use crate::{Body, Element, Enum, Field, Format, Int, Reads, Seq, Shape, Struct, Tagging, Written};

/// An expression of Rust that is the shape, for constants that macros make; `krate` is the path of this crate. It is as short as can
/// be: what the compiler checks costs by the expression.
///
/// ```
/// use recount_schema::{Shaped, lock::expression};
///
/// let text = expression(<Option<u8>>::SHAPE, "::recount_schema");
/// assert_eq!(text, "::recount_schema::Shape::Option(&::recount_schema::Shape::Int(::recount_schema::Int::U8))");
/// ```
pub fn expression(shape: &Shape, krate: &str) -> String {
    Printer { krate }.shape(shape)
}

struct Printer<'a> {
    krate: &'a str,
}

fn list<T>(items: &[T], print: impl Fn(&T) -> String) -> String {
    let items: Vec<_> = items.iter().map(print).collect();
    format!("&[{}]", items.join(", "))
}

impl Printer<'_> {
    fn shape(&self, shape: &Shape) -> String {
        let krate = self.krate;
        let inner = match shape {
            Shape::Null | Shape::Bool | Shape::Any | Shape::Unknown => format!("{shape:?}"),
            Shape::Int(int) => format!("Int({})", self.int(*int)),
            Shape::Size { signed } => format!("Size {{ signed: {signed} }}"),
            Shape::Float(float) => format!("Float({krate}::Float::{float:?})"),
            Shape::String(Format::Any) => "STRING".to_owned(),
            Shape::String(Format::Named(name)) => {
                format!("String({krate}::Format::Named({name:?}))")
            }
            Shape::String(format) => format!("String({krate}::Format::{format:?})"),
            Shape::Option(inner) => format!("Option(&{})", self.shape(inner)),
            Shape::Seq(Seq { item, len, unique }) => {
                let item = self.shape(item);
                match (len, unique) {
                    (None, false) => format!("seq(&{item})"),
                    (None, true) => format!("set(&{item})"),
                    (Some(len), false) => format!("array(&{item}, {len}usize)"),
                    (Some(len), true) => format!(
                        "Seq({krate}::Seq {{ item: &{item}, len: ::core::option::Option::Some({len}usize), unique: true }})"
                    ),
                }
            }
            Shape::Tuple(places) => format!("Tuple({})", self.places(places)),
            Shape::Map(map) => {
                let (key, value) = (self.shape(map.key), self.shape(map.value));
                format!("map(&{key}, &{value})")
            }
            Shape::Struct(of) => format!("Struct({})", self.fields(of)),
            Shape::Enum(of) => format!("Enum({})", self.one_of(of)),
            Shape::Opaque { name, version } => {
                format!("Opaque {{ name: {name:?}, version: {version}u32 }}")
            }
            Shape::Recursive { name, shape } => {
                format!(
                    "Recursive {{ name: {name:?}, shape: &{} }}",
                    self.shape(shape)
                )
            }
            Shape::Ref(name) => format!("Ref({name:?})"),
        };
        format!("{krate}::Shape::{inner}")
    }

    fn int(&self, int: Int) -> String {
        let krate = self.krate;
        let known = NAMED.iter().find(|(_, known)| *known == int);
        if let Some((name, _)) = known {
            return format!("{krate}::Int::{name}");
        }
        let Int { min, max, nonzero } = int;
        format!("{krate}::Int {{ min: {min}i128, max: {max}u128, nonzero: {nonzero} }}")
    }

    fn places(&self, places: &[Element]) -> String {
        list(places, |place| {
            let mut text = format!("{}::Element::new(&{})", self.krate, self.shape(place.shape));
            if let Some(default) = place.default {
                // Writing into a `String` does not fail.
                let _ = write!(text, ".with_default({default:?})");
            }
            text
        })
    }

    fn fields(&self, of: &Struct) -> String {
        let fields = list(of.fields, |field| self.field(field));
        let deny = if of.deny_unknown_fields {
            ".denying_unknown_fields()"
        } else {
            ""
        };
        format!("{}::Struct::new({fields}){deny}", self.krate)
    }

    fn field(&self, field: &Field) -> String {
        let krate = self.krate;
        let shape = self.shape(field.shape);
        let mut text = format!("{krate}::Field::new({:?}, &{shape})", field.name);
        if !field.aliases.is_empty() {
            let _ = write!(text, ".aliases(&{:?})", field.aliases);
        }
        match field.written {
            Written::Always => {}
            other => {
                let _ = write!(text, ".written({krate}::Written::{other:?})");
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

    fn one_of(&self, of: &Enum) -> String {
        let krate = self.krate;
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
                Body::Newtype(shape) => format!("Newtype(&{})", self.shape(shape)),
                Body::Tuple(places) => format!("Tuple({})", self.places(places)),
                Body::Struct(of) => format!("Struct({})", self.fields(&of)),
            };
            let mut text = format!(
                "{krate}::Variant::new({:?}, {krate}::Body::{body})",
                variant.name
            );
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
            return format!("{krate}::Enum::new({variants})");
        }
        format!("{krate}::Enum::new({variants}).tagged({krate}::Tagging::{tagging})")
    }
}

/// Bounds that have a name.
const NAMED: [(&str, Int); 12] = [
    ("U8", Int::U8),
    ("U16", Int::U16),
    ("U32", Int::U32),
    ("U64", Int::U64),
    ("U128", Int::U128),
    ("I8", Int::I8),
    ("I16", Int::I16),
    ("I32", Int::I32),
    ("I64", Int::I64),
    ("I128", Int::I128),
    ("NONZERO_U32", Int::NONZERO_U32),
    ("NONZERO_U64", Int::NONZERO_U64),
];
