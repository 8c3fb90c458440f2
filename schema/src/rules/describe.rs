//! Shapes in short words.

use crate::text::Text;
use crate::{Enum, Float, Format, Int, Shape, Tagging};

/// The kind of a shape: `integer`.
pub(super) const fn kind(shape: &Shape) -> Text<48> {
    let text = Text::new();
    match shape {
        Shape::Null => text.with("null"),
        Shape::Bool => text.with("bool"),
        Shape::Int(_) | Shape::Size { .. } => text.with("integer"),
        Shape::Float(float) => text.with(width(*float)),
        Shape::String(format) => text.with(name(*format)),
        Shape::Option(inner) => kind(inner).with(" or null"),
        Shape::Seq(seq) => match seq.len {
            Some(len) => text.with("array of ").with_number(len as u128),
            None if seq.unique => text.with("set"),
            None => text.with("list"),
        },
        Shape::Tuple(places) => text.with("array of ").with_number(places.len() as u128),
        Shape::Map(_) => text.with("map"),
        Shape::Struct(_) => text.with("struct"),
        Shape::Enum(_) => text.with("enum"),
        Shape::Any => text.with("any JSON"),
        Shape::Opaque { name, version } => text.with(name).with("@").with_number(*version as u128),
        Shape::Unknown => text.with("unknown"),
        Shape::Recursive { shape, .. } => kind(shape),
        Shape::Ref(name) => text.with("reference to ").with(name),
    }
}

/// `u16 0..=65535`.
pub(super) const fn range(int: &Int) -> Text<48> {
    let known = match (int.min, int.max) {
        (0, 0xff) => "u8 ",
        (0, 0xffff) => "u16 ",
        (0, 0xffff_ffff) => "u32 ",
        (0, 0xffff_ffff_ffff_ffff) => "u64 ",
        // The numbers would not say more, and do not fit.
        (0, u128::MAX) => return Text::new().with("u128"),
        (-0x80, 0x7f) => "i8 ",
        (-0x8000, 0x7fff) => "i16 ",
        (-0x8000_0000, 0x7fff_ffff) => "i32 ",
        (-0x8000_0000_0000_0000, 0x7fff_ffff_ffff_ffff) => "i64 ",
        (i128::MIN, 0x7fff_ffff_ffff_ffff_ffff_ffff_ffff_ffff) => return Text::new().with("i128"),
        _ => "",
    };
    let mut text = Text::new();
    if int.nonzero {
        text.push("nonzero ");
    }
    text.push(known);
    if int.min < 0 {
        text.push("-");
    }
    text.push_number(int.min.unsigned_abs());
    text.push("..=");
    text.push_number(int.max);
    text
}

pub(super) const fn width(float: Float) -> &'static str {
    match float {
        Float::F32 => "f32",
        Float::F64 => "f64",
    }
}

pub(crate) const fn name(format: Format) -> &'static str {
    match format {
        Format::Any => "string",
        Format::Char => "char",
        Format::Uuid => "uuid",
        Format::Date => "date",
        Format::Time => "time",
        Format::DateTime => "date-time",
        Format::NaiveDateTime => "date-time without offset",
        Format::Ip => "IP address",
        Format::Ipv4 => "IPv4 address",
        Format::Ipv6 => "IPv6 address",
        Format::Socket => "socket address",
        Format::SocketV4 => "IPv4 socket address",
        Format::SocketV6 => "IPv6 socket address",
        Format::Named(name) => name,
    }
}

/// `tag "kind", content "data"`.
pub(super) const fn tagging(of: &Enum) -> Text<48> {
    let text = Text::new();
    match of.tagging {
        Tagging::External => text.with("the name as key"),
        Tagging::Internal { tag } => text.with("tag ").with(tag),
        Tagging::Adjacent { tag, content } => {
            text.with("tag ").with(tag).with(", content ").with(content)
        }
        Tagging::Untagged => text.with("untagged"),
    }
}

/// A word or two of ours.
pub(super) const fn word(text: &str) -> Text<48> {
    Text::new().with(text)
}
