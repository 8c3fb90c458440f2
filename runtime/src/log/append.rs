//! What goes into the log.

use chrono::{DateTime, SubsecRound, Utc};
use serde::Serialize;

use super::stream::check_name;
use super::{EventId, Metadata, NameError, Position, StreamId, TenantId, Version};
use crate::clock::as_kept;
use crate::event::{Event, PayloadError};
use crate::store::BackendError;

/// What must hold of a stream for an append to it to be accepted.
///
/// ```
/// use recount::log::{Expected, Version};
///
/// assert!(Expected::NoStream.holds(Version::NONE));
/// assert!(Expected::Version(Version(0)).holds(Version::NONE));
/// assert!(!Expected::Version(Version(3)).holds(Version(4)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Expected {
    /// Nothing: the events go to the end of the stream, wherever that is.
    Any,
    /// The stream has no event yet.
    NoStream,
    /// The stream has at least one event.
    StreamExists,
    /// The stream's last event has this version; version 0 is the same as `NoStream`.
    Version(Version),
}

impl Expected {
    /// Whether a stream whose last event has version `actual` (0: no event) meets this.
    pub fn holds(self, actual: Version) -> bool {
        match self {
            Self::Any => true,
            Self::NoStream => actual == Version::NONE,
            Self::StreamExists => actual != Version::NONE,
            Self::Version(expected) => actual == expected,
        }
    }
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("any version"),
            Self::NoStream => f.write_str("no stream"),
            Self::StreamExists => f.write_str("an existing stream"),
            Self::Version(version) => write!(f, "version {version}"),
        }
    }
}

/// An event on its way into the log: everything but its version and position, which the store gives it.
///
/// Aggregates make these by themselves; write one by hand to import events or to append outside of an aggregate.
///
/// ```
/// use recount::log::NewEvent;
///
/// let event = NewEvent::json("MoneyDeposited", 1, &serde_json::json!({"amount": 500}))?;
/// assert_eq!(event.name, "MoneyDeposited");
/// assert_eq!(event.payload, br#"{"amount":500}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// The id under which a retry is recognised.
    pub id: EventId,
    /// The stored name: the type's name without its version suffix, unless the type says otherwise. At most 255 bytes.
    pub name: std::borrow::Cow<'static, str>,
    /// The version of the payload's shape, from 1.
    pub schema_version: u32,
    /// When it was recorded, by the recorder's clock, to the microsecond.
    pub recorded_at: DateTime<Utc>,
    /// Who and what caused it.
    pub metadata: Metadata,
    /// JSON text in UTF-8, at most [`NewEvent::MAX_PAYLOAD_BYTES`] bytes.
    pub payload: Vec<u8>,
}

impl NewEvent {
    /// The most bytes that a payload may have: 64 MiB.
    pub const MAX_PAYLOAD_BYTES: usize = 64 << 20;
    /// The most bytes that a name may have.
    pub const MAX_NAME_BYTES: usize = 255;

    /// An event of this name whose payload is `value` as JSON, with a new id, recorded now.
    ///
    /// # Errors
    /// When `value` does not serialize to JSON.
    pub fn json(
        name: impl Into<std::borrow::Cow<'static, str>>,
        schema_version: u32,
        value: &impl Serialize,
    ) -> Result<Self, serde_json::Error> {
        Ok(Self {
            id: EventId(uuid::Uuid::now_v7()),
            name: name.into(),
            schema_version,
            recorded_at: Utc::now().trunc_subsecs(6),
            metadata: Metadata::default(),
            payload: serde_json::to_vec(value)?,
        })
    }
}

impl NewEvent {
    /// A typed event on its way into the log without an aggregate, as an import makes it: with a new id, recorded now.
    ///
    /// # Errors
    /// [`PayloadError::Unstorable`] when a value has no form in JSON.
    ///
    /// # Examples
    /// ```
    /// use recount::{log::NewEvent, prelude::*};
    ///
    /// #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    /// pub struct Noted { pub text: String }
    ///
    /// let event = NewEvent::of(&Noted { text: "hello".into() })?;
    /// assert_eq!((&*event.name, event.schema_version), ("Noted", 1));
    /// # Ok::<(), recount::event::PayloadError>(())
    /// ```
    pub fn of<E: Event>(event: &E) -> Result<Self, PayloadError> {
        let mut payload = Vec::with_capacity(128);
        event.encode(&mut payload)?;
        Ok(Self {
            id: EventId(uuid::Uuid::now_v7()),
            name: event.name().into(),
            schema_version: event.schema_version(),
            recorded_at: Utc::now().trunc_subsecs(6),
            metadata: Metadata::default(),
            payload,
        })
    }
}

/// Events for one stream of a [`Batch`], and what must hold of the stream. Without events it only checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamAppend {
    /// Where they go.
    pub stream: StreamId,
    /// What must hold.
    pub expected: Expected,
    /// What happened, in order.
    pub events: Vec<NewEvent>,
}

impl StreamAppend {
    /// Makes times what every backend keeps of them.
    pub(crate) fn keep_microseconds(&mut self) {
        for event in &mut self.events {
            event.recorded_at = as_kept(event.recorded_at);
        }
    }
}

/// Appends to one or several streams that are accepted together or not at all.
///
/// Parts are checked and written in order, so a later part for the same stream sees the earlier one.
///
/// ```
/// use recount::log::{Batch, Expected, NewEvent, StreamId};
///
/// let event = NewEvent::json("Noted", 1, &"hello")?;
/// let batch = Batch::new()
///     .append(StreamId::new("note", "1")?, Expected::NoStream, [event])
///     .check(StreamId::new("note", "2")?, Expected::StreamExists);
/// assert_eq!(batch.parts().len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    parts: Vec<StreamAppend>,
    tenant: Option<TenantId>,
}

impl Batch {
    /// Appends nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds events for a stream.
    #[must_use]
    pub fn append(
        mut self,
        stream: StreamId,
        expected: Expected,
        events: impl IntoIterator<Item = NewEvent>,
    ) -> Self {
        self.parts.push(StreamAppend {
            stream,
            expected,
            events: events.into_iter().collect(),
        });
        self
    }

    /// Adds a condition on a stream that the batch does not write.
    #[must_use]
    pub fn check(self, stream: StreamId, expected: Expected) -> Self {
        self.append(stream, expected, [])
    }

    /// Adds a part in place, where a batch is filled in a loop.
    pub fn push(&mut self, part: StreamAppend) {
        self.parts.push(part);
    }

    /// The parts, in the order in which they are checked and written.
    pub fn parts(&self) -> &[StreamAppend] {
        &self.parts
    }

    /// The tenant that the handle is bound to through which this is appended, if any: the handle sets it. Whose an event is says
    /// its stream.
    pub fn tenant(&self) -> Option<&TenantId> {
        self.tenant.as_ref()
    }

    /// The same batch, appended through a handle of this tenant.
    pub(crate) fn by(self, tenant: Option<TenantId>) -> Self {
        Self { tenant, ..self }
    }

    pub(crate) fn into_parts(self) -> Vec<StreamAppend> {
        self.parts
    }

    pub(crate) fn parts_mut(&mut self) -> &mut [StreamAppend] {
        &mut self.parts
    }

    /// All events, in the order in which they are written.
    pub fn events(&self) -> impl Iterator<Item = (&StreamId, &NewEvent)> {
        self.parts
            .iter()
            .flat_map(|part| part.events.iter().map(move |event| (&part.stream, event)))
    }

    /// The rules that hold on every backend, checked before one is asked; `parse` also reads payloads that others wrote.
    pub(crate) fn validate(&self, parse: bool) -> Result<(), AppendError> {
        let (mut ids, has_several) = (Distinct::default(), self.events().nth(1).is_some());
        for (stream, event) in self.events() {
            let refused = |reason: RefusedReason| refused(stream, event, &reason);
            check_name("event name", &event.name, NewEvent::MAX_NAME_BYTES)
                .map_err(|error| refused(RefusedReason::Name(error)))?;
            if event.schema_version == 0 {
                return Err(refused(RefusedReason::VersionZero));
            }
            if event.payload.len() > NewEvent::MAX_PAYLOAD_BYTES {
                return Err(refused(RefusedReason::TooLarge(event.payload.len())));
            }
            // As text: skipping a value, serde_json does not look whether its strings are UTF-8.
            let is_json = |payload| {
                std::str::from_utf8(payload)
                    .is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok())
            };
            if parse && !is_json(&event.payload) {
                return Err(refused(RefusedReason::NotJson));
            }
            if has_several && !ids.insert(event.id) {
                return Err(refused(RefusedReason::SameIdTwice(event.id)));
            }
        }
        Ok(())
    }
}

fn refused(stream: &StreamId, event: &NewEvent, reason: &RefusedReason) -> AppendError {
    AppendError::Refused {
        stream: stream.clone(),
        event: event.name.to_string(),
        reason: reason.to_string(),
    }
}

/// Finds an id that stands twice. Ids made one after another rise, and then nothing need be remembered.
#[derive(Default)]
struct Distinct {
    rising: Vec<EventId>,
    others: std::collections::HashSet<EventId>,
}

impl Distinct {
    fn insert(&mut self, id: EventId) -> bool {
        let new = match self.rising.last() {
            Some(last) if id > *last && self.others.is_empty() => {
                self.rising.push(id);
                return true;
            }
            None => {
                self.rising.push(id);
                return true;
            }
            Some(_) => self.rising.binary_search(&id).is_err(),
        };
        new && self.others.insert(id)
    }
}

/// Why [`Batch::validate`] refuses an event.
#[derive(Debug, thiserror::Error)]
enum RefusedReason {
    #[error(transparent)]
    Name(NameError),
    #[error("schema versions start at 1")]
    VersionZero,
    #[error("the payload has {0} bytes, at most {max} are stored; keep large content elsewhere and its address in the event", max = NewEvent::MAX_PAYLOAD_BYTES)]
    TooLarge(usize),
    #[error("the payload is not JSON")]
    NotJson,
    #[error("event id {0} stands twice in one batch")]
    SameIdTwice(EventId),
}

/// How far a stream got by an append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamVersion {
    /// The stream.
    pub stream: StreamId,
    /// The version of its last event after the append; 0 when it has none.
    pub version: Version,
}

/// The result of an append.
///
/// A batch that had been written before is answered with the position and the versions that its events have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// The position of the last event written; of the last one that the handle can see when the batch had none.
    pub position: Position,
    /// One entry for each part of the batch at hand, in its order. A part with events says the version that its last event has;
    /// one without says what is there: after the parts before it, or, if the batch was repeated, now.
    pub streams: Vec<StreamVersion>,
    /// Whether the batch had been written before, so that this call wrote nothing.
    pub repeated: bool,
}

impl Appended {
    /// The version of the first stream of the batch, which is the only one in most.
    pub fn version(&self) -> Version {
        self.streams
            .first()
            .map_or(Version::NONE, |stream| stream.version)
    }
}

/// Why an append was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The stream is not where the caller thought; nothing was written. Load it again, decide again, append again.
    #[error(
        "conflict on stream {stream}: expected {expected}, but it is at version {actual}; load it again and decide again"
    )]
    Conflict {
        /// The stream whose condition did not hold.
        stream: StreamId,
        /// The condition.
        expected: Expected,
        /// The version of its last event; 0 when it has none.
        actual: Version,
    },
    /// An id of the batch is known, but the batch is not one that was appended before; nothing was written.
    #[error(
        "event id {event} is already stored in {stream} at version {version}, with other content or in another batch; give new events new ids"
    )]
    Duplicate {
        /// The id.
        event: EventId,
        /// The stream that holds it.
        stream: StreamId,
        /// The version at which the id stands, in the stream that holds it.
        version: Version,
    },
    /// The event cannot be stored by any backend; nothing was written.
    #[error("event {event} for stream {stream} cannot be stored: {reason}")]
    Refused {
        /// The stream that it was for.
        stream: StreamId,
        /// The event's stored name.
        event: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The handle belongs to a tenant and the stream to another; nothing was written.
    #[error("stream {stream} is outside of tenant {tenant}, which this handle is bound to")]
    OutsideTenant {
        /// The stream.
        stream: StreamId,
        /// The handle's tenant.
        tenant: TenantId,
    },
    /// The store may only be read; nothing was written.
    #[error("the store {store} can only be read, nothing was written")]
    ReadOnly {
        /// The store's URL.
        store: String,
        /// What the database said.
        source: BackendError,
    },
    /// There is no space left, on the disk or below the size limit that was set; nothing was written.
    #[error("the store {store} is full, nothing was written; free space and append again")]
    Full {
        /// The store's URL.
        store: String,
        /// What the database said.
        source: BackendError,
    },
    /// The database could not be used, and nothing was written. The same batch can be appended again.
    #[error(
        "the store {store} did not take the append, nothing was written; append the same batch again"
    )]
    Unavailable {
        /// The store's URL.
        store: String,
        /// What the database said.
        source: BackendError,
    },
    /// The database failed in the act: the batch is stored wholly or not at all, and which is not known.
    /// Append the same batch, with the same event ids, again: it is written at most once.
    #[error(
        "the store {store} failed while committing: the batch may or may not be stored; append the same batch again, its event ids keep it from being stored twice"
    )]
    Unknown {
        /// The store's URL.
        store: String,
        /// What the database said.
        source: BackendError,
    },
}

impl AppendError {
    /// Whether the same batch may be appended again without deciding anew.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Unknown { .. })
    }

    /// Whether the store got so far as to look for the batch's ids, so that the batch is known not to be stored.
    pub(crate) fn has_looked(&self) -> bool {
        matches!(self, Self::Conflict { .. } | Self::Duplicate { .. })
    }
}
