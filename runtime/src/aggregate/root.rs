//! A loaded aggregate, and the events that are recorded on it and not yet saved.

use std::fmt;
use std::ops::Deref;

use chrono::{DateTime, Utc};

use super::{Apply, EventContext, Events, IntoEvents};
use crate::clock::Sources;
use crate::event::{Event, PayloadError};
use crate::log::{Batch, Expected, Metadata, NewEvent, StreamId, Version};

/// A loaded aggregate: derefs to its state, so that its decisions can be called on it, and collects what they decide.
///
/// `record` is its only method, so that it shadows nothing of yours; the rest are functions: `Root::version(&root)`.
/// A clone that is never saved is a what-if.
///
/// ```
/// # use recount::prelude::*;
/// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct CounterId(String);
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Counted { pub by: i64 }
/// # #[derive(Debug, Clone, Default, Aggregate)] #[aggregate(stream = "counter", id = CounterId)] pub struct Counter { total: i64 }
/// # #[apply] impl Counter { fn counted(&mut self, event: Counted) { self.total += event.by; } }
/// # impl Counter { fn count(&self, by: i64) -> Counted { Counted { by } } }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Store::connect("memory:").await?;
/// let counters = Repository::<Counter>::new(&store);
/// let id = CounterId::new("c1")?;
/// counters.create(&id, Counted { by: 1 }).await?;
///
/// let mut root = counters.load(&id).await?;
/// root.record(root.count(41));
/// assert_eq!(root.total, 42);
/// counters.save(&mut root).await?;
/// assert_eq!(Root::version(&root), Version(2));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Root<A: Apply> {
    id: A::Id,
    state: A,
    journal: Journal,
}

impl<A: Apply> Root<A> {
    pub(crate) fn new(id: A::Id, state: A, journal: Journal) -> Self {
        Self { id, state, journal }
    }

    /// Applies what a command decided to the state, and keeps it to be saved. Returns the root, so that calls can be chained.
    ///
    /// It cannot fail here. What cannot be recorded (a value without a form in JSON, an event that would create the state
    /// a second time) leaves the state as it was, saving reports it, and nothing more is recorded: load the root again.
    pub fn record(&mut self, events: impl IntoEvents<A>) -> &mut Self {
        for event in Events::<A>::of(events) {
            self.journal.record(event, |event, _, context| {
                A::evolve(&mut self.state, event, context)
            });
        }
        self
    }

    /// The id of the instance.
    pub fn id(root: &Self) -> &A::Id {
        &root.id
    }

    /// The stream that holds its events.
    pub fn stream(root: &Self) -> &StreamId {
        &root.journal.stream
    }

    /// The version of the last event, recorded and not yet saved ones included.
    pub fn version(root: &Self) -> Version {
        root.journal.version
    }

    /// How many events are recorded and not yet saved.
    pub fn pending(root: &Self) -> usize {
        root.journal.pending.len()
    }

    /// The state, without the root.
    pub fn into_state(root: Self) -> A {
        root.state
    }

    pub(crate) fn journal(root: &Self) -> &Journal {
        &root.journal
    }

    pub(crate) fn journal_mut(root: &mut Self) -> &mut Journal {
        &mut root.journal
    }
}

impl<A: Apply> Deref for Root<A> {
    type Target = A;

    fn deref(&self) -> &A {
        &self.state
    }
}

impl<A: Apply + fmt::Debug> fmt::Debug for Root<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Root")
            .field("stream", &self.journal.stream)
            .field("version", &self.journal.version)
            .field("pending", &self.journal.pending.len())
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// The events that are recorded on one stream and not yet stored, with all that recording one takes.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    pub(crate) stream: StreamId,
    /// The version of the last event, recorded ones included.
    pub(crate) version: Version,
    /// The version of the last event that is stored.
    pub(crate) stored: Version,
    /// When the last event was recorded: no later one of the stream is recorded earlier, whatever the clock does.
    pub(crate) recorded_at: DateTime<Utc>,
    /// They keep their ids when a save fails, so that saving again is recognised.
    pub(crate) pending: Vec<NewEvent>,
    pub(crate) error: Option<RecordError>,
    pub(crate) metadata: Metadata,
    pub(crate) sources: Sources,
}

impl Journal {
    /// Nothing recorded yet on a stream whose last stored event has this version and time.
    pub(crate) fn new(
        stream: StreamId,
        stored: Version,
        recorded_at: DateTime<Utc>,
        metadata: Metadata,
        sources: Sources,
    ) -> Self {
        Self {
            stream,
            version: stored,
            stored,
            recorded_at,
            pending: Vec::new(),
            error: None,
            metadata,
            sources,
        }
    }

    /// Encodes an event, folds it (which is given its payload, too), and keeps it.
    pub(crate) fn record<E: Event>(
        &mut self,
        event: E,
        fold: impl FnOnce(E, &[u8], &EventContext) -> Result<(), PayloadError>,
    ) {
        if self.error.is_some() {
            return;
        }
        let version = self.version.next();
        let recorded_at = self.sources.now().max(self.recorded_at);
        let id = self.sources.id(self.pending.len());
        let (name, schema_version) = (event.name(), event.schema_version());
        let mut payload = Vec::with_capacity(128);
        let context = EventContext::new(recorded_at, version, id, self.metadata.clone());
        // Before the fold, which takes the event away.
        let folded = event
            .encode(&mut payload)
            .and_then(|()| fold(event, &payload, &context));
        if let Err(reason) = folded {
            self.error = Some(RecordError {
                stream: self.stream.clone(),
                version,
                event: name,
                reason: reason.to_string(),
            });
            return;
        }
        self.version = version;
        self.recorded_at = recorded_at;
        self.pending.push(NewEvent {
            id,
            name: name.into(),
            schema_version,
            recorded_at,
            metadata: context.metadata,
            payload,
        });
    }

    /// What is to be stored, or why something could not be recorded.
    pub(crate) fn batch(&self, batch: Batch, expected: Expected) -> Result<Batch, RecordError> {
        match &self.error {
            Some(error) => Err(error.clone()),
            None => Ok(batch.append(self.stream.clone(), expected, self.pending.iter().cloned())),
        }
    }

    /// Everything recorded is stored.
    pub(crate) fn saved(&mut self) {
        self.pending.clear();
        self.stored = self.version;
    }
}

/// An event that could not be recorded: it has no form in JSON, or it would create the state a second time.
#[derive(Debug, Clone, thiserror::Error)]
#[error("event {event} cannot be recorded as version {version} of stream {stream}: {reason}")]
#[non_exhaustive]
pub struct RecordError {
    /// The stream.
    pub stream: StreamId,
    /// The version that it would have had.
    pub version: Version,
    /// The event's stored name.
    pub event: &'static str,
    /// Why not.
    pub reason: String,
}
