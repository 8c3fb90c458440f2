//! Statements that a projection writes its tables with.

mod value;

pub use value::{Params, Value};

/// The statements that a projection's methods ask for; they run in the transaction that saves the checkpoint.
#[derive(Debug, Default)]
pub struct Sql {
    batch: Batch,
}

/// Statements in their order.
#[derive(Debug, Default)]
pub struct Batch(Vec<(&'static str, Vec<Value>)>);

/// A statement and its values.
#[derive(Debug)]
pub struct Statement<'a> {
    /// Its text.
    pub text: &'a str,
    /// Its values.
    pub values: &'a [Value],
}

impl Batch {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Statement<'_>> {
        self.0
            .iter()
            .map(|(text, values)| Statement { text, values })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Sql {
    /// Without any.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for a statement, with a value for each of its parameters `$1`, `$2` and so on.
    pub fn run(&mut self, sql: &'static str, params: impl Params) {
        let mut values = Vec::new();
        params.add_to(&mut values);
        self.batch.0.push((sql, values));
    }

    /// The statements so far; none are left.
    pub fn take(&mut self) -> Batch {
        std::mem::take(&mut self.batch)
    }
}
