//! Aggregates: state that is folded from the events of one stream.

mod context;
mod into_events;
mod root;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use context::EventContext;
pub use into_events::{Events, IntoEvents};
pub(crate) use root::Journal;
pub use root::{RecordError, Root};

use crate::Id;
use crate::event::{DecodeError, Event, PayloadError};
use crate::log::Record;

/// The state of one instance, and what is fixed for all: its id, its stream's category, its error.
///
/// Derive it, and write the fold in an [`apply`](macro@crate::apply) block.
///
/// ```
/// use recount::prelude::*;
///
/// #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
/// pub struct CounterId(String);
///
/// #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
/// pub struct Counted { pub by: i64 }
///
/// #[derive(Debug, Clone, Default, PartialEq, Aggregate)]
/// #[aggregate(stream = "counter", id = CounterId)]
/// pub struct Counter { total: i64 }
///
/// #[apply]
/// impl Counter {
///     fn counted(&mut self, event: Counted) { self.total += event.by; }
/// }
///
/// assert_eq!(Counter::CATEGORY, "counter");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an aggregate",
    note = "write `#[derive(Aggregate)]` and `#[aggregate(stream = \"…\", id = …)]` on `{Self}`"
)]
pub trait Aggregate: Sized + Send + Sync + 'static {
    /// The id of an instance.
    type Id: Id;

    /// What a command that is refused returns; any boxed error by default.
    type Error: std::fmt::Debug + std::fmt::Display + Send + 'static;

    /// The category of its streams.
    const CATEGORY: &'static str;

    /// A hash over the declared shape of the state and, where snapshots are taken, over the shapes of the types in it, as far as they
    /// are [known](crate::schema::Shaped).
    const FINGERPRINT: u64;

    /// Stored names that are passed over on purpose.
    const RETIRED: &'static [&'static str];

    /// A snapshot is taken when a command crosses a multiple of this version; `None` for never.
    const SNAPSHOT_EVERY: Option<u64>;

    /// How the state is written to and read from a snapshot; `None` for a state that is never snapshotted.
    fn snapshot_codec() -> Option<SnapshotCodec<Self>>;
}

/// How a state is written to a snapshot and read back.
///
/// ```
/// use recount::aggregate::SnapshotCodec;
///
/// let codec = SnapshotCodec::<Vec<u32>>::json();
/// assert_eq!((codec.encode)(&vec![1, 2]).unwrap(), b"[1,2]");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct SnapshotCodec<A> {
    /// To JSON.
    pub encode: fn(&A) -> Result<Vec<u8>, serde_json::Error>,
    /// From JSON.
    pub decode: fn(&[u8]) -> Result<A, serde_json::Error>,
}

impl<A: Serialize + DeserializeOwned> SnapshotCodec<A> {
    /// By the state's own serde implementation.
    pub fn json() -> Self {
        Self {
            encode: |state| serde_json::to_vec(state),
            decode: |bytes| serde_json::from_slice(bytes),
        }
    }
}

/// The fold of an aggregate: which events it applies, and how. Written by the [`apply`](macro@crate::apply) macro.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no `#[apply]` block",
    label = "nothing says how events change `{Self}`",
    note = "write `#[apply] impl {Self} {{ fn NAME(&mut self, event: SomeEvent) {{ … }} }}`"
)]
pub trait Apply: Aggregate {
    /// All events of the aggregate, as one enum that the macro makes.
    type Event: Event;

    /// A hash over the tokens of the `#[apply]` block and the shapes of its events.
    const FOLD_FINGERPRINT: u64;

    /// Whether a method takes the context: without one, reading need not bring ids and metadata.
    const ASKS_CONTEXT: bool;

    /// The state before the first event; `None` when an event makes it.
    fn start() -> Option<Self>;

    /// Makes the state from its first event.
    ///
    /// # Errors
    /// [`PayloadError::BeforeCreation`] when the event does not make one.
    fn create(event: Self::Event, context: &EventContext) -> Result<Self, PayloadError>;

    /// Folds a typed event into the state.
    ///
    /// # Errors
    /// [`PayloadError::CreatedTwice`] when the event makes the state.
    fn evolve(&mut self, event: Self::Event, context: &EventContext) -> Result<(), PayloadError>;

    /// Reads a stored event and folds it, without the enum in between.
    ///
    /// # Errors
    /// [`DecodeError`] says where the event stands and why it could not be folded.
    fn replay(state: &mut Option<Self>, record: &Record<'_>) -> Result<(), Box<DecodeError>>;
}

/// Says that the aggregate applies events of type `E`. Written by the [`apply`](macro@crate::apply) macro.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no `#[apply]` method for `{E}`",
    note = "add to the `#[apply] impl {Self}` block: `fn NAME(&mut self, event: {E}) {{ … }}`"
)]
pub trait Applies<E> {}

/// The shape of a state and its fold together: a snapshot of another one is ignored.
pub(crate) fn fingerprint<A: Apply>() -> u64 {
    A::FINGERPRINT ^ A::FOLD_FINGERPRINT.rotate_left(32)
}
