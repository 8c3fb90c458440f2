//! What a reaction may do in the store.
//!
//! A reaction handles each event at least once: after a crash the same event is handled again, and what was done before the crash
//! must not be done twice. [`Act`] sees to that. It gives the commands of a handling ids that follow from the event, so that a
//! command that was carried out is found again, whatever has happened since.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Mutex, MutexGuard};

use super::deed::{Cause, Deed};
use crate::Store;
use crate::aggregate::{Apply, IntoEvents};
use crate::event::{DecodeError, PayloadError};
use crate::log::{
    AppendError, Appended, Batch, Expected, Metadata, NewEvent, Record, RecordedEvent, StreamId,
};
use crate::repository::{self, CreateError, ExecuteError, LoadError, Repository, RetryPolicy};

/// What a reaction may do in the store in answer to one event, so that nothing is done twice when the event is handled again.
///
/// A command that was carried out in an earlier handling of the event is not decided again: it is answered with what it appended
/// then, and [`repeated`](Appended::repeated) is set. That also holds where two processes handle the event at the same time, and
/// where it was not known whether an append was stored.
///
/// ```
/// # use recount::prelude::*;
/// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct CounterId(String);
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Counted { pub by: i64 }
/// # #[derive(Debug, Clone, Default, Aggregate)] #[aggregate(stream = "counter", id = CounterId)] pub struct Counter { total: i64 }
/// # #[apply] impl Counter { fn counted(&mut self, event: Counted) { self.total += event.by; } }
/// use recount::log::Query;
/// use recount::reaction::Act;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Store::connect("memory:").await?;
/// let counters = Repository::<Counter>::new(&store);
/// counters.create(&CounterId::new("a")?, Counted { by: 20 }).await?;
///
/// let sum = CounterId::new("sum")?;
/// for event in store.read(Query::all()).collect().await? {
///     for _ in ["handled", "handled again, after a crash"] {
///         let act = Act::on(&store, "sums", &event);
///         act.execute(&sum, |sum: &Counter| Ok(Counted { by: 22 - sum.total })).await?;
///     }
/// }
/// assert_eq!(counters.load(&sum).await?.total, 22);
/// # Ok(()) }
/// ```
///
/// # The rule
/// Commands are told apart by their order: for the same event, give each stream the same commands in the same order, whichever way
/// they come out. Do not let chance, the time, or what another system answers decide whether a command is given; let them decide
/// within the command, or what follows the last one. Commands on other streams do not count.
///
/// They are carried out one after the other; to begin two at once makes the second wait for the first.
///
/// A command that is refused, or decides on nothing, has left no trace: when the event is handled again it is decided anew, and may
/// come out otherwise. One that failed because of the store, or whose future was dropped, can be given again at once: it is the same
/// one still. Do not give another one in its place; return the error, and the event will be handled again.
///
/// The aggregate of the event may have gone on since: `Repository::new(act.store()).load_at(&id, at.version)` is the state as it was.
///
/// What is written by other means than this, as by a [`Repository`] of one's own, is written with each handling.
///
/// # What is stored with the events
/// Each names the event as its [causation](Metadata::causation), and belongs to the event's [correlation](Metadata::correlation), or,
/// where it has none, to a new one that has the event's id. Nothing else is taken from the event: who acted is not who caused it.
/// Say more with [`with_metadata`](Self::with_metadata).
///
/// The event's tenant is acted in. A reaction to events of all tenants cannot write to another one's streams by accident.
#[derive(Debug, Clone)]
pub struct Act {
    store: Store,
    reaction: Arc<str>,
    cause: Arc<Cause>,
    metadata: Metadata,
    /// How many commands each stream was given.
    given: Arc<Mutex<HashMap<StreamId, u32>>>,
}

impl Act {
    /// What the reaction of this name may do in answer to an event, as it was read from the store, with its context.
    pub(crate) fn new(
        store: &Store,
        reaction: &'static str,
        record: &Record<'_>,
    ) -> Result<Self, Box<DecodeError>> {
        let of_cause = record
            .metadata()
            .map_err(|error| DecodeError::at(record, PayloadError::Metadata(error)))?;
        let cause = Cause {
            id: record.id(),
            stream: record.stream_id(),
            version: record.version(),
            position: record.position(),
        };
        Ok(Self::of(store, reaction, cause, &of_cause))
    }

    /// What the reaction of this name may do in answer to an event, which was read from the same store: for tests of reactions, and
    /// for whoever reads the log without a runner. The name is a part of what is recognised: never change it.
    pub fn on(store: &Store, reaction: &str, event: &RecordedEvent) -> Self {
        let cause = Cause {
            id: event.id,
            stream: event.stream.clone(),
            version: event.version,
            position: event.position,
        };
        Self::of(store, reaction, cause, &event.metadata)
    }

    fn of(store: &Store, reaction: &str, cause: Cause, of_cause: &Metadata) -> Self {
        let correlation = of_cause.correlation.unwrap_or(cause.id.0);
        Self {
            store: store.within(cause.stream.tenant()),
            reaction: reaction.into(),
            metadata: Metadata::new()
                .correlation(correlation)
                .causation(cause.id.0),
            cause: Arc::new(cause),
            given: Arc::default(),
        }
    }

    /// The same, whose events carry this metadata besides: who acted, another correlation, anything else. What caused them stays the
    /// event.
    #[must_use]
    pub fn with_metadata(&self, metadata: Metadata) -> Self {
        Self {
            metadata: Metadata {
                causation: self.metadata.causation,
                correlation: metadata.correlation.or(self.metadata.correlation),
                ..metadata
            },
            ..self.clone()
        }
    }

    /// The store that the event was read from, bound to the event's tenant: to look at what there is.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Carries out a command, once: as [`Repository::execute`], and what was appended before is not decided again.
    ///
    /// # Errors
    /// As [`Repository::execute`].
    ///
    /// # Cancel safety
    /// A dropped future leaves all of the command's events stored or none.
    pub async fn execute<A, E, F>(
        &self,
        id: &A::Id,
        decide: F,
    ) -> Result<Appended, ExecuteError<A::Error>>
    where
        A: Apply,
        E: IntoEvents<A>,
        F: FnMut(&A) -> Result<E, A::Error> + Send,
    {
        let repository = self.repository::<A>();
        let stream = repository.stream(id).map_err(LoadError::from)?;
        let turn = self.turn(&stream).await;
        let outcome = repository.once(turn.deed).execute(id, decide).await;
        turn.ends(match &outcome {
            Err(ExecuteError::Contended { .. } | ExecuteError::Load(LoadError::Read(_))) => false,
            Err(ExecuteError::Append(error)) => is_decided(error),
            _ => true,
        });
        outcome
    }

    /// Stores the first events of an instance, once: as [`Repository::create`], which here answers a second time with what was
    /// appended the first time.
    ///
    /// # Errors
    /// As [`Repository::create`]; [`CreateError::AlreadyExists`] when somebody else made it.
    ///
    /// # Cancel safety
    /// A dropped future leaves all of the events stored or none.
    pub async fn create<A: Apply>(
        &self,
        id: &A::Id,
        events: impl IntoEvents<A>,
    ) -> Result<Appended, CreateError> {
        let repository = self.repository::<A>();
        let turn = self.turn(&repository.stream(id)?).await;
        let outcome = repository.once(turn.deed).create(id, events).await;
        turn.ends(match &outcome {
            Err(CreateError::Append(error)) => is_decided(error),
            _ => true,
        });
        outcome
    }

    /// Appends events that no aggregate decided, once. They get ids of their own, and what [is stored](Self#what-is-stored-with-the-events)
    /// with each besides what they carry.
    ///
    /// # Errors
    /// As [`Store::append`]; a condition that no longer holds is not asked of events that were appended before.
    ///
    /// # Cancel safety
    /// A dropped future leaves all of the events stored or none.
    pub async fn append(
        &self,
        stream: &StreamId,
        expected: Expected,
        events: impl IntoIterator<Item = NewEvent>,
    ) -> Result<Appended, AppendError> {
        let of_act = self.store.bind(stream);
        let stream =
            of_act.map_err(|(stream, tenant)| AppendError::OutsideTenant { stream, tenant })?;
        let turn = self.turn(&stream).await;
        let events = events.into_iter().enumerate();
        let events: Vec<NewEvent> = events
            .map(|(index, event)| NewEvent {
                id: turn.deed.id(index),
                metadata: self.besides(event.metadata),
                ..event
            })
            .collect();
        let batch = Batch::new().append(stream, expected, events);
        let outcome = self.append_once(turn.deed, batch).await;
        turn.ends(outcome.as_ref().err().is_none_or(is_decided));
        outcome
    }

    async fn append_once(&self, deed: Deed, batch: Batch) -> Result<Appended, AppendError> {
        let batch = self.store.accept(batch)?;
        match repository::append(&self.store, RetryPolicy::default(), &batch).await {
            Err(error) => deed.unless_done(&self.store, error).await,
            appended => appended,
        }
    }

    /// What an event by hand says of itself, and what is said of all.
    fn besides(&self, own: Metadata) -> Metadata {
        let mut all = self.metadata.clone();
        all.correlation = own.correlation.or(all.correlation);
        all.actor = own.actor.or(all.actor);
        all.other.extend(own.other);
        all
    }

    fn repository<A: Apply>(&self) -> Repository<A> {
        Repository::new(&self.store).with_metadata(self.metadata.clone())
    }

    /// The next command on a stream, once no other is under way.
    async fn turn(&self, stream: &StreamId) -> Turn<'_> {
        let given = self.given.lock().await;
        let before = given.get(stream).copied().unwrap_or(0);
        Turn {
            deed: Deed::new(&self.cause, &self.reaction, stream, before),
            stream: stream.clone(),
            given,
        }
    }
}

/// A command that is being given. Dropped before it ends, it counts as not given, and the next one on its stream is the same.
struct Turn<'a> {
    deed: Deed,
    stream: StreamId,
    given: MutexGuard<'a, HashMap<StreamId, u32>>,
}

impl Turn<'_> {
    fn ends(mut self, is_decided: bool) {
        if is_decided {
            *self.given.entry(self.stream.clone()).or_default() += 1;
        }
    }
}

/// Whether the same append would come out alike: a failure of the store says nothing about the command.
fn is_decided(error: &AppendError) -> bool {
    !matches!(
        error,
        AppendError::Unavailable { .. }
            | AppendError::Unknown { .. }
            | AppendError::Full { .. }
            | AppendError::ReadOnly { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Query;

    #[tokio::test]
    async fn an_event_is_the_same_cause_however_it_was_read() {
        let store = Store::connect("memory:").await.unwrap();
        let stream = StreamId::new("note", "1").unwrap();
        let noted = NewEvent {
            metadata: Metadata::new().actor("alice"),
            ..NewEvent::json("Noted", 1, &1).unwrap()
        };
        let acme = store.for_tenant("acme").unwrap();
        acme.append(&stream, Expected::Any, [noted]).await.unwrap();
        let mut reader = store.read(Query::all());
        let page = reader.next_page().await.unwrap().unwrap();
        let record = page.get(0).unwrap();
        let borrowed = Act::new(&store, "react", &record).unwrap();
        let owned = Act::on(&store, "react", &record.to_owned().unwrap());
        for (act, repeated) in [(borrowed, false), (owned, true)] {
            let noted = NewEvent::json("Noted", 1, &2).unwrap();
            let appended = act.append(&stream, Expected::Any, [noted]).await.unwrap();
            assert_eq!((appended.version().0, appended.repeated), (2, repeated));
        }
    }
}
