//! What a handler may know of an event besides its content.

use chrono::{DateTime, Utc};

use crate::event::PayloadError;
use crate::log::{EventId, Metadata, Record, Version};

/// What an aggregate's handler may know of an event besides its content: the optional last parameter of an `#[apply]` method.
///
/// There is no position, since none is known when an event is recorded, and the state after recording must equal the
/// state after loading.
///
/// ```
/// use recount::prelude::*;
///
/// #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
/// pub struct DoorId(u64);
///
/// #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
/// pub struct Closed {}
///
/// #[derive(Debug, Default, Aggregate)]
/// #[aggregate(stream = "door", id = DoorId)]
/// pub struct Door { closed_at: Option<DateTime<Utc>> }
///
/// #[apply]
/// impl Door {
///     fn closed(&mut self, _: Closed, at: &EventContext) { self.closed_at = Some(at.recorded_at); }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventContext {
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// Its place in its stream.
    pub version: Version,
    /// Its id.
    pub id: EventId,
    /// Who and what caused it.
    pub metadata: Metadata,
}

impl EventContext {
    /// What is known of an event that is being recorded.
    pub fn new(
        recorded_at: DateTime<Utc>,
        version: Version,
        id: EventId,
        metadata: Metadata,
    ) -> Self {
        Self {
            recorded_at,
            version,
            id,
            metadata,
        }
    }

    /// What is known of a stored event.
    ///
    /// # Errors
    /// [`PayloadError::Metadata`] when the stored metadata is damaged.
    pub(crate) fn of(record: &Record<'_>) -> Result<Self, PayloadError> {
        Ok(Self {
            recorded_at: record.recorded_at(),
            version: record.version(),
            id: record.id(),
            metadata: record.metadata().map_err(PayloadError::Metadata)?,
        })
    }
}
