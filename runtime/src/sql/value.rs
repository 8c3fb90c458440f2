//! The values that statements are given.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use uuid::Uuid;

use crate::log::{EventId, Position, TenantId, Version};

/// A value that a statement is given.
///
/// Made from what Rust has for it, `None` included. The database takes it as the type of its column: a time, an id or JSON, which
/// are text here, as `timestamptz`, `uuid` or `jsonb`.
///
/// ```
/// use recount::sql::Value;
///
/// assert_eq!(Value::from(7_u32), Value::Integer(7));
/// assert_eq!(Value::from(Some("Jane")), Value::Text("Jane".into()));
/// assert_eq!(Value::from(None::<bool>), Value::Null);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// No value.
    Null,
    /// True or false; 1 or 0 on SQLite, which has no such type.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number.
    Real(f64),
    /// Text; times too, as in `2026-03-01T12:00:00.000000Z`, which sorts by time.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl Value {
    #[cfg(feature = "sqlite")]
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Blob(bytes) => bytes.len(),
            _ => size_of::<i64>(),
        }
    }
}

macro_rules! from {
    ($($from:ty => |$it:ident| $value:expr;)*) => {$(
        impl From<$from> for Value {
            fn from($it: $from) -> Self {
                $value
            }
        }
    )*};
}

from! {
    bool => |it| Self::Bool(it);
    i8 => |it| Self::Integer(it.into());
    i16 => |it| Self::Integer(it.into());
    i32 => |it| Self::Integer(it.into());
    i64 => |it| Self::Integer(it);
    u8 => |it| Self::Integer(it.into());
    u16 => |it| Self::Integer(it.into());
    u32 => |it| Self::Integer(it.into());
    // What is too large for a database's integer is left to the column.
    u64 => |it| i64::try_from(it).map_or_else(|_| Self::Text(it.to_string()), Self::Integer);
    usize => |it| Self::from(it as u64);
    f32 => |it| Self::Real(it.into());
    f64 => |it| Self::Real(it);
    &str => |it| Self::Text(it.to_owned());
    &String => |it| Self::Text(it.clone());
    String => |it| Self::Text(it);
    Cow<'_, str> => |it| Self::Text(it.into_owned());
    &[u8] => |it| Self::Blob(it.to_vec());
    Vec<u8> => |it| Self::Blob(it);
    Uuid => |it| Self::Text(it.to_string());
    EventId => |it| Self::Text(it.to_string());
    &TenantId => |it| Self::Text(it.to_string());
    Position => |it| Self::from(it.0);
    Version => |it| Self::from(it.0);
    DateTime<Utc> => |it| Self::Text(it.to_rfc3339_opts(SecondsFormat::Micros, true));
    NaiveDate => |it| Self::Text(it.to_string());
    &serde_json::Value => |it| Self::Text(it.to_string());
    serde_json::Value => |it| Self::Text(it.to_string());
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(it: Option<T>) -> Self {
        it.map_or(Self::Null, Into::into)
    }
}

/// The values of a statement's parameters: a tuple of up to twelve, an array or a slice of [`Value`]s, or `()` for none.
///
/// ```
/// use recount::sql::Params;
///
/// fn count(params: impl Params) -> usize {
///     let mut values = Vec::new();
///     params.add_to(&mut values);
///     values.len()
/// }
/// assert_eq!(count(("t-1", 3, Some(true))), 3);
/// assert_eq!(count(()), 0);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no list of values for a statement",
    note = "write a tuple, one value as well: `(value,)`, none as `()`; of what can be made a `recount::sql::Value`"
)]
pub trait Params {
    /// Adds them in the order of their numbers.
    fn add_to(self, values: &mut Vec<Value>);
}

impl Params for () {
    fn add_to(self, _: &mut Vec<Value>) {}
}

impl Params for &[Value] {
    fn add_to(self, values: &mut Vec<Value>) {
        values.extend_from_slice(self);
    }
}

impl Params for Vec<Value> {
    fn add_to(self, values: &mut Vec<Value>) {
        values.extend(self);
    }
}

impl<const N: usize> Params for [Value; N] {
    fn add_to(self, values: &mut Vec<Value>) {
        values.extend(self);
    }
}

macro_rules! tuples {
    ($($name:ident)+) => {
        impl<$($name: Into<Value>),+> Params for ($($name,)+) {
            #[allow(non_snake_case)]
            fn add_to(self, values: &mut Vec<Value>) {
                let ($($name,)+) = self;
                values.extend([$($name.into()),+]);
            }
        }
    };
}

tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
tuples!(A B C D E F G);
tuples!(A B C D E F G H);
tuples!(A B C D E F G H I);
tuples!(A B C D E F G H I J);
tuples!(A B C D E F G H I J K);
tuples!(A B C D E F G H I J K L);
