//! Given these events of several streams, what does a projection show, and what does code that reacts to them append?
#![expect(
    clippy::return_self_not_must_use,
    reason = "a test ends with its last `then…`, whose value nobody needs"
)]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::difference::{Shown, difference, list, states};
use super::stored::{append_stored, page, record, replayed};
use super::{CountingIds, FixedClock};
use crate::aggregate::{Apply, Events, IntoEvents, Journal};
use crate::clock::{Ids, Sources};
use crate::event::Event;
use crate::log::{Batch, Expected, Metadata, NewEvent, Query, StreamId, TenantId, Version};
use crate::reaction::Act;
use crate::store::MemoryBackend;
use crate::{Id as _, Projection, Store};

/// Begins a test of what is made from a log: of a projection, or of code that reacts to events.
///
/// ```
/// # use recount::prelude::*;
/// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct CounterId(String);
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Counted { pub by: i64 }
/// # #[derive(Debug, Clone, Default, Aggregate)] #[aggregate(stream = "counter", id = CounterId)] pub struct Counter { total: i64 }
/// # #[apply] impl Counter { fn counted(&mut self, event: Counted) { self.total += event.by; } }
/// # #[derive(Debug, Default, PartialEq)] pub struct Total { sum: i64 }
/// # #[projection(name = "total", of(Counter))] impl Total { fn counted(&mut self, event: Counted) { self.sum += event.by; } }
/// use recount::testing::given_log;
///
/// let (a, b) = (CounterId::new("a")?, CounterId::new("b")?);
/// given_log()
///     .stream::<Counter>(&a, Counted { by: 1 })
///     .stream::<Counter>(&b, [Counted { by: 20 }, Counted { by: 21 }])
///     .project::<Total>()
///     .then_state(Total { sum: 42 });
/// # Ok::<(), recount::IdError>(())
/// ```
pub fn given_log() -> GivenLog {
    GivenLog {
        events: Vec::new(),
        clock: Arc::new(FixedClock::default()),
        ids: Arc::new(CountingIds::default()),
        metadata: Metadata::default(),
        tenant: None,
    }
}

/// What has happened in several streams, made by [`given_log`].
#[derive(Debug, Clone)]
pub struct GivenLog {
    /// In the order of the log.
    events: Vec<(StreamId, NewEvent)>,
    clock: Arc<FixedClock>,
    ids: Arc<CountingIds>,
    metadata: Metadata,
    /// Whose streams are given.
    tenant: Option<TenantId>,
}

impl GivenLog {
    /// These events have happened to this instance, after all that was given before.
    ///
    /// # Panics
    /// When they cannot have happened: one cannot be stored, or stands before the event that creates the state.
    #[must_use]
    #[track_caller]
    pub fn stream<A: Apply>(mut self, id: &A::Id, events: impl IntoEvents<A>) -> Self {
        let mut journal = self.journal::<A>(id);
        let mut state = replayed(&journal.stream, self.of(&journal.stream));
        record::<A>(&mut journal, &mut state, Events::of(events));
        self.push(journal);
        self
    }

    /// An event that has happened to this instance as an earlier release stored it: in an old version, or under an old name.
    ///
    /// # Panics
    /// When it cannot be stored, or read and folded after those before it.
    #[must_use]
    #[track_caller]
    pub fn stored<A: Apply>(mut self, id: &A::Id, event: &impl Event) -> Self {
        let mut journal = self.journal::<A>(id);
        append_stored(&mut journal, event);
        let stream = journal.stream.clone();
        self.push(journal);
        _ = replayed::<A>(&stream, self.of(&stream));
        self
    }

    /// The streams that are given after this are this tenant's.
    ///
    /// ```
    /// # use recount::prelude::*;
    /// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct CounterId(String);
    /// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Counted { pub by: i64 }
    /// # #[derive(Debug, Clone, Default, Aggregate)] #[aggregate(stream = "counter", id = CounterId)] pub struct Counter { total: i64 }
    /// # #[apply] impl Counter { fn counted(&mut self, event: Counted) { self.total += event.by; } }
    /// # async fn react(store: &Store, id: &CounterId) -> Result<(), Box<dyn std::error::Error>> {
    /// #     Repository::<Counter>::new(store).execute(id, |counter| Ok(Counted { by: counter.total })).await?;
    /// #     Ok(())
    /// # }
    /// use recount::testing::given_log;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let id = CounterId::new("a")?;
    /// given_log()
    ///     .in_tenant("acme")
    ///     .stream::<Counter>(&id, Counted { by: 10 })
    ///     .in_tenant("globex")
    ///     .stream::<Counter>(&id, Counted { by: 1 })
    ///     .when(async |store| react(&store.for_tenant("acme")?, &id).await)
    ///     .await
    ///     .in_tenant("acme")
    ///     .then::<Counter>(&id, Counted { by: 10 })
    ///     .then_nothing_else();
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    /// When the name is none that a tenant can have.
    #[must_use]
    #[track_caller]
    pub fn in_tenant(mut self, tenant: &str) -> Self {
        self.tenant = Some(tenant_of(tenant));
        self
    }

    /// An empty journal behind what has happened to this instance.
    #[track_caller]
    fn journal<A: Apply>(&self, id: &A::Id) -> Journal {
        let stream = stream_of::<A>(id, self.tenant.as_ref());
        let version = Version(self.of(&stream).count() as u64);
        let recorded_at = self.of(&stream).last().map(|event| event.recorded_at);
        let sources = Sources {
            clock: Arc::clone(&self.clock) as _,
            ids: Ids::New(Arc::clone(&self.ids) as _),
        };
        Journal::new(
            stream,
            version,
            recorded_at.unwrap_or(DateTime::<Utc>::MIN_UTC),
            self.metadata.clone(),
            sources,
        )
    }

    fn push(&mut self, journal: Journal) {
        let stream = journal.stream;
        let new = journal.pending.into_iter();
        self.events.extend(new.map(|event| (stream.clone(), event)));
    }

    /// The events of one stream.
    fn of(&self, stream: &StreamId) -> impl Iterator<Item = &NewEvent> {
        let of_stream = move |(other, _): &&(StreamId, NewEvent)| other == stream;
        self.events.iter().filter(of_stream).map(|(_, event)| event)
    }

    /// What follows is recorded at this time. The first events are recorded at noon of the first day of 2026, UTC.
    #[must_use]
    pub fn at(self, time: DateTime<Utc>) -> Self {
        self.clock.set(time);
        self
    }

    /// The events that are given after this carry this metadata.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// Folds the events that the projection handles, as they are stored.
    ///
    /// # Panics
    /// When one cannot be read.
    #[must_use = "say what is expected: `.then_state(…)` or `.then_check(…)`"]
    #[track_caller]
    pub fn project<P: Projection + Default>(&self) -> Projected<P> {
        let handled = Query::all().any_of(P::selectors());
        let mut state = P::default();
        for record in page(self.events.iter().map(|(stream, event)| (stream, event))).iter() {
            let (position, version, at) =
                (record.position(), record.version(), record.recorded_at());
            if !handled.fits(&record.stream_id(), record.name(), position, version, at) {
                continue;
            }
            if let Err(error) = state.handle(&record) {
                panic!("projection {}: {error}", P::NAME);
            }
        }
        Projected {
            state,
            events: self.shown(),
        }
    }

    /// Runs code on a store in memory that holds the events, and keeps what it appends to be compared.
    ///
    /// The store's clock goes on to show the time that was set last, and its ids go on to count.
    ///
    /// ```
    /// # use recount::prelude::*;
    /// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct CounterId(String);
    /// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Counted { pub by: i64 }
    /// # #[derive(Debug, Clone, Default, Aggregate)] #[aggregate(stream = "counter", id = CounterId)] pub struct Counter { total: i64 }
    /// # #[apply] impl Counter { fn counted(&mut self, event: Counted) { self.total += event.by; } }
    /// use recount::testing::given_log;
    ///
    /// /// Counts one more wherever something was counted to ten.
    /// async fn react(store: &Store, id: &CounterId) -> Result<(), Box<dyn std::error::Error>> {
    ///     let counters = Repository::<Counter>::new(store);
    ///     counters.execute(id, |counter| Ok((counter.total == 10).then_some(Counted { by: 1 }))).await?;
    ///     Ok(())
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let id = CounterId::new("a")?;
    /// given_log()
    ///     .stream::<Counter>(&id, Counted { by: 10 })
    ///     .when(async |store| react(store, &id).await)
    ///     .await
    ///     .then::<Counter>(&id, Counted { by: 1 })
    ///     .then_nothing_else();
    /// # Ok(()) }
    /// ```
    ///
    /// What it returns may be anything, or a `Result`, whose error the next check reports.
    #[must_use = "say what is expected: `.then(…)` or `.then_nothing_else()`"]
    pub async fn when<R: Outcome>(&self, react: impl AsyncFnOnce(&Store) -> R) -> Reacted {
        let store = self.store().await;
        let failed = react(&store).await.failed();
        let appended = store
            .read(Query::all().after(crate::Position(self.events.len() as u64)))
            .collect()
            .await;
        let mut streams: BTreeMap<StreamId, Vec<Shown>> = BTreeMap::new();
        // Memory can be read.
        for event in appended.unwrap_or_default() {
            let shown = Shown::stored(&event.name, event.schema_version, &event.payload);
            streams.entry(event.stream).or_default().push(shown);
        }
        Reacted {
            given: self.shown(),
            appended: streams,
            failed,
            tenant: None,
        }
    }

    /// Runs code that [acts](Act) in answer to the last event that was given, and, if it succeeds, once more, as after a crash: then it
    /// must succeed again and append nothing.
    ///
    /// ```
    /// # use recount::prelude::*;
    /// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct CounterId(String);
    /// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Counted { pub by: i64 }
    /// # #[derive(Debug, Clone, Default, Aggregate)] #[aggregate(stream = "counter", id = CounterId)] pub struct Counter { total: i64 }
    /// # #[apply] impl Counter { fn counted(&mut self, event: Counted) { self.total += event.by; } }
    /// use recount::testing::given_log;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (a, sum) = (CounterId::new("a")?, CounterId::new("sum")?);
    /// given_log()
    ///     .stream::<Counter>(&a, Counted { by: 10 })
    ///     .when_acting("sums", async |act| act.execute(&sum, |_: &Counter| Ok(Counted { by: 10 })).await)
    ///     .await
    ///     .then::<Counter>(&sum, Counted { by: 10 })
    ///     .then_nothing_else();
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    /// When no event was given, or when it does not come out alike the second time.
    #[must_use = "say what is expected: `.then(…)` or `.then_nothing_else()`"]
    pub async fn when_acting<R: Outcome>(
        &self,
        reaction: &str,
        react: impl AsyncFn(&Act) -> R,
    ) -> Reacted {
        self.when(async |store: &Store| {
            // Memory can be read.
            let given = store.read(Query::all()).collect().await.unwrap_or_default();
            let Some(event) = given.last() else {
                panic!("nothing has happened that could be acted on: give an event first");
            };
            let act = || Act::on(store, reaction, event);
            let first = Told(react(&act()).await.failed());
            if first.0.is_none() {
                let before = store.head().await.ok();
                if let Some(error) = react(&act()).await.failed() {
                    panic!("the event was handled again, and that failed: {error}");
                }
                let twice = store.read(Query::all().after(before.unwrap_or_default()));
                let twice: Vec<Shown> = twice.collect().await.unwrap_or_default().iter()
                    .map(|event| Shown::stored(&event.name, event.schema_version, &event.payload).in_stream(&event.stream))
                    .collect();
                assert!(
                    twice.is_empty(),
                    "the event was handled again, as after a crash, and these were appended once more\n{}  give commands through `Act`, for each stream the same ones in the same order",
                    list(&twice)
                );
            }
            first
        })
        .await
    }

    /// A store in memory that holds the events, for tests that this does not foresee.
    ///
    /// # Panics
    /// Never: what was given can be stored.
    pub async fn store(&self) -> Store {
        let store = Store::new(MemoryBackend::new())
            .with_clock(Arc::clone(&self.clock))
            .with_ids(Arc::clone(&self.ids));
        let mut batch = Batch::new();
        for (stream, event) in &self.events {
            batch = batch.append(stream.clone(), Expected::Any, [event.clone()]);
        }
        if let Err(error) = store.append_batch(batch).await {
            panic!("{error}");
        }
        store
    }

    fn shown(&self) -> Vec<Shown> {
        let shown = |(stream, event): &(StreamId, NewEvent)| {
            Shown::stored(&event.name, event.schema_version, &event.payload).in_stream(stream)
        };
        self.events.iter().map(shown).collect()
    }
}

#[track_caller]
fn stream_of<A: Apply>(id: &A::Id, tenant: Option<&TenantId>) -> StreamId {
    match StreamId::new(A::CATEGORY, id.to_stream()) {
        Ok(stream) => stream.in_tenant(tenant.cloned()),
        Err(error) => panic!("{error}"),
    }
}

#[track_caller]
fn tenant_of(name: &str) -> TenantId {
    match TenantId::new(name) {
        Ok(tenant) => tenant,
        Err(error) => panic!("{error}"),
    }
}

/// What code that reacts may return: nothing, or a `Result`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what code under test may return",
    note = "return nothing, or a `Result` whose error is `Debug`"
)]
pub trait Outcome {
    /// Why it failed, if it did.
    fn failed(self) -> Option<String>;
}

impl Outcome for () {
    fn failed(self) -> Option<String> {
        None
    }
}

impl<T, E: Debug> Outcome for Result<T, E> {
    fn failed(self) -> Option<String> {
        self.err().map(|error| format!("{error:?}"))
    }
}

/// Why code failed, if it did.
struct Told(Option<String>);

impl Outcome for Told {
    fn failed(self) -> Option<String> {
        self.0
    }
}

/// What a projection made of the events, by [`GivenLog::project`].
#[derive(Debug)]
pub struct Projected<P> {
    state: P,
    events: Vec<Shown>,
}

impl<P> Projected<P> {
    /// The projection is in this state.
    ///
    /// # Panics
    /// When it is in another.
    #[track_caller]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a test writes the state where it is expected"
    )]
    pub fn then_state(self, expected: P) -> Self
    where
        P: PartialEq + Debug,
    {
        assert!(
            self.state == expected,
            "the projection is in another state than expected\n\n  after\n{}  then (- expected, + projected)\n{}",
            list(&self.events),
            states(&expected, &self.state)
        );
        self
    }

    /// Looks at the state with assertions of one's own.
    pub fn then_check(self, check: impl FnOnce(&P)) -> Self {
        check(&self.state);
        self
    }

    /// The state.
    pub fn into_state(self) -> P {
        self.state
    }
}

/// What some code appended, by [`GivenLog::when`].
#[derive(Debug)]
pub struct Reacted {
    given: Vec<Shown>,
    /// What is not yet compared.
    appended: BTreeMap<StreamId, Vec<Shown>>,
    /// What the code returned instead of doing it.
    failed: Option<String>,
    tenant: Option<TenantId>,
}

impl Reacted {
    /// It appended these events to this instance's stream, exactly and in this order. All that it appended there must be
    /// named at once.
    ///
    /// # Panics
    /// When it appended others, or returned an error.
    #[must_use = "end with `.then_nothing_else()`, or with `.then_anything_else()`"]
    #[track_caller]
    pub fn then<A: Apply>(mut self, id: &A::Id, events: impl IntoEvents<A>) -> Self {
        self.succeeded();
        let stream = stream_of::<A>(id, self.tenant.as_ref());
        let expected = Shown::expected(Events::<A>::of(events));
        let appended = self.appended.remove(&stream).unwrap_or_default();
        if let Some(lines) = difference(&expected, &appended) {
            panic!(
                "other events than expected were appended to {stream}\n\n  given\n{}  then (- expected, + appended)\n{lines}  appended to other streams\n{}",
                list(&self.given),
                list(&self.rest())
            );
        }
        self
    }

    /// The streams that are named after this are this tenant's.
    ///
    /// # Panics
    /// When the name is none that a tenant can have.
    #[must_use]
    #[track_caller]
    pub fn in_tenant(mut self, tenant: &str) -> Self {
        self.tenant = Some(tenant_of(tenant));
        self
    }

    /// It returned an error whose `{:?}` holds this text. What it appended before can still be named.
    ///
    /// # Panics
    /// When it returned none, or another.
    #[must_use = "end with `.then_nothing_else()`, or with `.then_anything_else()`"]
    #[track_caller]
    pub fn then_failed(mut self, part: &str) -> Self {
        match self.failed.take() {
            Some(error) => assert!(
                error.contains(part),
                "the code returned another error\n    - {part}\n    + {error}"
            ),
            None => panic!("the code should have returned an error that holds {part:?}"),
        }
        self
    }

    /// It appended nothing that was not named by [`then`](Self::then).
    ///
    /// # Panics
    /// When it did, or returned an error.
    #[track_caller]
    pub fn then_nothing_else(self) {
        self.succeeded();
        assert!(
            self.appended.is_empty(),
            "more was appended than expected\n\n  given\n{}  appended\n{}",
            list(&self.given),
            list(&self.rest())
        );
    }

    /// What else it appended is not looked at.
    ///
    /// # Panics
    /// When it returned an error.
    #[track_caller]
    pub fn then_anything_else(self) {
        self.succeeded();
    }

    #[track_caller]
    fn succeeded(&self) {
        if let Some(error) = &self.failed {
            panic!(
                "the code returned an error: {error}\n\n  given\n{}",
                list(&self.given)
            );
        }
    }

    /// What is not yet compared, with its streams.
    fn rest(&self) -> Vec<Shown> {
        let of_stream = |(stream, events): (&StreamId, &Vec<Shown>)| {
            let events = events.iter().cloned();
            events
                .map(|event| event.in_stream(stream))
                .collect::<Vec<_>>()
        };
        self.appended.iter().flat_map(of_stream).collect()
    }
}
