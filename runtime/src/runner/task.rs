//! The task of one projection of a runner.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{RwLock, RwLockWriteGuard, watch};

use super::hold::Hold;
use super::member::{Ended, Member, RATED, Wanted};
use super::on_error::{Next, OnError, Troubles};
use super::status::State;
use crate::background::{either, sleep, unless_it_panics};
use crate::follower::{FollowError, Follower, Home, Step};
use crate::log::{Position, ReadError};

/// The first pause after the store could not be used; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(50);

/// The longest one.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long the task queues for the state, until it lets those who read go first.
const IN_QUEUE: Duration = Duration::from_millis(50);

/// How soon one that stands by looks again how far the other process is, while that is behind; where it stays where it is, after
/// pauses that grow to a second.
const LOOKS: Duration = Duration::from_millis(25);

/// How soon one that does nothing asks again for its lease, when it could not be asked.
const RENEWS_AGAIN: Duration = Duration::from_secs(1);

/// The task of one projection; it cannot run `beside` another one, if there is such.
pub(super) async fn run<H: Home>(
    follower: Arc<RwLock<Follower<H>>>,
    member: Ended,
    beside: Option<Arc<Member>>,
    mut hold: Hold,
    on_error: OnError,
) {
    let member = &member.0;
    // Before the first look at the log, so that what is appended during it wakes.
    let mut appended = member.store.watch();
    let mut wanted = member.wanted.subscribe();
    let (mut pause, mut looks) = (PAUSE, LOOKS);
    let mut troubles = Troubles::new(on_error);
    while !appended.is_closed() {
        let told = *wanted.borrow_and_update();
        if told == Wanted::End {
            break;
        }
        if told == Wanted::Pause {
            member.is(State::Paused);
            stay(&mut wanted, &appended, &mut hold).await;
            continue;
        }
        let refused = beside.as_ref();
        if let Some(error) = refused.and_then(|other| member.refusal_beside(other)) {
            member.failed(error);
            member.is(State::Stopped);
            stay(&mut wanted, &appended, &mut hold).await;
            continue;
        }
        let worked = match hold.ask().await.map_err(FollowError::from) {
            Err(error) => Err(error),
            Ok(()) if tell(&follower, &wanted, &mut hold).await => {
                if hold.is_held() || H::FOLDS {
                    work(&follower, member, &wanted, &mut hold).await
                } else {
                    stand_by(member, &mut hold).await
                }
            }
            Ok(()) => continue,
        };
        match worked {
            Ok(Worked::Waits) => {
                pause = PAUSE;
                troubles.are_over();
                let woken = either(appended.changed(), changed(&mut wanted));
                either(woken, hold.pause()).await;
            }
            Ok(Worked::Again { has_moved }) => {
                looks = if has_moved {
                    LOOKS
                } else {
                    (looks * 2).min(RATED)
                };
                either(sleep(looks), changed(&mut wanted)).await;
            }
            // It was told something else meanwhile, or another process has the lease.
            Ok(Worked::Interrupted) => {}
            Err(error) if is_transient(&error) => {
                member.failed(error);
                member.is(State::Retrying);
                either(sleep(pause), changed(&mut wanted)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            // Whoever has the lease sees to it; here it begins again from what that one saves.
            Err(error) if !hold.is_held() => {
                wait_alone(&follower).await.begin_again();
                member.failed(error);
                member.is(State::Standby);
                either(changed(&mut wanted), hold.pause()).await;
            }
            Err(error) => {
                if matches!(error, FollowError::AheadOfLog { .. }) {
                    // What it has handled is of another log.
                    member.is_at(Position::START);
                }
                match troubles.next(&error) {
                    Next::Retry(pause) => {
                        member.failed(error);
                        member.is(State::Retrying);
                        either(sleep(pause), changed(&mut wanted)).await;
                    }
                    Next::SetAside(position, attempts) if follower.read().await.key().is_some() => {
                        let mut follower = wait_alone(&follower).await;
                        follower.set_aside(position, &error, attempts);
                        member.failed(error);
                    }
                    _ => {
                        member.failed(error);
                        member.is(State::Stopped);
                        stay(&mut wanted, &appended, &mut hold).await;
                    }
                }
            }
        }
    }
    hold.release().await;
}

/// Tells the follower what is new about the lease; false when the task was told something first.
async fn tell<H: Home>(
    follower: &RwLock<Follower<H>>,
    wanted: &watch::Receiver<Wanted>,
    hold: &mut Hold,
) -> bool {
    let Some(mut follower) = alone(follower, wanted).await else {
        return false;
    };
    match hold.news() {
        Some(lease) if lease.is_held => follower.take_over(lease),
        Some(lease) => follower.stand_by(lease),
        None => {}
    }
    true
}

/// Waits until the task is told something, and keeps the lease if it is had, so that no other process goes on instead, or meets the
/// same event.
async fn stay(
    wanted: &mut watch::Receiver<Wanted>,
    appended: &crate::store::Watch,
    hold: &mut Hold,
) {
    while !wanted.has_changed().unwrap_or(true) && !appended.is_closed() {
        let told = either(changed_here(wanted), appended.closed());
        if hold.is_held() {
            either(told, hold.pause()).await;
        } else {
            told.await;
        }
        if wanted.has_changed().unwrap_or(true) {
            return;
        }
        if let Err(error) = hold.keep().await {
            tracing::debug!(%error, "a lease could not be renewed");
            either(changed_here(wanted), sleep(RENEWS_AGAIN)).await;
        }
    }
}

/// How work ended.
enum Worked {
    /// All is handled; more will be appended.
    Waits,
    /// Another process is about to handle what there is; whether it has come nearer since the last look.
    Again { has_moved: bool },
    /// There is something to look at first.
    Interrupted,
}

/// Handles what the log has by now, for as long as the lease is had.
async fn work<H: Home>(
    follower: &RwLock<Follower<H>>,
    member: &Member,
    wanted: &watch::Receiver<Wanted>,
    hold: &mut Hold,
) -> Result<Worked, FollowError> {
    let mut done = None;
    let stands_by = !hold.is_held();
    let caught_up = async {
        let caught_up = catch_up(follower, member, wanted, stands_by);
        done = Some(unless_it_panics(caught_up).await);
    };
    if stands_by {
        either(caught_up, hold.pause()).await;
    } else {
        either(caught_up, hold.until_lost()).await;
    }
    match done {
        None => {
            // The work was dropped in the middle: only what is saved counts.
            hold.doubt();
            Ok(Worked::Interrupted)
        }
        Some(Ok(Ok(Caught::Up))) => Ok(Worked::Waits),
        Some(Ok(Ok(Caught::Told))) => Ok(Worked::Interrupted),
        Some(Ok(Ok(Caught::Moved))) => {
            hold.doubt();
            Ok(Worked::Interrupted)
        }
        Some(Ok(Err(error))) => Err(error),
        Some(Err(message)) => Err(FollowError::Panicked {
            projection: member.name,
            position: wait_alone(follower).await.panicked(),
            message,
        }),
    }
}

/// Tells how far the process is that has the lease.
async fn stand_by(member: &Member, hold: &mut Hold) -> Result<Worked, FollowError> {
    member.is(State::Standby);
    let end = member.store.head().await?;
    // Afterwards, so that it is not behind what was appended before.
    let position = hold.look().await?;
    member.told().end = end;
    // While nothing is to be handled, that process does not save how far it is.
    if position < end && member.oldest_after(position, end).await?.is_some() {
        let has_moved = member.reached.borrow().position != position;
        member.is_at(position);
        return Ok(Worked::Again { has_moved });
    }
    member.is_at(position.max(end));
    Ok(Worked::Waits)
}

/// Waits until the task is told something.
async fn changed(wanted: &mut watch::Receiver<Wanted>) {
    // The sender is the member's, which the task holds.
    let _ = wanted.changed().await;
}

/// As [`changed`], and it can be seen afterwards that it was.
async fn changed_here(wanted: &watch::Receiver<Wanted>) {
    changed(&mut wanted.clone()).await;
}

/// The follower for oneself, unless others read it for long.
///
/// Who reads and asks to read once more, within one expression for example, would wait for whoever is in the queue, who waits for
/// them: so that one leaves the queue from time to time.
pub(super) async fn soon_alone<H>(
    follower: &RwLock<Follower<H>>,
) -> Option<RwLockWriteGuard<'_, Follower<H>>> {
    if let Ok(alone) = follower.try_write() {
        return Some(alone);
    }
    let mut alone = None;
    either(
        async { alone = Some(follower.write().await) },
        sleep(IN_QUEUE),
    )
    .await;
    alone
}

/// The follower for oneself, however long others read it.
pub(super) async fn wait_alone<H>(
    follower: &RwLock<Follower<H>>,
) -> RwLockWriteGuard<'_, Follower<H>> {
    loop {
        if let Some(alone) = soon_alone(follower).await {
            return alone;
        }
    }
}

/// The follower for the task alone; none when it was told something meanwhile.
async fn alone<'a, H>(
    follower: &'a RwLock<Follower<H>>,
    wanted: &watch::Receiver<Wanted>,
) -> Option<RwLockWriteGuard<'a, Follower<H>>> {
    while !wanted.has_changed().unwrap_or(true) {
        let mut alone = None;
        let soon = async { alone = soon_alone(follower).await };
        either(soon, changed_here(wanted)).await;
        if alone.is_some() {
            return alone;
        }
    }
    None
}

/// How a catch-up ended.
enum Caught {
    /// Everything is handled.
    Up,
    /// The task was told something before that.
    Told,
    /// Another process may have the lease.
    Moved,
}

/// Handles what the log has by now.
async fn catch_up<H: Home>(
    follower: &RwLock<Follower<H>>,
    member: &Member,
    wanted: &watch::Receiver<Wanted>,
    stands_by: bool,
) -> Result<Caught, FollowError> {
    let at_rest = if stands_by {
        State::Standby
    } else {
        State::Live
    };
    {
        let Some(mut follower) = alone(follower, wanted).await else {
            return Ok(Caught::Told);
        };
        // Although there may be nothing new in the log.
        if !follower.refresh().await? {
            return Ok(Caught::Moved);
        }
        if !stands_by && follower.is_to_retry() {
            let events = follower.retry_set_aside().await?;
            member.has_handled(events, Instant::now());
        }
    }
    loop {
        let (end, position) = {
            let follower = follower.read().await;
            let end = follower.end_of_log().await?;
            member.is_as(&follower, stands_by);
            (end, follower.position())
        };
        member.told().end = end;
        if end <= position {
            member.is(at_rest);
            return Ok(Caught::Up);
        }
        // One event more is handled in no time.
        if end.0 - position.0 > 1 || member.reached.borrow().state != State::Live {
            member.is(State::CatchingUp);
        }
        loop {
            // For one page at a time, so that others can read the state in between.
            let Some(mut follower) = alone(follower, wanted).await else {
                return Ok(Caught::Told);
            };
            let (since, mut events) = (Instant::now(), 0);
            let stepped = follower.step(end, &mut events).await;
            member.has_handled(events, since);
            if stepped.is_ok() && follower.position() >= end {
                // Before its position is told, so that who has waited for that finds it so.
                member.is(at_rest);
            }
            member.is_as(&follower, stands_by);
            member.is_behind(follower.handled_at());
            match stepped? {
                Step::Went => {}
                Step::AtEnd => break,
                Step::Moved => return Ok(Caught::Moved),
            }
        }
    }
}

/// Whether an error passes by itself.
fn is_transient(error: &FollowError) -> bool {
    match error {
        FollowError::Read(error) => matches!(error, ReadError::Unavailable { .. }),
        FollowError::Store(_) => true,
        FollowError::Unpublished { source, .. } => source.is_transient(),
        _ => false,
    }
}
