//! Ids of aggregates: newtypes that name their stream.

use std::fmt;

/// The id of an aggregate's instance. Derive it on a newtype over `String`, `Uuid` or an integer.
///
/// The derive adds `Display`, `FromStr`, serde and a checked constructor; the text form is the id part of the stream's name.
///
/// ```
/// use recount::prelude::*;
///
/// #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
/// pub struct AccountId(String);
///
/// let id = AccountId::new("account_001")?;
/// assert_eq!(id.to_string(), "account_001");
/// assert!(AccountId::new("").is_err());
/// # Ok::<(), recount::IdError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an id",
    note = "write `#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]` on `{Self}`, or, if that is not yours, on a newtype: `struct SomeId({Self});`"
)]
pub trait Id:
    Clone + fmt::Debug + fmt::Display + std::str::FromStr<Err = IdError> + Send + Sync + 'static
{
    /// The id part of the stream's name.
    fn to_stream(&self) -> std::sync::Arc<str> {
        self.to_string().into()
    }
}

/// Why a text or value is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not a valid {what}: {reason}")]
#[non_exhaustive]
pub struct IdError {
    /// The id's type.
    pub what: &'static str,
    /// What was given, cut to 64 characters.
    pub value: String,
    /// Why it was refused.
    pub reason: String,
}

impl IdError {
    /// Says that `value` is no `what`.
    pub fn new(what: &'static str, value: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self {
            what,
            value: value.to_string().chars().take(64).collect(),
            reason: reason.to_string(),
        }
    }
}
