//! What follows the log and knows how far it got: a projection, a reaction, a relay.
//!
//! They differ in what they do with events and where they keep what comes of that, which is their [`Home`]. All else is one: pages
//! are read, handled and saved together with the position, a rival's save is noticed, a failing event is singled out and may be set
//! aside.

mod aside;
mod error;
mod home;
mod rebuild;
mod retries;
mod saved;

use std::ops::Deref;

use chrono::{DateTime, Utc};

use self::aside::Aside;
pub use self::error::FollowError;
pub use self::home::Home;
pub(crate) use self::home::{Handled, Rebuild, Saved, Turn};
use crate::Store;
use crate::log::{Detail, Position, Query, ReadError};
use crate::store::{DeadLetter, Effects, Reader};

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
        let query = self.home.query().after(self.position).up_to(end);
        if self.reads_all() {
            query.detail(Detail::Full)
        } else {
            query
        }
    }

    /// Whether events are read with what only the telling of an error needs: what is set aside is told by its id and stream.
    fn reads_all(&self) -> bool {
        self.suspect.is_some() || !self.aside.is_empty()
    }

    async fn read_and_handle(
        &mut self,
        end: Position,
        events: &mut u64,
    ) -> Result<Step, FollowError> {
        if !matches!(&self.reading, Some((_, to)) if *to == end) {
            self.reading = Some((self.store.read(self.query(end)), end));
        }
        // Of an event that fails it is not read what its error tells.
        let is_blind = self.home.query().detail < Detail::Full && !self.reads_all();
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
        match failed {
            Some((position, _)) if is_blind => {
                (self.suspect, self.reading) = (Some(position), None);
                return Ok(Step::Went);
            }
            Some((_, error)) => return Err(error),
            None => {}
        }
        self.suspect = self.suspect.filter(|suspect| *suspect > last);
        Ok(Step::Went)
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

    /// It did not come to its end: a method panicked. Tells at which event.
    pub(crate) fn panicked(&mut self) -> Position {
        let at = self.home.at();
        self.suspect = Some(at);
        self.reading = None;
        at
    }
}

impl<H: Home + Deref> Deref for Follower<H> {
    type Target = H::Target;

    fn deref(&self) -> &H::Target {
        &self.home
    }
}
