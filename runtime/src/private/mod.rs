//! What the macros' code calls. Not part of the public interface: any version may change it.
//!
//! The macros write thin calls into these functions, so that the logic stands here, where it can be read, tested and
//! stepped through.

mod codec;
mod fold;
mod id;
pub mod locked;
mod own;
mod react;
mod released;
mod replay;
mod rules;
mod select;
mod shapes;

pub use codec::{
    Bytes, Codec, Encoded, Previous, Read, Stored, deserialize_event, encode, encode_empty,
    from_json, from_value, gather, gathered, json_step, read, serialize_event, to_value, unread,
};
pub use fold::{Handed, HandedMut, Start, snapshot_codec, unreachable};
pub use id::{check, check_text, parse};
pub use own::{not_given_up, reads_its_own};
pub use react::{Acted, Reacted, outcome, react};
pub use released::{must_be_named, not_applied, previous_is_named, reads_all};
pub use replay::{
    Decode, Replayed, create, create_at, envelope, evolve, evolve_at, passed_over, project,
    project_at, readable,
};
pub use rules::{
    EventList, Newest, NewestFallback, Unwrapped, distinct, follows, handled, mix, mix_all,
    mix_texts,
};
pub use select::{Probe, ProbeFallback, SelectorList, Selectors};
pub use shapes::{
    Comparable, DerivesValueObject, EventShape, FieldFallback, FieldProbe, Replaceable,
    ShapeFallback, ShapeProbe, Shapes, StateShape, StoredShape, deep, field, reads_released,
    value_object, variant,
};
pub use {serde, serde_json};

/// What an aggregate returns that names no error of its own.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

use crate::event::{Decoded, Event, Names, PayloadError, UpcastFrom, Upcasted};

/// Says that a newer version of the event follows. Written by `derive(Event)` for the type that it upcasts from.
pub trait Superseded {
    /// The newer version.
    type By;
}

/// Converts what an older type read, by `From` or `TryFrom`.
#[inline]
pub fn upcast<P, T: UpcastFrom<P>>(
    older: Result<Decoded<P>, PayloadError>,
    from: u32,
) -> Result<Decoded<T>, PayloadError> {
    older?.try_flat_map(|event| match T::upcast_from(event) {
        Ok(event) => Ok(Decoded::One(event)),
        Err(source) => Err(PayloadError::Upcast { from, source }),
    })
}

/// Converts what an older type read, by a function.
#[inline]
pub fn upcast_with<P, T: Event, U: Upcasted<T>>(
    older: Result<Decoded<P>, PayloadError>,
    from: u32,
    convert: impl Fn(P) -> U,
) -> Result<Decoded<T>, PayloadError> {
    older?.try_flat_map(|event| convert(event).upcasted(from))
}

/// Whether a stored event of this name reaches an older version of a type by a split, whatever its schema version says.
#[inline]
pub fn is_split(names: &Names, name: &str) -> bool {
    names.has_splits() && names.is_split(name)
}
