//! Conversions from older versions of an event.

use super::{Decoded, Event, PayloadError};

/// A conversion from the version before: `From` or `TryFrom`.
///
/// ```
/// use recount::event::UpcastFrom;
///
/// assert_eq!(u64::upcast_from(7u32).unwrap(), 7);
/// assert!(u8::upcast_from(300u32).is_err());
/// ```
#[diagnostic::on_unimplemented(
    message = "no conversion from `{P}` to `{Self}`: stored `{P}` events could not be read",
    note = "write `impl From<{P}> for {Self} {{ … }}`, or `TryFrom` where it can fail"
)]
pub trait UpcastFrom<P>: Sized {
    /// Converts.
    ///
    /// # Errors
    /// What `TryFrom` said.
    fn upcast_from(previous: P) -> Result<Self, Box<dyn std::error::Error + Send + Sync>>;
}

#[diagnostic::do_not_recommend]
impl<P, T: TryFrom<P>> UpcastFrom<P> for T
where
    T::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    #[inline]
    fn upcast_from(previous: P) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        T::try_from(previous).map_err(Into::into)
    }
}

/// What a function given as `with = …` may return: the event, an `Option` to drop some, a `Vec` to split, a `Result` to refuse.
///
/// ```
/// use recount::prelude::*;
/// use recount::event::{Decoded, Upcasted};
///
/// #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
/// pub struct Noted {}
///
/// assert_eq!(Some(Noted {}).upcasted(1).unwrap(), Decoded::One(Noted {}));
/// assert_eq!(None::<Noted>.upcasted(1).unwrap(), Decoded::Many(vec![]));
/// ```
#[diagnostic::on_unimplemented(
    message = "a function given as `with` cannot return `{Self}` for the event `{T}`",
    note = "return `{T}`, `Option<{T}>` to drop some, `Vec<{T}>` to split, or a `Result` of one of these to refuse"
)]
pub trait Upcasted<T: Event> {
    /// The events.
    ///
    /// # Errors
    /// [`PayloadError::Upcast`] when the function refused.
    fn upcasted(self, from: u32) -> Result<Decoded<T>, PayloadError>;
}

impl<T: Event> Upcasted<T> for T {
    fn upcasted(self, _: u32) -> Result<Decoded<T>, PayloadError> {
        Ok(Decoded::One(self))
    }
}

impl<T: Event> Upcasted<T> for Option<T> {
    fn upcasted(self, _: u32) -> Result<Decoded<T>, PayloadError> {
        Ok(self.map_or_else(|| Decoded::Many(Vec::new()), Decoded::One))
    }
}

impl<T: Event> Upcasted<T> for Vec<T> {
    fn upcasted(self, _: u32) -> Result<Decoded<T>, PayloadError> {
        Ok(Decoded::Many(self))
    }
}

impl<T: Event, U: Upcasted<T>, X: Into<Box<dyn std::error::Error + Send + Sync>>> Upcasted<T>
    for Result<U, X>
{
    fn upcasted(self, from: u32) -> Result<Decoded<T>, PayloadError> {
        self.map_err(|source| PayloadError::Upcast {
            from,
            source: source.into(),
        })?
        .upcasted(from)
    }
}

/// What a function given to `upcast_json` may return: the JSON of the next version, or a `Result` of it to refuse.
///
/// ```
/// use recount::event::UpcastedJson;
/// use recount::serde_json::json;
///
/// assert_eq!(json!({"a": 1}).upcasted_json().unwrap(), json!({"a": 1}));
/// ```
#[diagnostic::on_unimplemented(
    message = "a function given to `upcast_json` cannot return `{Self}`",
    note = "write `fn NAME(json: serde_json::Value) -> serde_json::Value`, or return a `Result<serde_json::Value, …>` to refuse"
)]
pub trait UpcastedJson {
    /// The JSON.
    ///
    /// # Errors
    /// What the function said when it refused.
    fn upcasted_json(self) -> Result<serde_json::Value, Box<dyn std::error::Error + Send + Sync>>;
}

impl UpcastedJson for serde_json::Value {
    fn upcasted_json(self) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self)
    }
}

impl<X: Into<Box<dyn std::error::Error + Send + Sync>>> UpcastedJson
    for Result<serde_json::Value, X>
{
    fn upcasted_json(self) -> Result<serde_json::Value, Box<dyn std::error::Error + Send + Sync>> {
        self.map_err(Into::into)
    }
}
