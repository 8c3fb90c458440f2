//! Values of parameters.

/// A value in a table.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// No value.
    Null,
    /// True or false; 1 or 0 where the database has no such type.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number.
    Real(f64),
    /// Text; also times, ids, JSON.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// The values of a statement's parameters.
pub trait Params {
    /// In the order of their numbers.
    fn into_values(self) -> Vec<Value>;
}
