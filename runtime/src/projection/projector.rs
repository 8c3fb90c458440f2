//! Projections that fold their state.

use std::ops::Deref;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Projection;
use crate::Store;
use crate::follower::{FollowError, Follower, Handled, Home, Rebuild, Saved, Turn};
use crate::log::{Detail, Position, Query};
use crate::store::ProjectionKey;

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
pub type Projector<P> = Follower<Fold<P>>;

/// The most events in a page.
const PAGE: usize = 4096;

/// The state of a [`Projector`], and whether the store keeps it. Derefs to the state.
#[derive(Debug)]
pub struct Fold<P> {
    state: P,
    kept: Kept<P>,
    /// The event that is being handled.
    at: Position,
    restored: bool,
}

/// Where the state is kept.
enum Kept<P> {
    InMemory {
        new: fn() -> P,
    },
    InStore {
        new: fn() -> P,
        encode: fn(&P) -> serde_json::Result<Vec<u8>>,
        decode: fn(&[u8]) -> serde_json::Result<P>,
    },
}

impl<P> std::fmt::Debug for Kept<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::InMemory { .. } => "in memory",
            Self::InStore { .. } => "in the store",
        })
    }
}

impl<P> Kept<P> {
    fn new_state(&self) -> P {
        let (Self::InMemory { new } | Self::InStore { new, .. }) = self;
        new()
    }
}

impl<P> Fold<P> {
    fn new(kept: Kept<P>) -> Self {
        Self {
            state: kept.new_state(),
            kept,
            at: Position::START,
            restored: false,
        }
    }
}

// The bound stands on the function: so whoever gives a type that is no projection is told what it lacks, and what runs it instead. On an
// `async` one it would be told three times.
impl<P> Projector<P> {
    /// A projection that begins at the first event whenever the process does.
    pub fn in_memory(store: &Store) -> Self
    where
        P: Projection + Default,
    {
        let kept = Kept::InMemory { new: P::default };
        Self::at_start(store, Fold::new(kept))
    }
}

impl<P: Projection + Default + Serialize + DeserializeOwned> Projector<P> {
    /// Kept by its own serde implementation, without the values that JSON would lose.
    fn in_store() -> Fold<P> {
        Fold::new(Kept::InStore {
            new: P::default,
            encode: |state| {
                let mut json = Vec::new();
                crate::event::to_json(state, &mut json).map_err(serde::ser::Error::custom)?;
                Ok(json)
            },
            decode: |bytes| serde_json::from_slice(bytes),
        })
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
    /// [`FollowError`] when what is stored cannot be read.
    pub async fn stored(store: &Store) -> Result<Self, FollowError> {
        Self::at_checkpoint(store, Self::in_store()).await
    }

    /// As [`stored`](Self::stored), but from the first event, whatever is kept: for a state that can no longer be read, or
    /// that a mistake in the code made wrong.
    ///
    /// # Errors
    /// As [`rebuild`](Self::rebuild).
    pub async fn rebuilt(store: &Store) -> Result<Self, FollowError> {
        let mut projector = Self::at_start(store, Self::in_store());
        projector.rebuild().await?;
        Ok(projector)
    }
}

impl<P: Projection> Projector<P> {
    /// The state, without the projector.
    pub fn into_state(self) -> P {
        self.into_home().state
    }
}

impl<P: Projection> Home for Fold<P> {
    const FOLDS: bool = true;

    fn name(&self) -> &'static str {
        P::NAME
    }

    fn key(&self) -> Option<ProjectionKey<'static>> {
        match self.kept {
            Kept::InMemory { .. } => None,
            Kept::InStore { .. } => Some(ProjectionKey {
                name: P::NAME,
                fingerprint: P::FINGERPRINT,
            }),
        }
    }

    fn query(&self) -> Query {
        let detail = if P::ASKS_ENVELOPE {
            Detail::Full
        } else {
            Detail::Payload
        };
        Query::all()
            .any_of(P::selectors())
            .page_size(PAGE)
            .detail(detail)
    }

    async fn handle(&mut self, turn: &Turn<'_>) -> Handled {
        let mut count = 0;
        for record in turn.records() {
            self.at = record.position();
            if let Err(source) = self.state.handle(&record) {
                let projection = P::NAME;
                let failed = Some((self.at, FollowError::Decode { projection, source }));
                return Handled { count, failed };
            }
            count += 1;
        }
        let failed = None;
        Handled { count, failed }
    }

    fn at(&self) -> Position {
        self.at
    }

    fn save(&mut self, _: bool) -> Result<Saved, FollowError> {
        let state = match &self.kept {
            Kept::InMemory { .. } => None,
            Kept::InStore { encode, .. } => Some(encode(&self.state).map_err(unusable::<P>)?),
        };
        Ok(Saved {
            state,
            ..Saved::default()
        })
    }

    fn restore(&mut self, saved: Option<&[u8]>) -> Result<(), FollowError> {
        let state = match (&self.kept, saved) {
            (Kept::InStore { decode, .. }, Some(saved)) => {
                Some(decode(saved).map_err(unusable::<P>)?)
            }
            _ => None,
        };
        self.restored = state.is_some();
        self.state = state.unwrap_or_else(|| self.kept.new_state());
        Ok(())
    }

    fn is_restored(&self) -> bool {
        self.restored
    }
}

impl<P: Projection> Rebuild for Fold<P> {
    /// In memory, until it takes the place of this one.
    fn beside(&self) -> Self {
        let (Kept::InMemory { new } | Kept::InStore { new, .. }) = self.kept;
        Self::new(Kept::InMemory { new })
    }

    fn adoption(&self, fresh: &mut Self) -> Result<Saved, FollowError> {
        let state = match &self.kept {
            Kept::InMemory { .. } => None,
            Kept::InStore { encode, .. } => Some(encode(&fresh.state).map_err(unusable::<P>)?),
        };
        Ok(Saved {
            state,
            ..Saved::default()
        })
    }

    fn take(&mut self, fresh: Self) {
        (self.state, self.restored) = (fresh.state, true);
    }
}

fn unusable<P: Projection>(source: serde_json::Error) -> FollowError {
    FollowError::State {
        projection: P::NAME,
        source,
    }
}

impl<P> Deref for Fold<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.state
    }
}
