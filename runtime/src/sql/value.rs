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

impl From<&str> for Value {
    fn from(it: &str) -> Self {
        Self::Text(it.to_owned())
    }
}

impl From<String> for Value {
    fn from(it: String) -> Self {
        Self::Text(it)
    }
}

impl From<i64> for Value {
    fn from(it: i64) -> Self {
        Self::Integer(it)
    }
}

/// The values of a statement's parameters.
pub trait Params {
    /// Adds them in the order of their numbers.
    fn add_to(self, values: &mut Vec<Value>);
}

impl<A: Into<Value>> Params for (A,) {
    fn add_to(self, values: &mut Vec<Value>) {
        values.push(self.0.into());
    }
}

impl<A: Into<Value>, B: Into<Value>> Params for (A, B) {
    fn add_to(self, values: &mut Vec<Value>) {
        values.extend([self.0.into(), self.1.into()]);
    }
}
