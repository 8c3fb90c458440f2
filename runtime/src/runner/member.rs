//! One projection of a runner: what it is told and what it tells.

use std::any::TypeId;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::metrics::Metrics;
use super::status::{State, Status};
use crate::Store;
use crate::follower::{FollowError, Follower, Home};
use crate::log::{Detail, Position, Query, ReadError, Selector};
use crate::store::{DeadLetter, ProjectionKey, StoreError};

/// The shortest time that a rate is taken over.
pub(super) const RATED: Duration = Duration::from_secs(1);

/// What the task is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Run,
    Pause,
    End,
}

/// What the task and whoever asks for it share.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) store: Store,
    /// What its checkpoint is kept under, if the store keeps one.
    key: Option<ProjectionKey<'static>>,
    /// What it is, whatever it is called.
    of: TypeId,
    /// The tables that it keeps.
    tables: Vec<&'static str>,
    /// The events that it handles.
    pub(super) selectors: Vec<Selector>,
    pub(super) wanted: watch::Sender<Wanted>,
    pub(super) reached: watch::Sender<Reached>,
    told: Mutex<Told>,
    metrics: Metrics,
}

/// How far it is, for those who wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reached {
    pub(super) position: Position,
    pub(super) state: State,
}

/// What is told of it besides.
#[derive(Debug)]
pub(super) struct Told {
    /// Where the log ended when it was asked last.
    pub(super) end: Position,
    events: u64,
    set_aside: u64,
    last_error: Option<(DateTime<Utc>, Arc<FollowError>)>,
    /// Events a second before the moment of `rated`.
    rate: f64,
    /// Since when the rate is taken, and how many events there were.
    rated: (Instant, u64),
}

impl Told {
    /// Events a second, up to a moment.
    fn rate(&self, now: Instant) -> f64 {
        let (since, before) = self.rated;
        let past = now.saturating_duration_since(since);
        if past < RATED {
            return self.rate;
        }
        #[expect(clippy::cast_precision_loss, reason = "a rate, to look at")]
        let events = (self.events - before) as f64;
        events / past.as_secs_f64()
    }
}

impl Member {
    pub(super) fn new<H: Home>(follower: &Follower<H>) -> Self {
        let (state, position) = (State::CatchingUp, follower.position());
        Self {
            name: follower.home().name(),
            store: follower.store().clone(),
            key: follower.key(),
            of: TypeId::of::<H>(),
            tables: follower.home().tables(),
            selectors: follower.home().query().selectors,
            wanted: watch::Sender::new(Wanted::Run),
            reached: watch::Sender::new(Reached { position, state }),
            told: Mutex::new(Told {
                end: position,
                events: 0,
                set_aside: follower.set_aside_so_far(),
                last_error: None,
                rate: 0.0,
                rated: (Instant::now(), 0),
            }),
            metrics: Metrics::new(follower.home().name(), follower.store()),
        }
    }

    /// Why it cannot run beside another one of this process.
    pub(super) fn refusal_beside(&self, other: &Self) -> Option<FollowError> {
        if !Arc::ptr_eq(self.store.backend(), other.store.backend())
            || self.store.tenant() != other.store.tenant()
        {
            return None;
        }
        if self.key.is_some() && self.key == other.key && self.of != other.of {
            return Some(FollowError::NameTaken { name: self.name });
        }
        // Versions of one projection take turns to show theirs.
        if self.name == other.name {
            return None;
        }
        let shared = self
            .tables
            .iter()
            .find(|table| other.tables.contains(table));
        shared.map(|table| FollowError::SharedTable {
            projection: self.name,
            other: other.name.to_owned(),
            table,
        })
    }

    pub(super) fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn last_error(&self) -> Option<Arc<FollowError>> {
        let told = self.told();
        told.last_error.as_ref().map(|(_, error)| Arc::clone(error))
    }

    pub(super) async fn status(&self) -> Status {
        if let Ok(end) = self.store.head().await {
            self.told().end = end;
        }
        let Reached { position, state } = *self.reached.borrow();
        let end = self.told().end;
        let oldest = self.oldest_after(position, end).await;
        // Where nothing is to be handled, it does not matter where the log ends.
        let is_behind = !matches!(oldest, Ok(None));
        let set_aside = self.set_aside(state).await;
        let age = |at: DateTime<Utc>| (Utc::now() - at).to_std().unwrap_or_default();
        let told = self.told();
        Status {
            name: self.name,
            state,
            position,
            lag: if is_behind {
                end.0.saturating_sub(position.0)
            } else {
                0
            },
            lag_time: oldest.ok().map(|oldest| oldest.map_or(Duration::ZERO, age)),
            events: told.events,
            set_aside,
            rate: told.rate(Instant::now()),
            last_error: told.last_error.clone(),
        }
    }

    /// How many events are set aside. The one who runs it knows; of what another process sets aside, the store is asked.
    async fn set_aside(&self, state: State) -> u64 {
        if state == State::Standby
            && let Ok(letters) = self.letters().await
        {
            self.told().set_aside = letters.len() as u64;
        }
        self.told().set_aside
    }

    /// Whether this process knows of anything that is set aside.
    pub(super) fn has_set_aside(&self) -> bool {
        self.told().set_aside > 0
    }

    /// What its version of the code has set aside.
    pub(super) async fn letters(&self) -> Result<Vec<DeadLetter>, StoreError> {
        let Some(key) = self.key else {
            return Ok(Vec::new());
        };
        let mut letters = self.store.dead_letters(key.name).await?;
        letters.retain(|letter| letter.fingerprint == key.fingerprint);
        Ok(letters)
    }

    /// When the first event was recorded that it has to handle between two positions, if there is any.
    pub(super) async fn oldest_after(
        &self,
        position: Position,
        end: Position,
    ) -> Result<Option<DateTime<Utc>>, ReadError> {
        if end <= position {
            return Ok(None);
        }
        let query = Query::all().any_of(self.selectors.clone());
        let query = query.after(position).up_to(end).limit(1).page_size(1);
        let mut reader = self.store.read(query.detail(Detail::Payload));
        let page = reader.next_page().await?;
        Ok(page.and_then(|page| Some(page.get(0)?.recorded_at())))
    }

    pub(super) fn is(&self, state: State) {
        let runs = matches!(state, State::CatchingUp | State::Live | State::Retrying);
        self.metrics.runs(runs);
        if state == State::Standby {
            // Who runs it tells.
            self.metrics.set_aside(0);
        }
        if state == State::Live {
            self.metrics.is_behind(Duration::ZERO);
        }
        self.reached.send_if_modified(|reached| {
            let changed = reached.state != state;
            reached.state = state;
            changed
        });
    }

    /// Whether it has stopped; if so it is taken to go on, so that whoever waits from now on waits for what comes of that.
    pub(super) fn has_stopped(&self) -> bool {
        self.reached.send_if_modified(|reached| {
            let stopped = reached.state == State::Stopped;
            if stopped {
                reached.state = State::CatchingUp;
            }
            stopped
        })
    }

    /// It stands at this position, which another process may have brought it to. Whoever says so holds the projector, so that what
    /// is told is the newest.
    pub(super) fn is_at(&self, position: Position) {
        self.metrics.is_at(position, self.told().end);
        self.reached.send_if_modified(|reached| {
            let changed = reached.position != position;
            reached.position = position;
            changed
        });
    }

    /// What the follower knows, which whoever says so holds: what it set aside, and then where it stands, so that who waits for
    /// the position finds the one with the other.
    pub(super) fn is_as<H: Home>(&self, follower: &Follower<H>, stands_by: bool) {
        let set_aside = follower.set_aside_so_far();
        self.told().set_aside = set_aside;
        self.metrics
            .set_aside(if stands_by { 0 } else { set_aside });
        self.is_at(follower.position());
    }

    /// The last event that it handled was recorded then.
    pub(super) fn is_behind(&self, recorded_at: Option<DateTime<Utc>>) {
        if let Some(at) = recorded_at {
            let age = (Utc::now() - at).to_std();
            self.metrics.is_behind(age.unwrap_or_default());
        }
    }

    /// It has handled so many events, since that moment.
    pub(super) fn has_handled(&self, events: u64, since: Instant) {
        let mut told = self.told();
        if since.saturating_duration_since(told.rated.0) >= RATED {
            told.rate = told.rate(since);
            told.rated = (since, told.events);
        }
        told.events += events;
        self.metrics.handled(events);
    }

    pub(super) fn failed(&self, error: FollowError) {
        tracing::warn!(follower = self.name, error = ?error, "a follower met an error");
        self.metrics.failed();
        self.told().last_error = Some((Utc::now(), Arc::new(error)));
    }
}

/// Says that the task has ended, however it did.
pub(super) struct Ended(pub(super) Arc<Member>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.is(State::Ended);
    }
}

/// Whether somebody still has to wait for a position.
pub(super) fn is_decided(reached: Reached, position: Position) -> Poll<bool> {
    match reached.state {
        _ if reached.position >= position => Poll::Ready(true),
        State::Stopped | State::Ended => Poll::Ready(false),
        _ => Poll::Pending,
    }
}
