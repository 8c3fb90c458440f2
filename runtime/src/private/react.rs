//! Reading a stored event and handing it to the method that acts on it.

use super::{BoxError, Decode};
use crate::event::DecodeError;
use crate::log::Record;
use crate::reaction::ReactionError;

/// What acting on an event gives.
pub type Reacted = Result<(), ReactionError>;

/// Hands each event that a record is read as to a reaction's method, one after the other.
pub async fn react<E, F: Future<Output = Reacted>>(
    record: &Record<'_>,
    decode: impl Decode<E>,
    method: impl Fn(E) -> F,
) -> Reacted {
    let events = decode((*record).into()).map_err(|error| DecodeError::at(record, error))?;
    for event in events {
        method(event).await?;
    }
    Ok(())
}

/// What a reaction's method may return.
#[diagnostic::on_unimplemented(
    message = "a method that acts returns nothing, or `Result<(), E>` with an error `E`, not `{Self}`",
    label = "write `Result<(), E>` here, or nothing",
    note = "an error is a type that implements `std::error::Error + Send + Sync`, or a `String`, or a `Box<dyn Error + Send + Sync>`"
)]
pub trait Acted {
    /// Whether it has failed.
    fn reacted(self) -> Reacted;
}

impl Acted for () {
    fn reacted(self) -> Reacted {
        Ok(())
    }
}

#[diagnostic::do_not_recommend]
impl<E: Into<BoxError>> Acted for Result<(), E> {
    fn reacted(self) -> Reacted {
        self.map_err(|error| ReactionError::Failed(error.into()))
    }
}

/// Whether a reaction's method has failed.
pub fn outcome<R: Acted>(returned: R) -> Reacted {
    returned.reacted()
}
