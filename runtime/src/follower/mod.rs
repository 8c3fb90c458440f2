//! What follows the log and knows how far it got: a projection, a reaction, a relay.
//!
//! They differ in what they do with events and where they keep what comes of that, which is their [`Home`]. All else is one: pages
//! are read, handled and saved together with the position, a rival's save is noticed, a failing event is singled out and may be set
//! aside.

mod aside;
mod error;
mod home;

use std::collections::HashSet;
use std::ops::Deref;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use self::aside::Aside;
pub use self::error::FollowError;
pub use self::home::Home;
pub(crate) use self::home::{Handled, Rebuild, Saved, Turn};
use crate::Store;
use crate::background::unless_it_panics;
use crate::log::{Position, Query, ReadError};
use crate::sql::Batch;
use crate::store::{
    Checkpoint, CheckpointError, DeadLetter, Effects, Lease, ProjectionKey, Reader, Replaces,
};

/// As long as no event was handled, a checkpoint is saved only after so many positions: a state may be large.
const UNSAVED: u64 = 10_000;

/// Follows the log, and knows how far it got.
///
/// By itself it does nothing: [`catch_up`](Self::catch_up) handles what there is, a [`Runner`](crate::runner::Runner) whatever comes.
/// Its kinds are [`Projector`](crate::projection::Projector), [`TableProjector`](crate::projection::TableProjector),
/// [`Reactor`](crate::reaction::Reactor), which have the examples.
#[derive(Debug)]
pub struct Follower<H> {
    store: Store,
    home: H,
    position: Position,
    /// How often the store's checkpoint was saved when it was read or saved here.
    revision: u64,
    /// The home may be ahead of the position: something ended the call when a page was handled and not yet saved, or a method
    /// panicked.
    ahead: bool,
    /// The position that the store's checkpoint has.
    saved: Position,
    /// Another process saves; what is handled here is only to be read.
    stands_by: bool,
    /// The revision that is this follower's alone, where it has the lease: with any other one it may not go on by itself.
    fence: Option<u64>,
    /// Reads on from the position, up to the other one.
    reading: Option<(Reader, Position)>,
    /// An event that could not be handled, which is tried by itself.
    suspect: Option<Position>,
    aside: Aside,
    /// When the last event was recorded that was handled.
    handled_at: Option<DateTime<Utc>>,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// There may be more.
    Went,
    /// At the end that was given.
    AtEnd,
    /// Another process moved the checkpoint: what was handled does not count, and it is to be taken from the store.
    Moved,
}

/// What a catch-up or a rebuild did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// How many stored events were handled.
    pub events: u64,
    /// The position up to which everything is handled.
    pub position: Position,
}

impl<H: Home> Follower<H> {
    /// At the first event; what is kept in the store is not looked at.
    pub(crate) fn at_start(store: &Store, home: H) -> Self {
        Self {
            store: store.clone(),
            home,
            position: Position::START,
            revision: 0,
            ahead: false,
            saved: Position::START,
            stands_by: false,
            fence: None,
            reading: None,
            suspect: None,
            aside: Aside::default(),
            handled_at: None,
        }
    }

    /// Where the store's checkpoint says.
    pub(crate) async fn at_checkpoint(store: &Store, home: H) -> Result<Self, FollowError> {
        let mut follower = Self::at_start(store, home);
        // Without a lease yet, so it takes whatever there is.
        follower.reload().await?;
        Ok(follower)
    }

    /// Handles all events that were stored since, up to the end of the log.
    ///
    /// # Errors
    /// [`FollowError`]; the next call goes on from [`position`](Self::position). What was handled is of this position, but for one
    /// page that may be handled already and not saved; no event of it counts twice, unless it was handled outside of the store.
    ///
    /// # Cancel safety
    /// A dropped future is as an error: the next call goes on.
    pub async fn catch_up(&mut self) -> Result<Progress, FollowError> {
        self.catch_up_to(Position(u64::MAX)).await
    }

    /// As [`catch_up`](Self::catch_up), and tells after each page how far it is: position, events, and where it ends.
    pub(crate) async fn catch_up_telling(
        &mut self,
        mut tell: impl FnMut(Progress, Position) + Send,
    ) -> Result<Progress, FollowError> {
        let end = self.end_of_log().await?;
        let mut events = 0;
        while self.step(end, &mut events).await? != Step::AtEnd {
            let position = self.position;
            tell(Progress { events, position }, end);
        }
        let position = self.position;
        Ok(Progress { events, position })
    }

    /// Handles all events up to and with a position, as far as there are any: the state as it was when the log ended there,
    /// if no later event was handled before.
    ///
    /// # Errors
    /// As [`catch_up`](Self::catch_up).
    ///
    /// # Cancel safety
    /// As [`catch_up`](Self::catch_up).
    pub async fn catch_up_to(&mut self, position: Position) -> Result<Progress, FollowError> {
        // Taken once: an event that is appended after this waits for the next call, so that this one comes to an end.
        let end = self.end_of_log().await?.min(position);
        let mut events = 0;
        while self.step(end, &mut events).await? != Step::AtEnd {}
        Ok(Progress {
            events,
            position: self.position,
        })
    }

    /// The position up to which all events are handled.
    pub fn position(&self) -> Position {
        self.position
    }

    /// How far the end of the log is ahead, in positions: at least as many as there are events to handle.
    ///
    /// # Errors
    /// [`ReadError`] when the store cannot be read.
    pub async fn lag(&self) -> Result<u64, ReadError> {
        Ok(self.store.head().await?.0.saturating_sub(self.position.0))
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// When the last event was recorded that was handled here.
    pub(crate) fn handled_at(&self) -> Option<DateTime<Utc>> {
        self.handled_at
    }

    pub(crate) fn home(&self) -> &H {
        &self.home
    }

    pub(crate) fn home_mut(&mut self) -> &mut H {
        &mut self.home
    }

    /// Begins at the end of the log, unless it has begun before.
    pub(crate) async fn begin_at_end(&mut self) -> Result<(), FollowError> {
        while self.revision == 0 {
            let head = self.store.head().await?;
            let Saved { state, .. } = self.home.save(false)?;
            if self.save(head, state, Effects::default()).await? {
                self.position = head;
            } else {
                self.reload().await?;
            }
        }
        Ok(())
    }

    pub(crate) fn into_home(self) -> H {
        self.home
    }

    /// The position of the last event that there is now.
    pub(crate) async fn end_of_log(&self) -> Result<Position, FollowError> {
        // Known before the log is asked: another process that moves the checkpoint meanwhile may have seen more of the log.
        let known = self.position;
        let head = self.store.head().await?;
        if head < known {
            return Err(FollowError::AheadOfLog {
                projection: self.home.name(),
                position: known,
                head,
            });
        }
        Ok(head)
    }

    /// Handles the next page of events up to a position, and counts them.
    ///
    /// # Cancel safety
    /// As [`catch_up`](Self::catch_up).
    pub(crate) async fn step(
        &mut self,
        end: Position,
        events: &mut u64,
    ) -> Result<Step, FollowError> {
        if !self.refresh().await? {
            return Ok(Step::Moved);
        }
        if end <= self.position {
            self.reading = None;
            // There may be something to do all the same, as to make the tables of a log without events.
            if self.saves() && self.home.is_due(&self.store, true).await? {
                return self.move_to(self.position, Vec::new(), true).await;
            }
            return Ok(Step::AtEnd);
        }
        let stepped = self.read_and_handle(end, events).await;
        if let Err(error) = &stepped {
            // What could not be read or handled is not passed over by the next call.
            self.reading = None;
            self.suspect = error.position().or(self.suspect);
        }
        stepped
    }

    /// What is to be read, from the position on.
    fn query(&self, end: Position) -> Query {
        let mut query = self.home.query().after(self.position).up_to(end);
        // What is set aside is told by its id and stream.
        query.with_context |= self.suspect.is_some() || !self.aside.is_empty();
        query
    }

    async fn read_and_handle(
        &mut self,
        end: Position,
        events: &mut u64,
    ) -> Result<Step, FollowError> {
        if !matches!(&self.reading, Some((_, to)) if *to == end) {
            self.reading = Some((self.store.read(self.query(end)), end));
        }
        let Some((reader, _)) = &mut self.reading else {
            return Ok(Step::Went);
        };
        let Some(page) = reader.next_page().await? else {
            self.reading = None;
            return self.move_to(end, Vec::new(), true).await;
        };
        self.handled_at = page.iter().next_back().map(|record| record.recorded_at());
        let turn = Turn::new(page, self.suspect, &self.aside);
        self.ahead = true;
        let Handled { count, failed } = self.home.handle(&turn).await;
        let stopped = failed.as_ref().map(|(position, _)| *position);
        let done = turn.done(stopped);
        let last = done.last.unwrap_or(self.position);
        let letters = turn.letters(stopped, &self.home);
        let is_whole = turn.is_whole();
        self.ahead = !self.home.moves_in_step() && (count > 0 || !letters.is_empty());
        if !is_whole {
            self.reading = None;
        }
        // What came before an event that cannot be handled is handled, and saved.
        match self.move_to(last, letters, last >= end).await {
            Ok(Step::Moved) => return Ok(Step::Moved),
            Ok(_) => {}
            // Refused with others it is tried by itself before it is called the one at fault: who looks at all of them in the end, as
            // at rules that are deferred, cannot tell.
            Err(FollowError::Statement { position, .. })
                if count > 1 && position > Position::START =>
            {
                (self.suspect, self.reading) = (Some(position), None);
                return Ok(Step::Went);
            }
            Err(error) => return Err(error),
        }
        *events += count;
        if let Some((_, error)) = failed {
            return Err(error);
        }
        self.suspect = self.suspect.filter(|suspect| *suspect > last);
        Ok(Step::Went)
    }

    /// Whether what it does is saved in the store.
    fn saves(&self) -> bool {
        !self.stands_by && self.home.key().is_some()
    }

    /// Saves where the home stands now, if the store keeps it.
    async fn move_to(
        &mut self,
        to: Position,
        letters: Vec<DeadLetter>,
        caught_up: bool,
    ) -> Result<Step, FollowError> {
        let is_due = self.saves()
            && (self.home.is_due(&self.store, caught_up).await?
                || self.ahead
                || to.0.saturating_sub(self.saved.0) >= UNSAVED);
        if is_due {
            self.ahead = true;
            let Saved { state, sql } = self.home.save(caught_up)?;
            let mut effects = Effects::default();
            (effects.sql, effects.set_aside) = (sql, letters);
            if !self.save(to, state, effects).await? {
                return Ok(Step::Moved);
            }
        }
        self.ahead = false;
        self.position = to;
        Ok(Step::Went)
    }

    /// Saves a checkpoint; false when it has moved.
    async fn save(
        &mut self,
        position: Position,
        state: Option<Vec<u8>>,
        effects: Effects,
    ) -> Result<bool, FollowError> {
        let Some(key) = self.home.key() else {
            return Ok(true);
        };
        let checkpoint = Checkpoint {
            revision: self.revision,
            position,
            state,
        };
        let changes = effects
            .set_aside
            .iter()
            .map(|letter| (letter.position, letter.stream.clone()));
        let aside: Vec<_> = changes.collect();
        let backend = self.store.backend();
        let saved = backend.save_checkpoint(self.store.tenant(), key, checkpoint, effects);
        match saved.await {
            Ok(revision) => {
                (self.revision, self.saved, self.ahead) = (revision, position, false);
                self.fence = self.fence.map(|_| revision);
                self.aside.were_saved(aside);
                self.home.was_saved();
                Ok(true)
            }
            Err(CheckpointError::Moved { .. }) => Ok(false),
            Err(error) => Err(FollowError::of_save(self.home.name(), error)),
        }
    }

    /// Takes position and state from the store; one that lives with the process begins at the first event. False, and nothing is
    /// taken, when another process has moved the checkpoint since this one was given the lease.
    pub(crate) async fn reload(&mut self) -> Result<bool, FollowError> {
        let tenant = self.store.tenant();
        let (stored, aside) = match self.home.key() {
            Some(key) => {
                let backend = self.store.backend();
                // First, so that letters which are changed in between are found out by its revision.
                let checkpoint = backend.checkpoint(tenant, key).await?;
                let letters = backend.dead_letters(tenant, key.name).await?;
                (checkpoint, Aside::of(&letters, key.fingerprint))
            }
            None => (None, Aside::default()),
        };
        let revision = stored.as_ref().map_or(0, |stored| stored.revision);
        if self.fence.is_some_and(|fence| fence != revision) {
            return Ok(false);
        }
        self.reading = None;
        let pending = std::mem::take(&mut self.aside);
        self.aside = aside.and_pending(pending);
        self.revision = revision;
        self.position = stored
            .as_ref()
            .map_or(Position::START, |stored| stored.position);
        self.home
            .restore(stored.as_ref().and_then(|stored| stored.state.as_deref()))?;
        if !self.home.is_restored() {
            self.position = Position::START;
        }
        self.saved = self.position;
        self.ahead = false;
        Ok(true)
    }

    /// Whatever is kept is replaced by the next save; tells what that is.
    async fn begin(&mut self) -> Result<Option<Checkpoint>, FollowError> {
        let Some(key) = self.home.key() else {
            return Ok(None);
        };
        let backend = self.store.backend();
        let kept = backend.checkpoint(self.store.tenant(), key).await?;
        self.revision = kept.as_ref().map_or(0, |kept| kept.revision);
        self.fence = self.fence.map(|_| self.revision);
        Ok(kept)
    }

    /// Runs statements with the checkpoint as it is, and lets go of all other versions; false when another process has saved it
    /// since, and there is to be asked anew which statements those are.
    pub(crate) async fn drop_other_versions(&mut self, sql: Batch) -> Result<bool, FollowError> {
        // With nothing that was handled and not saved.
        self.ahead = true;
        let Saved { state, .. } = self.home.save(false)?;
        let mut effects = Effects::default();
        (effects.sql, effects.replaces) = (sql, Replaces::Others);
        self.save(self.position, state, effects).await
    }

    /// Takes what is saved, if it has to; false as [`reload`](Self::reload).
    pub(crate) async fn refresh(&mut self) -> Result<bool, FollowError> {
        Ok(!self.ahead || self.reload().await?)
    }

    /// Whether something that was set aside is to be tried again.
    pub(crate) fn is_to_retry(&self) -> bool {
        self.aside.is_to_retry()
    }

    /// What its checkpoint is kept under, if the store keeps one.
    pub(crate) fn key(&self) -> Option<ProjectionKey<'static>> {
        self.home.key()
    }

    /// From here on it saves, since it was given the lease, unless it has it already and nobody else changed anything.
    pub(crate) fn take_over(&mut self, lease: Lease) {
        self.stands_by = false;
        if self.fence != Some(lease.revision) {
            (self.fence, self.ahead) = (Some(lease.revision), true);
        }
    }

    /// From here on another process saves.
    pub(crate) fn stand_by(&mut self, lease: Lease) {
        (self.stands_by, self.fence) = (true, None);
        // What is set aside, tried again and dropped is that process's to say.
        if !self.aside.is_empty() && lease.revision != self.revision {
            self.ahead = true;
        }
    }

    /// Takes what is saved, before it goes on.
    pub(crate) fn begin_again(&mut self) {
        self.ahead = true;
    }

    /// It did not come to its end: a method panicked. Tells at which event.
    pub(crate) fn panicked(&mut self) -> Position {
        let at = self.home.at();
        self.suspect = Some(at);
        self.reading = None;
        at
    }

    /// Does not handle an event: it is set aside, and every later one of its stream.
    pub(crate) fn set_aside(&mut self, position: Position, error: &FollowError, attempts: u32) {
        self.aside.add(position, error, attempts);
        self.suspect = Some(position);
        self.reading = None;
    }

    /// Handles what was set aside and is to be tried again, in the order of each stream; tells how many events could be handled.
    /// Ends early when somebody else changed something: what is there then is looked at again.
    pub(crate) async fn retry_set_aside(&mut self) -> Result<u64, FollowError> {
        let Some(key) = self.home.key() else {
            return Ok(0);
        };
        let backend = Arc::clone(self.store.backend());
        let letters = backend.dead_letters(self.store.tenant(), key.name).await?;
        let mut held = HashSet::new();
        let mut handled = 0;
        for letter in letters {
            if letter.fingerprint != key.fingerprint || held.contains(&letter.stream) {
                continue;
            }
            let stream = letter.stream.clone();
            match self.retry(letter).await? {
                Retried::Handled => handled += 1,
                // Those behind it wait for it.
                Retried::SetAside => {
                    held.insert(stream);
                }
                Retried::Moved => return Ok(handled),
            }
        }
        // A stream of which nothing is set aside any more is handled again.
        self.ahead = true;
        Ok(handled)
    }

    async fn retry(&mut self, mut letter: DeadLetter) -> Result<Retried, FollowError> {
        if !letter.retry {
            return Ok(Retried::SetAside);
        }
        let position = letter.position;
        let error = match unless_it_panics(self.handle_again(position)).await {
            Ok(Ok(true)) => return Ok(Retried::Handled),
            Ok(Ok(false)) => return Ok(Retried::Moved),
            Ok(Err(error)) if error.position() == Some(position) => error,
            Ok(Err(error)) => return Err(error),
            Err(message) => FollowError::Panicked {
                projection: self.home.name(),
                position,
                message,
            },
        };
        if !self.reload().await? {
            return Ok(Retried::Moved);
        }
        tracing::warn!(
            projection = letter.projection,
            ?error,
            "an event that was set aside failed again"
        );
        (letter.error, letter.attempts) = (error.told(), letter.attempts.saturating_add(1));
        (letter.at, letter.retry) = (Utc::now(), false);
        let mut effects = Effects::default();
        effects.set_aside.push(letter);
        let Saved { state, sql } = self.home.save(false)?;
        effects.sql = sql;
        let saved = self.save(self.position, state, effects).await?;
        Ok(if saved {
            Retried::SetAside
        } else {
            Retried::Moved
        })
    }

    /// Handles one event and settles it, also one that the code does not select any more; false when the checkpoint has moved.
    async fn handle_again(&mut self, position: Position) -> Result<bool, FollowError> {
        let before = Position(position.0.saturating_sub(1));
        let mut query = self.home.query().after(before).up_to(position);
        query.with_context = true;
        let mut reader = self.store.read(query);
        let page = reader.next_page().await?;
        // Until it is saved; should this end before, all is taken from the store again.
        self.ahead = true;
        if let Some(page) = page {
            let none = Aside::default();
            let handled = self.home.handle(&Turn::new(page, None, &none)).await;
            if let Some((_, error)) = handled.failed {
                return Err(error);
            }
        }
        let Saved { state, sql } = self.home.save(false)?;
        let mut effects = Effects::default();
        (effects.sql, effects.settled) = (sql, vec![position]);
        self.save(self.position, state, effects).await
    }
}

/// What came of an event that was set aside.
enum Retried {
    Handled,
    /// It stays where it is.
    SetAside,
    /// Somebody else changed the checkpoint.
    Moved,
}

impl<H: Rebuild> Follower<H> {
    /// Handles all events from the first, beside what is there, which is replaced at the end, in one step: other readers see the
    /// old one until then.
    ///
    /// # Errors
    /// [`FollowError`]; what was there stays.
    ///
    /// # Cancel safety
    /// A dropped future leaves what was there.
    pub async fn rebuild(&mut self) -> Result<Progress, FollowError> {
        let mut fresh = self.beside().await?;
        let events = fresh.catch_up().await?.events;
        self.adopt(fresh).await?;
        Ok(Progress {
            events,
            position: self.position,
        })
    }

    /// The same at the first event, beside this one.
    pub(crate) async fn beside(&self) -> Result<Self, FollowError> {
        let mut fresh = Self::at_start(&self.store, self.home.beside());
        fresh.begin().await?;
        Ok(fresh)
    }

    /// Takes over what was built beside; what is stored is replaced in one step.
    pub(crate) async fn adopt(&mut self, mut fresh: Self) -> Result<(), FollowError> {
        let replaces = fresh
            .home
            .key()
            .map(|key| Replaces::Version(key.fingerprint));
        let letters = fresh.letters().await?;
        loop {
            let Saved { state, sql } = self.home.adoption(&mut fresh.home)?;
            let mut effects = Effects::default();
            (effects.sql, effects.replaces) = (sql, replaces.unwrap_or_default());
            effects.settled = self
                .letters()
                .await?
                .into_iter()
                .map(|it| it.position)
                .collect();
            effects.set_aside = letters.clone();
            if self.save(fresh.position, state, effects).await? {
                break;
            }
            // Whoever else runs it takes what was rebuilt from the store, as soon as it is there. Should this end here, the other's is
            // taken, not replaced by the old one.
            self.ahead = true;
            let kept = self.begin().await?;
            // What is replaced is what is there now, which another rebuild may have put there. Where that cannot be read, nothing of
            // it is needed.
            let _ = self
                .home
                .restore(kept.as_ref().and_then(|kept| kept.state.as_deref()));
        }
        self.home.take(fresh.home);
        (self.position, self.saved) = (fresh.position, fresh.position);
        self.ahead = false;
        self.reading = None;
        self.suspect = None;
        self.aside = fresh.aside;
        Ok(())
    }

    /// What it has set aside.
    async fn letters(&self) -> Result<Vec<DeadLetter>, FollowError> {
        let Some(key) = self.home.key() else {
            return Ok(Vec::new());
        };
        let backend = self.store.backend();
        let mut letters = backend.dead_letters(self.store.tenant(), key.name).await?;
        letters.retain(|letter| letter.fingerprint == key.fingerprint);
        Ok(letters)
    }
}

impl<H: Home + Deref> Deref for Follower<H> {
    type Target = H::Target;

    fn deref(&self) -> &H::Target {
        &self.home
    }
}
