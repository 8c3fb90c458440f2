//! What the macros' code calls. Not part of the public interface: any version may change it.
//!
//! The macros write thin calls into these functions, so that the logic stands here, where it can be read, tested and
//! stepped through.

mod replay;

pub use replay::{create, create_at, evolve, evolve_at, passed_over, project, project_at};
pub use {serde, serde_json};

use crate::event::{Decoded, Event, PayloadError, UpcastFrom, Upcasted};

/// Reads a payload of the current version.
#[inline]
pub fn from_json<E: serde::de::DeserializeOwned>(
    payload: &[u8],
) -> Result<Decoded<E>, PayloadError> {
    Ok(Decoded::One(serde_json::from_slice(payload)?))
}

/// Converts what an older type read, by `From` or `TryFrom`.
pub fn upcast<P, T: UpcastFrom<P>>(
    older: Decoded<P>,
    from: u32,
) -> Result<Decoded<T>, PayloadError> {
    older.try_flat_map(|event| match T::upcast_from(event) {
        Ok(event) => Ok(Decoded::One(event)),
        Err(source) => Err(PayloadError::Upcast { from, source }),
    })
}

/// Converts what an older type read, by a function.
pub fn upcast_with<P, T: Event, U: Upcasted<T>>(
    older: Decoded<P>,
    from: u32,
    convert: impl Fn(P) -> U,
) -> Result<Decoded<T>, PayloadError> {
    older.try_flat_map(|event| convert(event).upcasted(from))
}
