//! Keeping a projection up to date.

use std::ops::Deref;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Projection;
use crate::Store;
use crate::event::DecodeError;
use crate::log::{Position, Query, ReadError};
use crate::store::{Checkpoint, CheckpointError, ProjectionKey, Reader, StoreError};

/// A projection and how far it got: reads the events that it handles, page by page, and folds them.
///
/// Its state lives in memory, or in the store together with its checkpoint, saved in one transaction: each event then
/// counts exactly once, whatever crashes in between and however many processes run it. Derefs to the state.
///
/// ```
/// # use recount::prelude::*;
/// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct CounterId(String);
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Counted { pub by: i64 }
/// # #[derive(Debug, Clone, Default, Aggregate)] #[aggregate(stream = "counter", id = CounterId)] pub struct Counter { total: i64 }
/// # #[apply] impl Counter { fn counted(&mut self, event: Counted) { self.total += event.by; } }
/// use recount::projection::Projector;
///
/// #[derive(Debug, Default, Serialize, Deserialize)]
/// pub struct Total { sum: i64 }
///
/// #[projection(name = "total", of(Counter))]
/// impl Total {
///     fn counted(&mut self, event: Counted) { self.sum += event.by; }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Store::connect("memory:").await?;
/// Repository::<Counter>::new(&store).create(&CounterId::new("c1")?, Counted { by: 42 }).await?;
///
/// let mut total = Projector::<Total>::stored(&store).await?;
/// assert_eq!(total.catch_up().await?.events, 1);
/// assert_eq!((total.sum, total.position()), (42, Position(1)));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Projector<P> {
    store: Store,
    state: P,
    position: Position,
    /// How often the store's checkpoint was saved when it was read or saved here.
    revision: u64,
    home: Home<P>,
    /// The state may be ahead of the position: something ended the call when a page was handled and not yet saved, or a method
    /// panicked.
    ahead: bool,
    /// The position that the store's checkpoint has.
    saved: Position,
    /// Reads on from the position, up to the other one.
    reading: Option<(Reader, Position)>,
}

/// As long as no event was handled, a checkpoint is saved only after so many positions: a state may be large.
const UNSAVED: u64 = 10_000;

/// Where the state lives.
enum Home<P> {
    Memory {
        new: fn() -> P,
    },
    Store {
        new: fn() -> P,
        encode: fn(&P) -> serde_json::Result<Vec<u8>>,
        decode: fn(&[u8]) -> serde_json::Result<P>,
    },
}

impl<P> std::fmt::Debug for Home<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Memory { .. } => "memory",
            Self::Store { .. } => "store",
        })
    }
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

/// Why a projection could not go on. It stands where it stood, and can be caught up again; one whose state cannot be read
/// can be built anew with [`Projector::rebuilt`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectionError {
    /// An event cannot be read.
    #[error("projection {projection} stopped before an event that cannot be read")]
    Decode {
        /// The projection's name.
        projection: &'static str,
        /// The event, and why it cannot be read.
        source: Box<DecodeError>,
    },
    /// The log ends before the position up to which the projection has handled everything: the log is another one, or an older
    /// copy of it was restored. Events that are appended now would be taken for those that were handled.
    #[error(
        "projection {projection} has handled everything up to position {position}, but the log ends at position {head}: it is \
         another log or an older copy; build the projection anew with `Projector::rebuilt`"
    )]
    AheadOfLog {
        /// The projection's name.
        projection: &'static str,
        /// The position where the projection stands.
        position: Position,
        /// The position of the last event that the log has.
        head: Position,
    },
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The state could not be written as JSON, or what is stored is not such a state.
    #[error("the state of projection {projection} cannot be stored or read: {source}")]
    State {
        /// The projection's name.
        projection: &'static str,
        /// What serde said.
        source: serde_json::Error,
    },
    /// The checkpoint could not be read or saved.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// One of its methods panicked, which is said where it is [run in the background](crate::runner).
    #[error("projection {projection} stopped before an event on which it panicked: {message}")]
    Panicked {
        /// The projection's name.
        projection: &'static str,
        /// What the panic said.
        message: String,
    },
}

impl<P: Projection + Default> Projector<P> {
    /// A projection that begins at the first event whenever the process does.
    pub fn in_memory(store: &Store) -> Self {
        Self::at_start(store, Home::Memory { new: P::default })
    }
}

impl<P: Projection + Default + Serialize + DeserializeOwned> Projector<P> {
    /// Kept by its own serde implementation, without the values that JSON would lose.
    fn in_store() -> Home<P> {
        Home::Store {
            new: P::default,
            encode: |state| {
                let mut json = Vec::new();
                crate::event::to_json(state, &mut json).map_err(serde::ser::Error::custom)?;
                Ok(json)
            },
            decode: |bytes| serde_json::from_slice(bytes),
        }
    }

    /// A projection whose state and checkpoint are kept in the store, under its name and the handle's tenant.
    ///
    /// They are saved with the events that it handles. Over others its [position](Self::position) moves on too, but is saved only
    /// every 10,000 positions: made again, it may stand that much further back, with nothing to handle in between.
    ///
    /// When its code has changed since (its [fingerprint](Projection::FINGERPRINT)) it begins at the first event again;
    /// the state that the old code keeps stays untouched beside it.
    ///
    /// # Errors
    /// [`ProjectionError`] when what is stored cannot be read.
    pub async fn stored(store: &Store) -> Result<Self, ProjectionError> {
        let mut projector = Self::at_start(store, Self::in_store());
        projector.reload().await?;
        Ok(projector)
    }

    /// As [`stored`](Self::stored), but from the first event, whatever is kept: for a state that can no longer be read, or
    /// that a mistake in the code made wrong.
    ///
    /// # Errors
    /// As [`rebuild`](Self::rebuild).
    pub async fn rebuilt(store: &Store) -> Result<Self, ProjectionError> {
        let mut projector = Self::at_start(store, Self::in_store());
        projector.rebuild().await?;
        Ok(projector)
    }
}

impl<P: Projection> Projector<P> {
    fn at_start(store: &Store, home: Home<P>) -> Self {
        let (Home::Memory { new } | Home::Store { new, .. }) = home;
        Self {
            store: store.clone(),
            state: new(),
            position: Position::START,
            revision: 0,
            home,
            ahead: false,
            saved: Position::START,
            reading: None,
        }
    }

    /// Handles all events that were stored since, up to the end of the log.
    ///
    /// # Errors
    /// [`ProjectionError`]; the next call goes on from [`position`](Self::position). The state is that of this position, but for one
    /// page that may be handled already and not saved; no event of it counts twice.
    ///
    /// # Cancel safety
    /// A dropped future is as an error: the next call goes on.
    pub async fn catch_up(&mut self) -> Result<Progress, ProjectionError> {
        self.catch_up_to(Position(u64::MAX)).await
    }

    /// Handles all events up to and with a position, as far as there are any: the state as it was when the log ended there,
    /// if no later event was handled before.
    ///
    /// # Errors
    /// As [`catch_up`](Self::catch_up).
    ///
    /// # Cancel safety
    /// As [`catch_up`](Self::catch_up).
    pub async fn catch_up_to(&mut self, position: Position) -> Result<Progress, ProjectionError> {
        // Taken once: an event that is appended after this waits for the next call, so that this one comes to an end.
        let end = self.end_of_log().await?.min(position);
        let mut events = 0;
        while self.step(end, &mut events).await? {}
        Ok(Progress {
            events,
            position: self.position,
        })
    }

    /// The position of the last event that there is now.
    pub(crate) async fn end_of_log(&self) -> Result<Position, ProjectionError> {
        // Known before the log is asked: another process that moves the checkpoint meanwhile may have seen more of the log.
        let known = self.position;
        let head = self.store.head().await?;
        if head < known {
            return Err(ProjectionError::AheadOfLog {
                projection: P::NAME,
                position: known,
                head,
            });
        }
        Ok(head)
    }

    /// Forgets the state and handles all events from the first. A stored state is replaced at the end, in one step, so
    /// other readers of it see the old one until then.
    ///
    /// # Errors
    /// [`ProjectionError`]; the state is then the old one.
    ///
    /// # Cancel safety
    /// A dropped future leaves the old state.
    pub async fn rebuild(&mut self) -> Result<Progress, ProjectionError> {
        let mut fresh = self.beside();
        let events = fresh.catch_up().await?.events;
        self.adopt(fresh).await?;
        Ok(Progress {
            events,
            position: self.position,
        })
    }

    /// The same projection at the first event, in memory.
    pub(crate) fn beside(&self) -> Self {
        let (Home::Memory { new } | Home::Store { new, .. }) = self.home;
        Self::at_start(&self.store, Home::Memory { new })
    }

    /// Takes over what was built beside; a stored state is replaced in one step.
    pub(crate) async fn adopt(&mut self, fresh: Self) -> Result<(), ProjectionError> {
        while let Some(checkpoint) = self.checkpoint_of(&fresh.state, fresh.position)? {
            match self.save(checkpoint).await {
                Ok(revision) => {
                    self.revision = revision;
                    break;
                }
                // Whoever else runs it takes the rebuilt state from the store, as soon as it is there.
                Err(CheckpointError::Moved { actual, .. }) => {
                    // Should this end here, the other's state is taken, not replaced by the old one.
                    (self.revision, self.ahead) = (actual, true);
                }
                Err(CheckpointError::Store(error)) => return Err(error.into()),
            }
        }
        self.state = fresh.state;
        (self.position, self.saved) = (fresh.position, fresh.position);
        self.ahead = false;
        self.reading = None;
        Ok(())
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
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

    /// The state, without the projector.
    pub fn into_state(self) -> P {
        self.state
    }

    /// Handles the next page of events up to a position, and counts them; false once that is reached.
    ///
    /// # Cancel safety
    /// As [`catch_up`](Self::catch_up).
    pub(crate) async fn step(
        &mut self,
        end: Position,
        events: &mut u64,
    ) -> Result<bool, ProjectionError> {
        if self.ahead {
            self.reload().await?;
        }
        if end <= self.position {
            self.reading = None;
            return Ok(false);
        }
        let stepped = self.read_and_handle(end, events).await;
        if stepped.is_err() {
            // What could not be read or handled is not passed over by the next call.
            self.reading = None;
        }
        stepped.map(|()| true)
    }

    async fn read_and_handle(
        &mut self,
        end: Position,
        events: &mut u64,
    ) -> Result<(), ProjectionError> {
        let in_memory = matches!(self.home, Home::Memory { .. });
        if !matches!(&self.reading, Some((_, to)) if *to == end) {
            let mut query = Query::all()
                .any_of(P::selectors())
                .after(self.position)
                .up_to(end);
            query.with_context = P::ASKS_ENVELOPE;
            query.page_size = 4096;
            self.reading = Some((self.store.read(query), end));
        }
        let Some((reader, _)) = &mut self.reading else {
            return Ok(());
        };
        let Some(page) = reader.next_page().await? else {
            self.reading = None;
            self.move_to(end).await?;
            return Ok(());
        };
        // From here to the end of the page nothing waits, so memory's state and position move in step, unless a method panics.
        self.ahead = true;
        let before = self.position;
        let (mut last, mut handled, mut failed) = (before, 0, None);
        for record in page.iter() {
            if let Err(source) = self.state.handle(&record) {
                failed = Some(source);
                break;
            }
            last = record.position();
            handled += 1;
            if in_memory {
                self.position = last;
            }
        }
        self.ahead = !in_memory && handled > 0;
        // What came before an event that cannot be read is handled, and saved.
        if !self.move_to(last).await? {
            return Ok(());
        }
        *events += handled;
        match failed {
            Some(source) => Err(ProjectionError::Decode {
                projection: P::NAME,
                source,
            }),
            None => Ok(()),
        }
    }

    /// Saves where the state stands now, if the store keeps it; false when another process moved the checkpoint.
    async fn move_to(&mut self, to: Position) -> Result<bool, ProjectionError> {
        let is_due = self.ahead || to.0.saturating_sub(self.saved.0) >= UNSAVED;
        if is_due && let Some(checkpoint) = self.checkpoint_of(&self.state, to)? {
            self.ahead = true;
            match self.save(checkpoint).await {
                Ok(revision) => {
                    (self.revision, self.saved, self.ahead) = (revision, to, false);
                }
                Err(CheckpointError::Moved { .. }) => return Ok(false),
                Err(CheckpointError::Store(error)) => return Err(error.into()),
            }
        }
        self.position = to;
        Ok(true)
    }

    fn checkpoint_of(
        &self,
        state: &P,
        position: Position,
    ) -> Result<Option<Checkpoint>, ProjectionError> {
        let Home::Store { encode, .. } = &self.home else {
            return Ok(None);
        };
        let state = encode(state).map_err(|source| ProjectionError::State {
            projection: P::NAME,
            source,
        })?;
        Ok(Some(Checkpoint {
            revision: self.revision,
            position,
            state: Some(state),
        }))
    }

    async fn save(&self, checkpoint: Checkpoint) -> Result<u64, CheckpointError> {
        self.store
            .backend()
            .save_checkpoint(self.store.tenant(), Self::key(), checkpoint)
            .await
    }

    /// Takes state and position from the store; memory has none but the first.
    async fn reload(&mut self) -> Result<(), ProjectionError> {
        let (new, decode) = match self.home {
            Home::Store { new, decode, .. } => (new, decode),
            Home::Memory { new } => {
                (self.state, self.position) = (new(), Position::START);
                (self.ahead, self.reading) = (false, None);
                return Ok(());
            }
        };
        let stored = self
            .store
            .backend()
            .checkpoint(self.store.tenant(), Self::key())
            .await?;
        self.reading = None;
        self.revision = stored.as_ref().map_or(0, |stored| stored.revision);
        (self.state, self.position) = match stored {
            Some(Checkpoint {
                position,
                state: Some(state),
                ..
            }) => {
                let state = decode(&state).map_err(|source| ProjectionError::State {
                    projection: P::NAME,
                    source,
                })?;
                (state, position)
            }
            _ => (new(), Position::START),
        };
        self.saved = self.position;
        self.ahead = false;
        Ok(())
    }

    fn key() -> ProjectionKey<'static> {
        ProjectionKey {
            name: P::NAME,
            fingerprint: P::FINGERPRINT,
        }
    }
}

impl<P> Deref for Projector<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.state
    }
}
