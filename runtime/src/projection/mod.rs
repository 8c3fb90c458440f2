//! Projections: state that is folded from the events of many streams, for reading.

mod projector;
mod tables;

use chrono::{DateTime, Utc};

pub use projector::{Fold, Projector};
pub use tables::{QueryError, TableProjection, TableProjector, TableReader, Tables};

pub use crate::follower::{FollowError, Progress};

use crate::event::{DecodeError, PayloadError};
use crate::log::{EventId, Metadata, Position, Record, Selector, StreamId, Version};

/// A read model: which events it handles, and how. Written by the [`projection`](macro@crate::projection) macro.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a projection",
    note = "write `#[projection(name = \"…\", of(SomeAggregate))] impl {Self} {{ fn NAME(&mut self, event: SomeEvent) {{ … }} }}`",
    note = "a block whose methods take a `&mut Sql` is run by `TableProjector`, and one whose methods are `async` by `Reactor`"
)]
pub trait Projection: Sized + Send + Sync + 'static {
    /// The name under which its checkpoint is kept.
    const NAME: &'static str;

    /// A hash over the tokens of its block and the shapes of its events: when it changes, the projection is rebuilt.
    const FINGERPRINT: u64;

    /// Whether a method takes the envelope: without one, reading need not bring ids and metadata.
    const ASKS_ENVELOPE: bool;

    /// The events that it handles, by category and stored name, older names included.
    fn selectors() -> Vec<Selector>;

    /// Reads a stored event and handles it; one that it does not handle is passed over.
    ///
    /// # Errors
    /// [`DecodeError`] says where the event stands and why it could not be read.
    fn handle(&mut self, record: &Record<'_>) -> Result<(), Box<DecodeError>>;
}

/// All that is known of a stored event besides its content: the optional last parameter of a projection's method.
///
/// ```
/// use recount::prelude::*;
/// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct CounterId(String);
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Counted { pub by: i64 }
/// # #[derive(Debug, Default, Aggregate)] #[aggregate(stream = "counter", id = CounterId)] pub struct Counter { total: i64 }
/// # #[apply] impl Counter { fn counted(&mut self, event: Counted) { self.total += event.by; } }
/// use std::collections::BTreeMap;
///
/// #[derive(Debug, Default)]
/// pub struct Totals { by_counter: BTreeMap<String, i64> }
///
/// #[projection(name = "totals", of(Counter))]
/// impl Totals {
///     fn counted(&mut self, event: Counted, at: &Envelope) {
///         *self.by_counter.entry(at.stream.id().to_owned()).or_default() += event.by;
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Envelope {
    /// Its place in the log.
    pub position: Position,
    /// Its stream.
    pub stream: StreamId,
    /// Its place in its stream.
    pub version: Version,
    /// Its id.
    pub id: EventId,
    /// The version of the shape that it was stored in.
    pub schema_version: u32,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// Who and what caused it.
    pub metadata: Metadata,
}

impl Envelope {
    /// What is known of a stored event.
    pub(crate) fn of(record: &Record<'_>) -> Result<Self, PayloadError> {
        Ok(Self {
            position: record.position(),
            stream: record.stream_id(),
            version: record.version(),
            id: record.id(),
            schema_version: record.schema_version(),
            recorded_at: record.recorded_at(),
            metadata: record.metadata().map_err(PayloadError::Metadata)?,
        })
    }

    /// The id of the stream, as the aggregate's own type.
    ///
    /// # Errors
    /// [`IdError`](crate::IdError) when the text is no such id, which happens only to ids that were not made by that type.
    pub fn id_of<A: crate::Aggregate>(&self) -> Result<A::Id, crate::IdError> {
        self.stream.id().parse()
    }
}
