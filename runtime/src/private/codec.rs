//! Payloads as JSON, and the aggregate's enum as a value of its own.

use serde::de::{DeserializeOwned, Error as _};
use serde::ser::{Error as _, SerializeStruct};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::event::{
    Decoded, Event, Names, PayloadError, StoredEvent, UpcastedJson, Versioned, to_json,
};

/// What every struct event must be, so that it can be stored and read back.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored: it does not implement `Serialize` and `Deserialize`",
    label = "cannot be stored",
    note = "write `#[derive(Serialize, Deserialize)]` on `{Self}`"
)]
pub trait Stored: Sized {
    /// By serde.
    const CODEC: Codec<Self>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Stored for T {
    const CODEC: Codec<Self> = Codec {
        encode: to_json,
        decode: from_json,
        convert: from_value,
    };
}

/// How a type is written and read. A constant of the event, so that a type without serde is reported once, there.
#[derive(Debug, Clone, Copy)]
pub struct Codec<E> {
    /// To JSON.
    pub encode: fn(&E, &mut Vec<u8>) -> Result<(), PayloadError>,
    /// From JSON.
    pub decode: fn(&[u8]) -> Result<Decoded<E>, PayloadError>,
    /// From JSON that was converted step by step.
    pub convert: fn(Value) -> Result<Decoded<E>, PayloadError>,
}

/// Reads a payload of the current version.
#[inline]
pub fn from_json<E: DeserializeOwned>(payload: &[u8]) -> Result<Decoded<E>, PayloadError> {
    Ok(Decoded::One(serde_json::from_slice(payload)?))
}

/// Reads a payload that was converted step by step.
pub fn from_value<E: DeserializeOwned>(value: Value) -> Result<Decoded<E>, PayloadError> {
    Ok(Decoded::One(E::deserialize(value)?))
}

/// Appends a value as JSON text.
#[inline]
pub fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), PayloadError> {
    to_json(value, out)
}

/// What a type given as `upcast_from` is: a struct event. It is one trait, so that a type that is none is reported once.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no event that another could be upcast from",
    label = "not a struct with `#[derive(Event)]`",
    note = "write `#[derive(Serialize, Deserialize, Event)]` on the struct `{Self}`"
)]
pub trait Previous: Sized {
    /// Its stored name.
    const NAME: &'static str;
    /// Its version.
    const VERSION: u32;
    /// All its stored names.
    const NAMES: Names;
    /// The oldest version that it reads.
    const OLDEST: u32;
    /// Its shape.
    const FINGERPRINT: u64;
    /// Reads a stored event as this type.
    fn read(stored: StoredEvent<'_>) -> Result<Decoded<Self>, PayloadError>;
}

#[diagnostic::do_not_recommend]
impl<T: Versioned> Previous for T {
    const NAME: &'static str = <T as Versioned>::NAME;
    const VERSION: u32 = <T as Versioned>::VERSION;
    const NAMES: Names = <T as Event>::NAMES;
    const OLDEST: u32 = <T as Event>::SHAPES.oldest(<T as Versioned>::VERSION);
    const FINGERPRINT: u64 = <T as Event>::FINGERPRINT;

    #[inline]
    fn read(stored: StoredEvent<'_>) -> Result<Decoded<Self>, PayloadError> {
        T::decode(stored)
    }
}

/// A payload in the making.
pub type Bytes = Vec<u8>;

/// What writing a payload gives.
pub type Encoded = Result<(), PayloadError>;

/// What reading a stored event gives.
pub type Read<E> = Result<Decoded<E>, PayloadError>;

/// What writing a value without fields gives: an object, so that fields can be added later.
pub fn encode_empty(out: &mut Bytes) -> Encoded {
    out.extend_from_slice(b"{}");
    Ok(())
}

/// What was read, as a variant of an enum.
#[inline]
pub fn read<E, F>(decoded: Read<E>, wrap: impl FnMut(E) -> F) -> Read<F> {
    decoded.map(|decoded| decoded.map(wrap))
}

/// Adds what one more variant made of a stored event.
pub fn gather<E>(found: Option<Vec<E>>, decoded: Decoded<E>) -> Option<Vec<E>> {
    let mut all = found.unwrap_or_default();
    all.extend(decoded);
    Some(all)
}

/// What the variants of an enum made of an event that is stored under an older name; `None` when none reads it.
pub fn gathered<E>(events: Option<Vec<E>>) -> Result<Decoded<E>, PayloadError> {
    events.map(Decoded::Many).ok_or(PayloadError::Unknown)
}

/// Why a version cannot be read that is neither the current one nor one that is upcast.
#[cold]
pub fn unread(stored: u32, known: u32, oldest: u32) -> PayloadError {
    if stored > known {
        PayloadError::Newer { stored, known }
    } else {
        PayloadError::Older { stored, oldest }
    }
}

/// One step of `upcast_json`: reads the payload when it is the first.
pub fn json_step<U: UpcastedJson>(
    json: Value,
    from: u32,
    step: impl Fn(Value) -> U,
) -> Result<Value, PayloadError> {
    step(json)
        .upcasted_json()
        .map_err(|source| PayloadError::Upcast { from, source })
}

/// A payload as a JSON value.
pub fn to_value(payload: &[u8]) -> Result<Value, PayloadError> {
    Ok(serde_json::from_slice(payload)?)
}

/// Writes an event as `{"name": …, "version": …, "payload": …}`.
pub fn serialize_event<E: Event, S: Serializer>(
    event: &E,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut payload = Vec::new();
    event.encode(&mut payload).map_err(S::Error::custom)?;
    let payload = to_value(&payload).map_err(S::Error::custom)?;
    let mut object = serializer.serialize_struct("Event", 3)?;
    object.serialize_field("name", event.name())?;
    object.serialize_field("version", &event.schema_version())?;
    object.serialize_field("payload", &payload)?;
    object.end()
}

/// Reads what [`serialize_event`] wrote, now or in an older version, through the upcasts.
pub fn deserialize_event<'de, E: Event, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<E, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename = "Event")]
    struct Named {
        name: String,
        version: u32,
        payload: Value,
    }

    let Named {
        name,
        version,
        payload,
    } = Named::deserialize(deserializer)?;
    if !E::reads(&name) {
        return Err(D::Error::custom(format_args!(
            "no event of the name {name:?} is known"
        )));
    }
    let payload = serde_json::to_vec(&payload).map_err(D::Error::custom)?;
    let decoded = E::decode(StoredEvent {
        name: &name,
        schema_version: version,
        payload: &payload,
    });
    let mut events = decoded.map_err(D::Error::custom)?.into_iter();
    match (events.next(), events.next()) {
        (Some(event), None) => Ok(event),
        (None, _) => Err(D::Error::custom(format_args!(
            "{name:?} in version {version} is dropped by an upcast"
        ))),
        (Some(_), Some(_)) => Err(D::Error::custom(format_args!(
            "{name:?} in version {version} is split by an upcast, so it is not one event"
        ))),
    }
}
