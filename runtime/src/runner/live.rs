//! What a projection that runs can be asked for.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::{RwLock, RwLockReadGuard};

use super::member::{Member, Wanted, is_decided};
use super::status::{Rebuild, State, Status};
use super::task::wait_alone;
use crate::background::sleep;
use crate::causes::with_causes;
use crate::follower::{self, FollowError, Follower, Progress};
use crate::log::{Position, Selector};
use crate::store::{DeadLetter, StoreError};

/// How soon a store is asked again that could not be read.
const ASKS_AGAIN: Duration = Duration::from_millis(100);

/// A projection that runs: its status, to pause and to resume it, to wait for it. A clone is the same projection.
///
/// ```
/// # use recount::prelude::*;
/// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct CounterId(String);
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Counted { pub by: i64 }
/// # #[derive(Debug, Clone, Default, Aggregate)] #[aggregate(stream = "counter", id = CounterId)] pub struct Counter { total: i64 }
/// # #[apply] impl Counter { fn counted(&mut self, event: Counted) { self.total += event.by; } }
/// # #[derive(Debug, Default)] pub struct Total { sum: i64 }
/// # #[projection(name = "total", of(Counter))] impl Total { fn counted(&mut self, event: Counted) { self.sum += event.by; } }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use recount::{projection::Projector, runner::Runner};
///
/// let store = Store::connect("memory:").await?;
/// let runner = Runner::new();
/// runner.add(Projector::<Total>::in_memory(&store));
/// for handle in runner.handles() {
///     handle.pause();
///     assert_eq!(handle.name(), "total");
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Handle(Arc<Member>);

impl Handle {
    pub(super) fn of(member: Arc<Member>) -> Self {
        Self(member)
    }

    pub(super) fn member(&self) -> &Arc<Member> {
        &self.0
    }

    /// The projection's name.
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// The position up to which everything is handled.
    pub fn position(&self) -> Position {
        self.0.reached.borrow().position
    }

    /// How it does now. The log is asked where it ends; while it cannot be, what was known last is told.
    pub async fn status(&self) -> Status {
        self.0.status().await
    }

    /// Lets it stop after the page that it handles, until it is [resumed](Self::resume). Where this process runs it, no other one does
    /// meanwhile; where this process stands by, it does not go on instead of the other.
    pub fn pause(&self) {
        self.want(Wanted::Pause);
    }

    /// Lets it go on, whatever it has stopped for; nothing once its runner was shut down.
    pub fn resume(&self) {
        self.0.has_stopped();
        self.want(Wanted::Run);
    }

    fn resume_if_stopped(&self) {
        if self.0.has_stopped() {
            self.want(Wanted::Run);
        }
    }

    /// Waits until everything up to a position is handled: with the position that an append returned, until it is seen.
    ///
    /// What was [set aside](super::OnError::set_aside) counts as handled here, though it is not seen;
    /// [`until_seen_by`](crate::Repository::until_seen_by) tells the one from the other.
    ///
    /// It waits for one that is paused too; give it a limit with `tokio::time::timeout` where that may be.
    ///
    /// # Errors
    /// [`WaitError`] when it has stopped or ended before that.
    ///
    /// # Cancel safety
    /// It may be dropped at any time.
    pub async fn wait_for(&self, position: Position) -> Result<(), WaitError> {
        let mut reached = self.0.reached.subscribe();
        // The sender lives as long as this handle.
        let last = reached.wait_for(|reached| is_decided(*reached, position).is_ready());
        // What is waited for is locked until it is copied: to look at it again before that would wait for a writer who waits for this.
        let last = last.await.map(|last| *last);
        let last = last.unwrap_or_else(|_| *self.0.reached.borrow());
        if is_decided(last, position) == Poll::Ready(true) {
            return Ok(());
        }
        let stopped = last.state == State::Stopped;
        Err(WaitError {
            projection: self.0.name,
            position,
            reached: last.position,
            source: stopped.then(|| self.0.last_error()).flatten(),
        })
    }

    /// Waits until everything is handled that is in the log now.
    ///
    /// # Errors
    /// As [`wait_for`](Self::wait_for); while the store cannot be read it waits.
    ///
    /// # Cancel safety
    /// It may be dropped at any time.
    pub async fn caught_up(&self) -> Result<(), WaitError> {
        let end = loop {
            match self.0.store.head().await {
                Ok(end) => break end,
                Err(_) if self.0.reached.borrow().state == State::Ended => {
                    break Position(u64::MAX);
                }
                Err(_) => sleep(ASKS_AGAIN).await,
            }
        };
        self.wait_for(end).await
    }

    /// What it has set aside. The store is asked only where there may be something.
    pub(crate) async fn letters(&self) -> Result<Vec<DeadLetter>, StoreError> {
        let stands_by = self.0.reached.borrow().state == State::Standby;
        if !stands_by && !self.0.has_set_aside() {
            return Ok(Vec::new());
        }
        self.0.letters().await
    }

    /// Whether it is given events of this stored name.
    pub(crate) fn handles(&self, category: &str, name: &str) -> bool {
        let selectors = &self.0.selectors;
        let fits = |selector: &Selector| selector.fits(category, name);
        selectors.is_empty() || selectors.iter().any(fits)
    }

    pub(super) fn want(&self, wanted: Wanted) {
        self.0.wanted.send_if_modified(|was| {
            let ends = *was == Wanted::End;
            if !ends {
                *was = wanted;
            }
            !ends
        });
    }
}

/// A projection that runs, with its state: what [`Runner::add`](super::Runner::add) returns. Derefs to its [`Handle`].
pub struct Live<F> {
    handle: Handle,
    follower: Arc<RwLock<F>>,
}

impl<F> Live<F> {
    pub(super) fn new(handle: Handle, follower: Arc<RwLock<F>>) -> Self {
        Self { handle, follower }
    }

    /// The state as it is between two pages; the guard derefs to the projector, and that to the state.
    ///
    /// While the guard lives the projection waits: take what you need and let it go, before you wait for a position above all.
    /// Two guards at once hinder nobody but the projection.
    pub async fn read(&self) -> RwLockReadGuard<'_, F> {
        self.follower.read().await
    }
}

impl<H: follower::Rebuild> Live<Follower<H>> {
    /// Builds it anew from the first event, without a pause for those who read it: the new state is built beside the old one, which
    /// is kept up to date meanwhile, and takes its place when it has caught up. One that has stopped goes on then.
    ///
    /// # Errors
    /// [`FollowError`]; the old state stays.
    ///
    /// # Cancel safety
    /// A dropped future leaves the old state or, where it is kept in the store, the new one.
    pub async fn rebuild(&self) -> Result<Progress, FollowError> {
        self.rebuild_telling(|_| {}).await
    }

    /// As [`rebuild`](Self::rebuild), and tells after each page of events how far it is: for a progress bar.
    ///
    /// ```
    /// # use recount::prelude::*;
    /// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct CounterId(String);
    /// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Counted { pub by: i64 }
    /// # #[derive(Debug, Clone, Default, Aggregate)] #[aggregate(stream = "counter", id = CounterId)] pub struct Counter { total: i64 }
    /// # #[apply] impl Counter { fn counted(&mut self, event: Counted) { self.total += event.by; } }
    /// # #[derive(Debug, Default)] pub struct Total { sum: i64 }
    /// # #[projection(name = "total", of(Counter))] impl Total { fn counted(&mut self, event: Counted) { self.sum += event.by; } }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use recount::{projection::Projector, runner::Runner};
    /// # let store = Store::connect("memory:").await?;
    /// # Repository::<Counter>::new(&store).create(&CounterId::new("c1")?, Counted { by: 42 }).await?;
    /// let runner = Runner::new();
    /// let total = runner.add(Projector::<Total>::in_memory(&store));
    /// let rebuilt = total.rebuild_telling(|rebuild| println!("{rebuild}")).await?; // rebuilding: at 1 of 1, 1 events handled
    /// assert_eq!(rebuilt.events, 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`rebuild`](Self::rebuild).
    ///
    /// # Cancel safety
    /// As [`rebuild`](Self::rebuild).
    pub async fn rebuild_telling(
        &self,
        mut tell: impl FnMut(&Rebuild) + Send,
    ) -> Result<Progress, FollowError> {
        let mut fresh = self.read().await.beside().await?;
        let begun = Instant::now();
        let told = |progress: Progress, end| {
            let past = begun.elapsed();
            tell(&Rebuild {
                progress,
                end,
                past,
            });
        };
        let mut events = fresh.catch_up_telling(told).await?.events;
        let mut follower = wait_alone(&self.follower).await;
        // What was handled meanwhile; from here on nothing is handled beside it.
        events += fresh.catch_up().await?.events;
        follower.adopt(fresh).await?;
        let position = follower.position();
        let stands_by = self.handle.0.reached.borrow().state == State::Standby;
        self.handle.0.is_as(&*follower, stands_by);
        drop(follower);
        self.handle.resume_if_stopped();
        Ok(Progress { events, position })
    }
}

impl<F> Clone for Live<F> {
    fn clone(&self) -> Self {
        Self::new(self.handle.clone(), Arc::clone(&self.follower))
    }
}

impl<F> fmt::Debug for Live<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Live").field(&self.handle).finish()
    }
}

impl<F> Deref for Live<F> {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

fn why(stopped: Option<&FollowError>) -> String {
    match stopped {
        Some(error) => {
            let error = with_causes(error);
            format!("has stopped: {error}; `resume` lets it try again")
        }
        None => "does not run any more".to_owned(),
    }
}

/// The projection stopped, or ended, before it had handled what was waited for.
#[derive(Debug, thiserror::Error)]
#[error(
    "projection {projection} stands at position {reached}, before position {position}, and {}",
    why(source.as_deref())
)]
#[non_exhaustive]
pub struct WaitError {
    /// The projection's name.
    pub projection: &'static str,
    /// What was waited for.
    pub position: Position,
    /// The position up to which everything is handled.
    pub reached: Position,
    /// What it stopped for; none when it [ended](State::Ended).
    pub source: Option<Arc<FollowError>>,
}
