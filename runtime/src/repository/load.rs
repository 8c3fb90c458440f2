//! From a stream to a state: now, at a version, as of a time.

use chrono::{DateTime, Utc};

use super::{LoadError, Repository, snapshot};
use crate::aggregate::{Apply, EventContext, Events, Journal, Root};
use crate::event::{DecodeError, Event as _, PayloadError, StoredEvent};
use crate::log::{Detail, Position, Query, Record, StreamId, Version};

/// How far a fold got.
pub(super) struct Folded<A> {
    pub(super) state: Option<A>,
    pub(super) version: Version,
    pub(super) recorded_at: DateTime<Utc>,
    /// Where the last event stands in the log.
    pub(super) position: Position,
}

impl<A: Apply> Folded<A> {
    pub(super) fn from_start() -> Self {
        Self {
            state: A::start(),
            version: Version::NONE,
            recorded_at: DateTime::<Utc>::MIN_UTC,
            position: Position::START,
        }
    }

    /// What a snapshot says; when and where its event stands is read from the log.
    fn from_snapshot((version, state): (Version, A)) -> Self {
        Self {
            state: Some(state),
            version,
            ..Self::from_start()
        }
    }

    /// Records what was decided, and folds it.
    pub(super) fn record(&mut self, journal: &mut Journal, events: Events<A>) {
        for event in events {
            journal.record(event, |event, _, context| self.evolve(event, context));
        }
    }

    /// Records what was decided, and folds what will be read of it: an event may hold more than is stored of it, such as a field that
    /// is skipped, or a time that is cut to seconds. False where something cannot be read; that is folded as it was decided.
    pub(super) fn record_as_stored(&mut self, journal: &mut Journal, events: Events<A>) -> bool {
        let mut is_read = true;
        for event in events {
            journal.record(event, |event, payload, context| {
                let stored = StoredEvent {
                    name: event.name(),
                    schema_version: event.schema_version(),
                    payload,
                };
                let Ok(decoded) = A::Event::decode(stored) else {
                    is_read = false;
                    return self.evolve(event, context);
                };
                decoded
                    .into_iter()
                    .try_for_each(|event| self.evolve(event, context))
            });
        }
        is_read
    }

    fn evolve(&mut self, event: A::Event, context: &EventContext) -> Result<(), PayloadError> {
        match &mut self.state {
            Some(state) => state.evolve(event, context),
            None => A::create(event, context).map(|created| self.state = Some(created)),
        }
    }

    /// Goes on to what was recorded on it and is stored by now.
    pub(super) fn advance(&mut self, recorded: &Journal, position: Position) {
        if recorded.version > self.version {
            self.version = recorded.version;
            self.recorded_at = recorded.recorded_at;
            self.position = position;
        }
    }

    /// Folds the stream's next event; one that does not follow is an error, for a hole means that the store is damaged.
    fn fold(&mut self, record: &Record<'_>) -> Result<(), Box<DecodeError>> {
        let expected = self.version.next();
        if record.version() != expected {
            return Err(DecodeError::at(record, PayloadError::Gap { expected }));
        }
        A::replay(&mut self.state, record)?;
        self.version = record.version();
        self.recorded_at = record.recorded_at();
        self.position = record.position();
        Ok(())
    }
}

impl<A: Apply> Repository<A> {
    /// The aggregate as it is now.
    ///
    /// # Errors
    /// [`LoadError::NotFound`] when there is no event, also where the state has a `Default`, which only commands start from
    /// ([`find`](Self::find) gives `None` then); [`LoadError::Decode`] when one cannot be read or folded.
    ///
    /// # Cancel safety
    /// Reads only.
    pub async fn load(&self, id: &A::Id) -> Result<Root<A>, LoadError> {
        let stream = self.stream(id)?;
        let known = self.cache.as_ref().and_then(|cache| cache.get(&stream));
        let before = known.as_ref().map(|known| known.version);
        let folded = self.fold(&stream, known, None).await?;
        if let Some(cache) = &self.cache
            && before != Some(folded.version)
        {
            cache.put(&stream, cache.copy(&folded));
        }
        self.root(id, stream, folded)
    }

    /// The aggregate as it is now, or `None` when there is no event.
    ///
    /// # Errors
    /// As [`load`](Self::load), but for [`LoadError::NotFound`].
    ///
    /// # Cancel safety
    /// Reads only.
    pub async fn find(&self, id: &A::Id) -> Result<Option<Root<A>>, LoadError> {
        match self.load(id).await {
            Err(LoadError::NotFound { .. }) => Ok(None),
            found => found.map(Some),
        }
    }

    /// The aggregate as it was when it had this version.
    ///
    /// # Errors
    /// [`LoadError::BeyondEnd`] when the stream has not reached it; [`LoadError::NotFound`] when there is no event, and
    /// for version 0. The rest as [`load`](Self::load).
    pub async fn load_at(&self, id: &A::Id, version: Version) -> Result<Root<A>, LoadError> {
        let stream = self.stream(id)?;
        if version == Version::NONE {
            return Err(LoadError::NotFound { stream });
        }
        let folded = self.fold(&stream, None, Some(version)).await?;
        if folded.version != Version::NONE && folded.version < version {
            return Err(LoadError::BeyondEnd {
                stream,
                asked: version,
                last: folded.version,
            });
        }
        self.root(id, stream, folded)
    }

    /// The aggregate as it was at a time: the events before the first one that was recorded later.
    ///
    /// # Errors
    /// [`LoadError::NotFound`] when no event was recorded by then. The rest as [`load`](Self::load).
    pub async fn load_as_of(&self, id: &A::Id, time: DateTime<Utc>) -> Result<Root<A>, LoadError> {
        let stream = self.stream(id)?;
        let mut folded = Folded::from_start();
        let mut reader = self
            .store
            .read(bounded(&stream, Version::NONE, None, A::ASKS_CONTEXT));
        'pages: while let Some(page) = reader.next_page().await? {
            for record in page.iter() {
                if record.recorded_at() > time {
                    break 'pages;
                }
                folded.fold(&record)?;
            }
        }
        self.root(id, stream, folded)
    }

    /// Folds a stream up to a version or its end: from a root that is known, else from a snapshot where one can be used.
    pub(super) async fn fold(
        &self,
        stream: &StreamId,
        known: Option<Folded<A>>,
        to: Option<Version>,
    ) -> Result<Folded<A>, LoadError> {
        let known = match known {
            None if self.snapshots.is_on() => {
                let snapshot = snapshot::find::<A>(&self.store, stream, to).await;
                snapshot.map(Folded::from_snapshot)
            }
            known => known,
        };
        if let Some(known) = known
            && let Some(folded) = self.fold_on(stream, known, to).await?
        {
            return Ok(folded);
        }
        let mut folded = Folded::from_start();
        self.fold_from(stream, Version::NONE, &mut folded, to)
            .await?;
        Ok(folded)
    }

    /// Folds what follows a known state; `None` when the stream does not hold the event that it stands at.
    async fn fold_on(
        &self,
        stream: &StreamId,
        mut folded: Folded<A>,
        to: Option<Version>,
    ) -> Result<Option<Folded<A>>, LoadError> {
        // The read begins with that event: it tells that the log has it, and its time.
        let query = bounded(stream, folded.version, to, A::ASKS_CONTEXT);
        let mut reader = self.store.read(query);
        let mut found = false;
        while let Some(page) = reader.next_page().await? {
            for record in page.iter() {
                if found {
                    folded.fold(&record)?;
                    continue;
                }
                if record.version() != folded.version {
                    return Ok(None);
                }
                found = true;
                folded.recorded_at = record.recorded_at();
                folded.position = record.position();
            }
        }
        Ok(found.then_some(folded))
    }

    async fn fold_from(
        &self,
        stream: &StreamId,
        from: Version,
        folded: &mut Folded<A>,
        to: Option<Version>,
    ) -> Result<(), LoadError> {
        let mut reader = self.store.read(bounded(stream, from, to, A::ASKS_CONTEXT));
        while let Some(page) = reader.next_page().await? {
            for record in page.iter() {
                folded.fold(&record)?;
            }
        }
        Ok(())
    }

    fn root(&self, id: &A::Id, stream: StreamId, folded: Folded<A>) -> Result<Root<A>, LoadError> {
        match folded.state {
            Some(state) if folded.version != Version::NONE => Ok(Root::new(
                id.clone(),
                state,
                self.journal(stream, folded.version, folded.recorded_at),
            )),
            _ => Err(LoadError::NotFound { stream }),
        }
    }
}

fn bounded(stream: &StreamId, from: Version, to: Option<Version>, asks_context: bool) -> Query {
    let mut query = Query::stream(stream).from_version(from);
    if !asks_context {
        query.detail = Detail::Place;
    }
    match to {
        Some(to) => query.to_version(to),
        None => query,
    }
}
