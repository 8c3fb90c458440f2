//! Statements on their way to a database.

use std::sync::Arc;

use super::{Params, Value};
use crate::log::Position;

/// Statements in the order in which they are to run.
///
/// ```
/// let mut sql = recount::sql::Sql::new();
/// sql.run("DELETE FROM {board}", ());
/// assert_eq!(sql.take().len(), 1);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Batch {
    texts: Vec<Arc<str>>,
    /// Each with the index of its text, and where its values end.
    statements: Vec<(Position, usize, usize)>,
    values: Vec<Value>,
}

/// One of a [`Batch`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Statement<'a> {
    /// The event that it was asked for by; 0 for none.
    pub position: Position,
    /// The text, with the real names of the tables.
    pub text: &'a str,
    /// The values of `$1`, `$2` and so on.
    pub values: &'a [Value],
}

impl Batch {
    /// Adds a text that statements can have, and tells its number.
    pub(super) fn add_text(&mut self, text: Arc<str>) -> usize {
        self.texts.push(text);
        self.texts.len() - 1
    }

    pub(super) fn push(&mut self, position: Position, text: usize, values: impl Params) {
        values.add_to(&mut self.values);
        self.statements.push((position, text, self.values.len()));
    }

    /// Adds a statement without values, which belongs to no event.
    pub(crate) fn push_text(&mut self, text: String) {
        let text = self.add_text(text.into());
        self.push(Position::START, text, ());
    }

    /// Puts another batch behind this one.
    pub(crate) fn extend(&mut self, other: &Self) {
        for statement in other.iter() {
            let text = self.add_text(statement.text.into());
            self.push(statement.position, text, statement.values);
        }
    }

    /// The statements; the texts stay known here.
    pub(super) fn take(&mut self) -> Self {
        Self {
            texts: self.texts.clone(),
            statements: std::mem::take(&mut self.statements),
            values: std::mem::take(&mut self.values),
        }
    }

    /// Forgets the statements behind so many.
    pub(super) fn truncate(&mut self, len: usize) {
        self.statements.truncate(len);
        let values = self.statements.last().map_or(0, |(.., end)| *end);
        self.values.truncate(values);
    }

    /// One after another.
    pub fn iter(&self) -> impl Iterator<Item = Statement<'_>> {
        let mut begin = 0;
        self.statements.iter().map(move |&(position, text, end)| {
            let values = self.values.get(begin..end).unwrap_or_default();
            begin = end;
            let text = self.texts.get(text).map_or("", |text| &**text);
            Statement {
                position,
                text,
                values,
            }
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.statements.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// About how many bytes their values have.
    #[cfg(feature = "sqlite")]
    pub(crate) fn bytes(&self) -> usize {
        self.values.iter().map(Value::bytes).sum()
    }
}
