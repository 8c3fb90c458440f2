//! Projections that run themselves: kept up to date in the background, watched, paused and waited for.
//!
//! A [`Runner`] holds any number of them. Each has a task of its own, so one that is slow or fails delays no other: it catches up
//! page by page, then waits for appends, by this process and by any other. What it can be asked for is a [`Live`] handle: the
//! state, a [status](Status), to pause and resume, to wait until an event is handled.
//!
//! # When something fails
//! While the store cannot be reached, a projection tries again, after pauses that grow to five seconds, and goes on where it
//! stood. What a method returned as an error, or a statement that was refused, is tried again five times within three seconds or so.
//! After that, and at once on anything else, as an event that cannot be read or a method that panics, it [stops](State::Stopped)
//! before that event, with the error in its status, and every other goes on; [`Handle::resume`] lets it try again. [`OnError`] says
//! how often, and whether to set the event aside instead. After a panic that is done from
//! where the state was saved last, in memory from the first event: until then the state may hold a part of what was handled.
//!
//! # Metrics
//! With the feature `metrics`, each tells the crate of that name, under the labels `follower` and `tenant`: counters
//! `recount_events_handled_total` and `recount_errors_total`, gauges `recount_position`, `recount_lag_positions`,
//! `recount_lag_seconds` (how old the last event was when it was handled), `recount_set_aside` and `recount_running`.
//!
//! # Several processes
//! A [stored](crate::projection::Projector::stored) projection may run in several processes at once: each event counts once, since a
//! checkpoint is saved by one of them alone. One [in memory](crate::projection::Projector::in_memory) has its own state in each.

mod hold;
mod live;
mod member;
mod metrics;
mod on_error;
mod status;
mod task;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::RwLock;
use tokio::task::JoinHandle;

use self::hold::Hold;
pub use self::live::{Handle, Live, WaitError};
use self::member::{Ended, Member, Wanted};
pub use self::on_error::OnError;
pub use self::status::{Rebuild, State, Status};
use self::task::run;
use crate::follower::{Follower, Home};

/// Runs projections in the background.
///
/// Dropped, it lets them end after the page that they handle; [`shutdown`](Self::shutdown) waits for that, and for the leases to be given
/// back: without it a program that ends at once may keep them until their time is over.
///
/// ```
/// # use recount::prelude::*;
/// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct CounterId(String);
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Counted { pub by: i64 }
/// # #[derive(Debug, Clone, Default, Aggregate)] #[aggregate(stream = "counter", id = CounterId)] pub struct Counter { total: i64 }
/// # #[apply] impl Counter { fn counted(&mut self, event: Counted) { self.total += event.by; } }
/// use recount::projection::Projector;
/// use recount::runner::Runner;
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
/// let runner = Runner::new();
/// let total = runner.add(Projector::<Total>::stored(&store).await?);
///
/// let counters = Repository::<Counter>::new(&store);
/// let appended = counters.create(&CounterId::new("c1")?, Counted { by: 42 }).await?;
/// total.wait_for(appended.position).await?; // read what was written
/// assert_eq!(total.read().await.sum, 42);
///
/// runner.shutdown().await;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Runner {
    members: Mutex<Vec<(Handle, JoinHandle<()>)>>,
    lease: Duration,
}

/// How long a lease lasts unless it is renewed.
const LEASE: Duration = Duration::from_secs(6);

/// The shortest lease: a renewal takes some milliseconds.
const SHORTEST_LEASE: Duration = Duration::from_millis(100);

impl Default for Runner {
    fn default() -> Self {
        Self {
            members: Mutex::default(),
            lease: LEASE,
        }
    }
}

impl Runner {
    /// A runner without projections.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, where a process that dies is missed after this time; 6 seconds unless said otherwise. Leases are renewed three
    /// times as often, which is a small write for each projection.
    #[must_use]
    pub fn with_lease(self, lease: Duration) -> Self {
        let lease = lease.max(SHORTEST_LEASE);
        Self {
            members: Mutex::new(std::mem::take(&mut *self.members())),
            lease,
        }
    }

    /// Begins to run a projection from where it stands, on the store and for the tenant that it was made with.
    ///
    /// One that cannot run beside those that were added before [stops](State::Stopped) at once: a reaction or a relay of a name that
    /// another has ([`FollowError::NameTaken`](crate::projection::FollowError::NameTaken)), a projection of which another has a table
    /// ([`FollowError::SharedTable`](crate::projection::FollowError::SharedTable)).
    ///
    /// # Panics
    /// Outside of a tokio runtime, as [`tokio::spawn`] does.
    pub fn add<H: Home>(&self, follower: Follower<H>) -> Live<Follower<H>> {
        self.add_with(follower, OnError::default())
    }

    /// As [`add`](Self::add), and says what to do about an event that cannot be handled.
    ///
    /// # Panics
    /// As [`add`](Self::add).
    pub fn add_with<H: Home>(&self, follower: Follower<H>, on_error: OnError) -> Live<Follower<H>> {
        let member = Arc::new(Member::new(&follower));
        let hold = Hold::new(follower.store(), follower.key(), self.lease);
        let follower = Arc::new(RwLock::new(follower));
        let ended = Ended(Arc::clone(&member));
        let mut members = self.members();
        let mut others = members.iter().map(|(handle, _)| handle.member());
        let beside = others
            .find(|other| member.refusal_beside(other).is_some())
            .cloned();
        let task = tokio::spawn(run(Arc::clone(&follower), ended, beside, hold, on_error));
        let handle = Handle::of(member);
        members.push((handle.clone(), task));
        drop(members);
        Live::new(handle, follower)
    }

    /// How each projection does, in the order in which they were added.
    pub async fn status(&self) -> Vec<Status> {
        let handles = self.handles();
        let mut all = Vec::with_capacity(handles.len());
        for handle in handles {
            all.push(handle.status().await);
        }
        all
    }

    /// The handle of each projection, in the order in which they were added; [`Handle::name`] tells them apart.
    pub fn handles(&self) -> Vec<Handle> {
        let members = self.members();
        members.iter().map(|(handle, _)| handle.clone()).collect()
    }

    /// Lets each projection end after the page that it handles, and waits for that. Nothing is lost: they go on from there when they
    /// are run again.
    pub async fn shutdown(self) {
        for handle in self.handles() {
            handle.want(Wanted::End);
        }
        let members = std::mem::take(&mut *self.members());
        for (_, task) in members {
            // However it ended.
            let _ = task.await;
        }
    }

    fn members(&self) -> std::sync::MutexGuard<'_, Vec<(Handle, JoinHandle<()>)>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        for handle in self.handles() {
            handle.want(Wanted::End);
        }
    }
}
