//! What ids check.

use std::fmt::Display;
use std::str::FromStr;

use crate::IdError;
use crate::log::StreamId;

/// Checks a text against what every stream's id must be.
pub fn check_text(what: &'static str, text: &str) -> Result<(), IdError> {
    let reason = if text.is_empty() {
        "it is empty".to_owned()
    } else if text.contains('\0') {
        "it holds a NUL character".to_owned()
    } else if text.len() > StreamId::MAX_ID_BYTES {
        format!(
            "it has {} bytes, and an id at most {}",
            text.len(),
            StreamId::MAX_ID_BYTES
        )
    } else {
        return Ok(());
    };
    Err(IdError::new(what, text, reason))
}

/// Hands a value to the function given as `check = …`.
pub fn check<T: Display + ?Sized, X: Display>(
    what: &'static str,
    value: &T,
    check: impl Fn(&T) -> Result<(), X>,
) -> Result<(), IdError> {
    check(value).map_err(|reason| IdError::new(what, value, reason))
}

/// Reads a number or UUID from text.
pub fn parse<T: FromStr<Err: Display>>(what: &'static str, text: &str) -> Result<T, IdError> {
    text.parse()
        .map_err(|reason| IdError::new(what, text, reason))
}
