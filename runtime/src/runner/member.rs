//! One projection of a runner: what it is told, what it tells, and its task.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::sync::{RwLock, RwLockWriteGuard, watch};

use super::status::{State, Status};
use crate::Store;
use crate::background::sleep;
use crate::log::{Position, Query, ReadError, Selector};
use crate::projection::{Projection, ProjectionError, Projector};

/// The first pause after the store could not be used; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(50);

/// The longest one.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The shortest time that a rate is taken over.
const RATED: Duration = Duration::from_secs(1);

/// How long the task queues for the state, until it lets those who read go first.
const IN_QUEUE: Duration = Duration::from_millis(50);

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
    /// The events that it handles.
    selectors: Vec<Selector>,
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
    last_error: Option<(DateTime<Utc>, Arc<ProjectionError>)>,
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
    pub(super) fn new<P: Projection>(projector: &Projector<P>) -> Self {
        let (state, position) = (State::CatchingUp, projector.position());
        Self {
            name: P::NAME,
            store: projector.store().clone(),
            selectors: P::selectors(),
            wanted: watch::Sender::new(Wanted::Run),
            reached: watch::Sender::new(Reached { position, state }),
            told: Mutex::new(Told {
                end: position,
                events: 0,
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
        let end = self.told().end;
        let oldest = self.oldest_after(position, end).await;
        // Where nothing is to be handled, it does not matter where the log ends.
        let is_behind = !matches!(oldest, Ok(None));
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
            rate: told.rate(Instant::now()),
            last_error: told.last_error.clone(),
        }
    }

    /// When the first event was recorded that it has to handle between two positions, if there is any.
    async fn oldest_after(
        &self,
        position: Position,
        end: Position,
    ) -> Result<Option<DateTime<Utc>>, ReadError> {
        if end <= position {
            return Ok(None);
        }
        let query = Query::all().any_of(self.selectors.clone());
        let query = query.after(position).up_to(end).limit(1).page_size(1);
        let mut reader = self.store.read(query.without_context());
        let page = reader.next_page().await?;
        Ok(page.and_then(|page| Some(page.get(0)?.recorded_at())))
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

    /// It has handled so many events, since that moment.
    fn has_handled(&self, events: u64, since: Instant) {
        let mut told = self.told();
        if since.saturating_duration_since(told.rated.0) >= RATED {
            told.rate = told.rate(since);
            told.rated = (since, told.events);
        }
        told.events += events;
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
pub(super) struct Ended(pub(super) Arc<Member>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.is(State::Ended);
    }
}

/// The task of one projection.
pub(super) async fn run<P: Projection + Sync>(projector: Arc<RwLock<Projector<P>>>, member: Ended) {
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
                either(changed(&mut wanted), appended.closed()).await;
                continue;
            }
        }
        let caught_up = unless_it_panics(catch_up(&projector, member, &wanted)).await;
        match caught_up.unwrap_or_else(|panic| Err(panicked::<P>(panic.as_ref()))) {
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
                if matches!(error, ProjectionError::AheadOfLog { .. }) {
                    // What it has handled is of another log.
                    member.is_at(Position::START);
                }
                member.failed(error);
                member.is(State::Stopped);
                either(changed(&mut wanted), appended.closed()).await;
            }
        }
    }
}

/// Waits until the task is told something.
async fn changed(wanted: &mut watch::Receiver<Wanted>) {
    // The sender is the member's, which the task holds.
    let _ = wanted.changed().await;
}

/// What comes of the work, or what it panicked with.
async fn unless_it_panics<T>(work: impl Future<Output = T>) -> Result<T, Box<dyn Any + Send>> {
    let mut work = pin!(work);
    std::future::poll_fn(|context| {
        // It is not polled again after a panic, and the projector knows what it must not go on with.
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}

fn panicked<P: Projection>(panic: &(dyn Any + Send)) -> ProjectionError {
    let said = panic.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
    ProjectionError::Panicked {
        projection: P::NAME,
        message: said.unwrap_or("it did not say why").to_owned(),
    }
}

/// The projector for oneself, unless others read it for long.
///
/// Who reads and asks to read once more, within one expression for example, would wait for whoever is in the queue, who waits for
/// them: so that one leaves the queue from time to time.
pub(super) async fn soon_alone<P>(
    projector: &RwLock<Projector<P>>,
) -> Option<RwLockWriteGuard<'_, Projector<P>>> {
    if let Ok(alone) = projector.try_write() {
        return Some(alone);
    }
    let mut alone = None;
    either(
        async { alone = Some(projector.write().await) },
        sleep(IN_QUEUE),
    )
    .await;
    alone
}

/// The projector for the task alone; none when it was told something meanwhile.
async fn alone<'a, P>(
    projector: &'a RwLock<Projector<P>>,
    wanted: &watch::Receiver<Wanted>,
) -> Option<RwLockWriteGuard<'a, Projector<P>>> {
    while !wanted.has_changed().unwrap_or(true) {
        let (mut alone, mut wanted) = (None, wanted.clone());
        let soon = async { alone = soon_alone(projector).await };
        either(soon, changed(&mut wanted)).await;
        if alone.is_some() {
            return alone;
        }
    }
    None
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
        if end.0 - position.0 > 1 || member.reached.borrow().state != State::Live {
            member.is(State::CatchingUp);
        }
        loop {
            // For one page at a time, so that others can read the state in between.
            let Some(mut projector) = alone(projector, wanted).await else {
                return Ok(false);
            };
            let (since, mut events) = (Instant::now(), 0);
            let stepped = projector.step(end, &mut events).await;
            member.has_handled(events, since);
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
