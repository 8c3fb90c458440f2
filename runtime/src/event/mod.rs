//! Events: facts as plain types, and how stored bytes become the newest of them.

mod decode;
mod encode;
mod names;
mod upcast;

pub use decode::{DecodeError, DecodeReason, Decoded, PayloadError, StoredEvent};
pub(crate) use encode::to_json;
pub use names::Names;
pub(crate) use names::{hash, same};
pub use upcast::{UpcastFrom, Upcasted, UpcastedJson};

/// A fact that happened, or an enum of them: something that is stored under a name and read back by it.
///
/// Derive it. On a struct, the stored name is the type's name without its version suffix, and `V2` in the name means
/// schema version 2; on an enum, each variant is an event of its own.
///
/// ```
/// use recount::prelude::*;
///
/// #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
/// pub struct MoneyDeposited { pub amount: i64 }
///
/// let event = MoneyDeposited { amount: 500 };
/// assert_eq!((event.name(), event.schema_version()), ("MoneyDeposited", 1));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    label = "not an event",
    note = "write `#[derive(Serialize, Deserialize, Event)]` on `{Self}`"
)]
pub trait Event: Sized + Send + Sync + 'static {
    /// All stored names that are read as this type, older ones included.
    const NAMES: Names;

    /// A hash over the declared shape: names and types of the fields, their serde attributes, and the shapes of these types, as
    /// far as they are [known](crate::schema::Shaped).
    const FINGERPRINT: u64;

    /// The JSON shapes of the payloads, as far as they are known.
    #[doc(hidden)]
    const SHAPES: crate::__private::Shapes = crate::__private::Shapes::new(&[]);

    /// The name that it is stored under.
    fn name(&self) -> &'static str;

    /// The version of its payload's shape, from 1.
    fn schema_version(&self) -> u32;

    /// Whether events of this type are stored under this name now: what is asked first, since nearly all events are.
    fn is_current(name: &str) -> bool;

    /// Whether a stored event of this name is read as this type, older names and splits included.
    fn reads(name: &str) -> bool {
        Self::NAMES.contains(name)
    }

    /// Appends the payload as JSON text.
    ///
    /// # Errors
    /// When a value has no form in JSON, such as NaN.
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), PayloadError>;

    /// Reads a stored event whose name this type [reads](Self::reads), through all upcasts to the newest version.
    ///
    /// # Errors
    /// [`PayloadError`] when the version is newer than this code knows, the payload does not fit, or an upcast fails.
    fn decode(stored: StoredEvent<'_>) -> Result<Decoded<Self>, PayloadError>;
}

/// A struct event: one name, one schema version.
///
/// ```
/// use recount::prelude::*;
/// use recount::event::Versioned;
///
/// #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
/// pub struct Opened { pub holder: String }
///
/// assert_eq!((Opened::NAME, Opened::VERSION), ("Opened", 1));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a struct event, so it has no version",
    note = "write `#[derive(Serialize, Deserialize, Event)]` on a struct"
)]
pub trait Versioned: Event {
    /// The stored name.
    const NAME: &'static str;
    /// The schema version, from 1.
    const VERSION: u32;
}
