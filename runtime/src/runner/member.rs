//! One projection of a runner: what it is told, what it tells, and its task.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::sync::{RwLock, watch};

use super::status::{State, Status};
use crate::Store;
use crate::background::sleep;
use crate::log::{Position, ReadError};
use crate::projection::{Done, Projection, ProjectionError, Projector};

/// The first pause after the store could not be used; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(50);

/// The longest one.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The shortest time that a rate is taken over.
const RATED: Duration = Duration::from_secs(1);

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
    pub(super) wanted: watch::Sender<Wanted>,
    pub(super) reached: watch::Sender<Reached>,
    told: Mutex<Told>,
}

/// How far it is, for those who wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reached {
    pub(super) position: Position,
    pub(super) state: State,
}

/// What is told of it besides.
#[derive(Debug)]
struct Told {
    /// Where the log ended when it was asked last.
    end: Position,
    events: u64,
    recorded_at: Option<DateTime<Utc>>,
    last_error: Option<(DateTime<Utc>, Arc<ProjectionError>)>,
    rate: f64,
    /// When the rate was taken, and how many events there were.
    rated: (Instant, u64),
}

impl Member {
    pub(super) fn new(name: &'static str, store: &Store, position: Position) -> Self {
        let state = State::CatchingUp;
        Self {
            name,
            store: store.clone(),
            wanted: watch::Sender::new(Wanted::Run),
            reached: watch::Sender::new(Reached { position, state }),
            told: Mutex::new(Told {
                end: position,
                events: 0,
                recorded_at: None,
                last_error: None,
                rate: 0.0,
                rated: (Instant::now(), 0),
            }),
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn last_error(&self) -> Option<Arc<ProjectionError>> {
        let told = self.told();
        told.last_error.as_ref().map(|(_, error)| Arc::clone(error))
    }

    pub(super) async fn status(&self) -> Status {
        if let Ok(end) = self.store.head().await {
            self.told().end = end;
        }
        let Reached { position, state } = *self.reached.borrow();
        let told = self.told();
        let lag = told.end.0.saturating_sub(position.0);
        let age = |at: DateTime<Utc>| (Utc::now() - at).to_std().unwrap_or_default();
        Status {
            name: self.name,
            state,
            position,
            lag,
            lag_time: if lag > 0 {
                told.recorded_at.map(age)
            } else {
                Some(Duration::ZERO)
            },
            events: told.events,
            rate: told.rate,
            last_error: told.last_error.clone(),
        }
    }

    fn is(&self, state: State) {
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
        self.reached.send_if_modified(|reached| {
            let changed = reached.position != position;
            reached.position = position;
            changed
        });
    }

    fn has(&self, done: Done) {
        let mut told = self.told();
        told.events += done.events;
        told.recorded_at = done.recorded_at.or(told.recorded_at);
        let (since, before) = told.rated;
        if done.events > 0 && since.elapsed() >= RATED {
            #[expect(clippy::cast_precision_loss, reason = "a rate, to look at")]
            let events = (told.events - before) as f64;
            told.rate = events / since.elapsed().as_secs_f64();
            told.rated = (Instant::now(), told.events);
        }
    }

    fn failed(&self, error: ProjectionError) {
        tracing::warn!(projection = self.name, error = ?error, "a projection met an error");
        self.told().last_error = Some((Utc::now(), Arc::new(error)));
    }
}

/// Whether an error passes by itself.
fn is_transient(error: &ProjectionError) -> bool {
    match error {
        ProjectionError::Read(error) => matches!(error, ReadError::Unavailable { .. }),
        ProjectionError::Store(_) => true,
        _ => false,
    }
}

/// The end of whichever ends first.
async fn either(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    std::future::poll_fn(|context| {
        let one = one.as_mut().poll(context);
        if one.is_ready() {
            return one;
        }
        other.as_mut().poll(context)
    })
    .await;
}

/// Says that the task has ended, however it did.
struct Ended(Arc<Member>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.is(State::Ended);
    }
}

/// The task of one projection.
pub(super) async fn run<P: Projection + Sync>(
    projector: Arc<RwLock<Projector<P>>>,
    member: Arc<Member>,
) {
    let member = Ended(member);
    let member = &member.0;
    // Before the first look at the log, so that what is appended during it wakes.
    let mut appended = member.store.watch();
    let mut wanted = member.wanted.subscribe();
    let mut pause = PAUSE;
    while !appended.is_closed() {
        let told = *wanted.borrow_and_update();
        match told {
            Wanted::End => return,
            Wanted::Run => {}
            Wanted::Pause => {
                member.is(State::Paused);
                changed(&mut wanted).await;
                continue;
            }
        }
        match catch_up(&projector, member, &wanted).await {
            Ok(true) => {
                pause = PAUSE;
                either(appended.changed(), changed(&mut wanted)).await;
            }
            // It was told something else meanwhile.
            Ok(false) => {}
            Err(error) if is_transient(&error) => {
                member.failed(error);
                member.is(State::Retrying);
                either(sleep(pause), changed(&mut wanted)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(error) => {
                member.failed(error);
                member.is(State::Stopped);
                changed(&mut wanted).await;
            }
        }
    }
}

/// Waits until the task is told something.
async fn changed(wanted: &mut watch::Receiver<Wanted>) {
    // The sender is the member's, which the task holds.
    let _ = wanted.changed().await;
}

/// Handles what the log has by now; false when the task was told something before it was done.
async fn catch_up<P: Projection + Sync>(
    projector: &RwLock<Projector<P>>,
    member: &Member,
    wanted: &watch::Receiver<Wanted>,
) -> Result<bool, ProjectionError> {
    loop {
        let (end, position) = {
            let projector = projector.read().await;
            let end = projector.end_of_log().await?;
            member.is_at(projector.position());
            (end, projector.position())
        };
        member.told().end = end;
        if end <= position {
            member.is(State::Live);
            return Ok(true);
        }
        // One event more is handled in no time.
        if end.0 - position.0 > 1 {
            member.is(State::CatchingUp);
        }
        loop {
            if wanted.has_changed().unwrap_or(true) {
                return Ok(false);
            }
            // For one page at a time, so that others can read the state in between.
            let mut projector = projector.write().await;
            let mut done = Done::default();
            let stepped = projector.step(end, &mut done).await;
            member.has(done);
            member.is_at(projector.position());
            if !stepped? {
                break;
            }
        }
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
