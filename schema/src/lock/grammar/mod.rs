//! Shapes as JSON.
//!
//! | shape | JSON |
//! |---|---|
//! | `null`, `bool`, `u8` … `i128`, `usize`, `isize`, `f32`, `f64`, `string`, `any`, `unknown` | the name |
//! | a string of a format | its name: `char`, `uuid`, `date`, `time`, `date-time`, …; `{"format": "url"}` |
//! | other bounds | `{"integer": {"min": "1", "max": "10", "nonzero": false}}` |
//! | `Option<T>` | `{"option": T}` |
//! | lists, sets, arrays | `{"list": T}`, `{"set": T}`, `{"array": T, "length": 3}` |
//! | tuples | `{"tuple": [T, {"default": "0", "shape": T}]}` |
//! | maps | `{"map": {"key": T, "value": T}}` |
//! | structs | `{"struct": {"name": {"shape": T, "write": "maybe", "read": "optional", "aliases": []}}, "deny_unknown_fields": true, "flatten": [T]}` |
//! | enums | `{"enum": {"Name": {"content": T, "other": true}}, "tag": "t", "content": "c"}`, `{"untagged": [{"content": T}]}` |
//! | others | `{"opaque": "geo::Point", "version": 1}`, `{"recursive": "r0", "shape": T}`, `{"reference": "r0"}` |
//!
//! What makes no difference in JSON makes none here: fields of flattened structs stand with the others, fields that are neither
//! written nor read stand nowhere, variants hold a struct or its fields alike, and recursive shapes are numbered.

mod read;
mod write;

use std::collections::BTreeMap;

use serde_json::Value;

pub(super) use read::{Unreadable, read};
pub(super) use write::write;

use crate::{Float, Format, Int, Shape};

/// The names of shapes that need no more.
const NAMED: &[(&str, Shape)] = &[
    ("null", Shape::Null),
    ("bool", Shape::Bool),
    ("u8", Shape::Int(Int::U8)),
    ("u16", Shape::Int(Int::U16)),
    ("u32", Shape::Int(Int::U32)),
    ("u64", Shape::Int(Int::U64)),
    ("u128", Shape::Int(Int::U128)),
    ("i8", Shape::Int(Int::I8)),
    ("i16", Shape::Int(Int::I16)),
    ("i32", Shape::Int(Int::I32)),
    ("i64", Shape::Int(Int::I64)),
    ("i128", Shape::Int(Int::I128)),
    ("usize", Shape::Size { signed: false }),
    ("isize", Shape::Size { signed: true }),
    ("f32", Shape::Float(Float::F32)),
    ("f64", Shape::Float(Float::F64)),
    ("string", Shape::STRING),
    ("char", Shape::String(Format::Char)),
    ("uuid", Shape::String(Format::Uuid)),
    ("date", Shape::String(Format::Date)),
    ("time", Shape::String(Format::Time)),
    ("date-time", Shape::String(Format::DateTime)),
    ("naive-date-time", Shape::String(Format::NaiveDateTime)),
    ("ip", Shape::String(Format::Ip)),
    ("ipv4", Shape::String(Format::Ipv4)),
    ("ipv6", Shape::String(Format::Ipv6)),
    ("socket", Shape::String(Format::Socket)),
    ("socket-v4", Shape::String(Format::SocketV4)),
    ("socket-v6", Shape::String(Format::SocketV6)),
    ("any", Shape::Any),
    ("unknown", Shape::Unknown),
];

/// JSON with its keys in order, whatever order `serde_json` keeps, and two spaces.
pub(super) fn print(value: &Value, depth: usize, text: &mut String) {
    let line = |depth: usize, text: &mut String| {
        text.push('\n');
        text.push_str(&"  ".repeat(depth));
    };
    match value {
        Value::Object(object) if !object.is_empty() => {
            let sorted: BTreeMap<_, _> = object.iter().collect();
            text.push('{');
            for (at, (key, value)) in sorted.into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                line(depth + 1, text);
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push_str(": ");
                print(value, depth + 1, text);
            }
            line(depth, text);
            text.push('}');
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                line(depth + 1, text);
                print(item, depth + 1, text);
            }
            line(depth, text);
            text.push(']');
        }
        plain => text.push_str(&plain.to_string()),
    }
}
