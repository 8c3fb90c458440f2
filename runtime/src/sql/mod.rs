//! Statements that a projection writes its tables with.

mod value;

pub use value::{Params, Value};

/// The statements that a projection's methods ask for; they run in the transaction that saves the checkpoint.
#[derive(Debug, Default)]
pub struct Sql {
    statements: Vec<(&'static str, Vec<Value>)>,
}

impl Sql {
    /// Asks for a statement, with a value for each of its parameters `$1`, `$2` and so on.
    pub fn run(&mut self, sql: &'static str, params: impl Params) {
        self.statements.push((sql, params.into_values()));
    }
}
