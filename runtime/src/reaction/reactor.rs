//! Reactions that run.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;

use super::{Act, Reaction, ReactionError};
use crate::Store;
use crate::background::unless_it_panics;
use crate::follower::{FollowError, Follower, Handled, Home, Saved, Turn};
use crate::log::{Position, Query, Record};
use crate::store::ProjectionKey;

/// Lets a reaction act on each event, and keeps in the store how far it got.
///
/// An event is handled at least once: when the process dies before it is known to be handled, it is handled again. What the reaction
/// does in the store through its [`Act`] is done once all the same; anything else has the event's id and position to tell.
///
/// A reaction is not done again when its code changes.
///
/// ```
/// # use recount::prelude::*;
/// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct CounterId(String);
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Counted { pub by: i64 }
/// # #[derive(Debug, Clone, Default, Aggregate)] #[aggregate(stream = "counter", id = CounterId)] pub struct Counter { total: i64 }
/// # #[apply] impl Counter { fn counted(&mut self, event: Counted) { self.total += event.by; } }
/// use recount::reaction::Reactor;
/// use std::sync::atomic::{AtomicI64, Ordering};
/// use std::sync::Arc;
///
/// struct Display(Arc<AtomicI64>);
///
/// #[reaction(name = "display", of(Counter))]
/// impl Display {
///     async fn counted(&self, event: Counted) { self.0.fetch_add(event.by, Ordering::Relaxed); }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Store::connect("memory:").await?;
/// Repository::<Counter>::new(&store).create(&CounterId::new("c1")?, Counted { by: 42 }).await?;
///
/// let shown = Arc::new(AtomicI64::new(0));
/// let mut display = Reactor::new(Display(Arc::clone(&shown)), &store).await?;
/// assert_eq!(display.catch_up().await?.events, 1);
/// assert_eq!(shown.load(Ordering::Relaxed), 42);
/// # Ok(()) }
/// ```
pub type Reactor<R> = Follower<Reacting<R>>;

/// The most events between two checkpoints.
const PAGE: usize = 100;

/// What a [`Reactor`] does with events.
#[derive(Debug)]
pub struct Reacting<R> {
    reaction: R,
    store: Store,
    /// How many events at once.
    at_once: usize,
    key: fn(&Record<'_>) -> String,
}

impl<R: Reaction> Reactor<R> {
    /// A reaction that goes on where it was, and begins at the first event of the log.
    ///
    /// # Errors
    /// [`FollowError`] when the checkpoint cannot be read.
    pub async fn new(reaction: R, store: &Store) -> Result<Self, FollowError> {
        let home = Reacting {
            reaction,
            store: store.clone(),
            at_once: 1,
            key: |record| record.stream_id().to_string(),
        };
        Self::at_checkpoint(store, home).await
    }

    /// A reaction that goes on where it was, and begins at the end of the log: what happened before it was there is none of its
    /// business.
    ///
    /// # Errors
    /// [`FollowError`] when the checkpoint cannot be read or saved.
    pub async fn from_now(reaction: R, store: &Store) -> Result<Self, FollowError> {
        let mut reactor = Self::new(reaction, store).await?;
        reactor.begin_at_end().await?;
        Ok(reactor)
    }

    /// Handles so many events at once, but those of one stream one after another, in their order.
    ///
    /// They share one task: it is for reactions that wait, for other systems for example, not for those that compute.
    #[must_use]
    pub fn at_once(mut self, events: usize) -> Self {
        self.home_mut().at_once = events.max(1);
        self
    }

    /// As [`at_once`](Self::at_once), where the order is kept not within each stream but for each key.
    #[must_use]
    pub fn at_once_by(mut self, events: usize, key: fn(&Record<'_>) -> String) -> Self {
        let home = self.home_mut();
        (home.at_once, home.key) = (events.max(1), key);
        self
    }
}

/// The events of one key that wait, in their order.
type Lane<'a> = VecDeque<Record<'a>>;

/// What the workers of one turn share.
struct Shared<'a> {
    lanes: VecDeque<Lane<'a>>,
    count: u64,
    failed: Option<(Position, FollowError)>,
}

impl<R: Reaction> Reacting<R> {
    async fn react(&self, record: Record<'_>) -> Result<(), FollowError> {
        let (projection, position) = (R::NAME, record.position());
        let act = Act::new(&self.store, R::NAME, &record);
        let act = act.map_err(|source| FollowError::Decode { projection, source })?;
        let reacted = unless_it_panics(self.reaction.react(record, &act)).await;
        match reacted {
            Ok(Ok(())) => Ok(()),
            Ok(Err(ReactionError::Decode(source))) => {
                Err(FollowError::Decode { projection, source })
            }
            Ok(Err(ReactionError::Failed(source))) => Err(FollowError::Failed {
                projection,
                position,
                source,
            }),
            Err(message) => Err(FollowError::Panicked {
                projection,
                position,
                message,
            }),
        }
    }

    /// Takes one key after another, until none is left. Once an event has failed, only those before it are handled.
    async fn work(&self, shared: &Mutex<Shared<'_>>) {
        let shared = || shared.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(mut lane) = { shared().lanes.pop_front() } {
            while let Some(record) = lane.pop_front() {
                let position = record.position();
                let is_too_late = |(failed, _): &(Position, FollowError)| *failed < position;
                if shared().failed.as_ref().is_some_and(is_too_late) {
                    break;
                }
                let reacted = self.react(record).await;
                let mut shared = shared();
                match reacted {
                    Ok(()) => shared.count += 1,
                    Err(error) => {
                        if !shared.failed.as_ref().is_some_and(is_too_late) {
                            shared.failed = Some((position, error));
                        }
                        break;
                    }
                }
            }
        }
    }
}

impl<R: Reaction> Home for Reacting<R> {
    const FOLDS: bool = false;

    fn name(&self) -> &'static str {
        R::NAME
    }

    fn key(&self) -> Option<ProjectionKey<'static>> {
        Some(ProjectionKey {
            name: R::NAME,
            fingerprint: 0,
        })
    }

    fn query(&self) -> Query {
        Query::all().any_of(R::selectors()).page_size(PAGE)
    }

    async fn handle(&mut self, turn: &Turn<'_>) -> Handled {
        let mut lanes: VecDeque<Lane<'_>> = VecDeque::new();
        let mut by_key: HashMap<String, usize> = HashMap::new();
        for record in turn.records() {
            // One after another is one key.
            let key = if self.at_once == 1 {
                String::new()
            } else {
                (self.key)(&record)
            };
            let at = *by_key.entry(key).or_insert(lanes.len());
            if at == lanes.len() {
                lanes.push_back(Lane::new());
            }
            if let Some(lane) = lanes.get_mut(at) {
                lane.push_back(record);
            }
        }
        let workers = self.at_once.min(lanes.len());
        let (count, failed) = (0, None);
        let shared = Mutex::new(Shared {
            lanes,
            count,
            failed,
        });
        all((0..workers)
            .map(|_| Box::pin(self.work(&shared)) as _)
            .collect())
        .await;
        let Shared { count, failed, .. } =
            shared.into_inner().unwrap_or_else(PoisonError::into_inner);
        Handled { count, failed }
    }

    fn save(&mut self, _: bool) -> Result<Saved, FollowError> {
        Ok(Saved::default())
    }

    fn restore(&mut self, _: Option<&[u8]>) -> Result<(), FollowError> {
        Ok(())
    }
}

/// The end of all.
async fn all(mut futures: Vec<Pin<Box<dyn Future<Output = ()> + Send + '_>>>) {
    poll_fn(|context| {
        futures.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if futures.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}
