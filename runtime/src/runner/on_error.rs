//! What to do about an event that cannot be handled.

use std::time::Duration;

use crate::follower::FollowError;
use crate::log::Position;

/// The longest pause between two attempts.
const LONGEST: Duration = Duration::from_secs(30);

/// What is done about an event that cannot be handled: first it is tried again, and then the projection stops before it, or sets it
/// aside and goes on.
///
/// What is tried again is what may pass by itself: an error that a reaction's method returned, or a statement that the database
/// refused. An event that cannot be read, or on which a method panics, is the same the next time. A store that cannot be used is no
/// fault of the event: that is tried again for ever.
///
/// ```
/// use recount::runner::OnError;
/// use std::time::Duration;
///
/// let on_error = OnError::set_aside().retries(3).pause(Duration::from_millis(200));
/// assert_ne!(on_error, OnError::stop());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnError {
    retries: u32,
    pause: Duration,
    sets_aside: bool,
}

impl OnError {
    /// Five more attempts, after 100, 200, 400, 800 and 1,600 milliseconds; then it [stops](super::State::Stopped). The default.
    pub fn stop() -> Self {
        Self {
            retries: 5,
            pause: Duration::from_millis(100),
            sets_aside: false,
        }
    }

    /// As many attempts; then the event is set aside, with all later ones of its stream, and the others go on:
    /// see [`Store::dead_letters`](crate::Store::dead_letters). Where the store keeps no checkpoint, in memory, it stops.
    pub fn set_aside() -> Self {
        Self {
            sets_aside: true,
            ..Self::stop()
        }
    }

    /// With so many attempts after the first.
    #[must_use]
    pub fn retries(self, retries: u32) -> Self {
        Self { retries, ..self }
    }

    /// With this pause before the first further attempt; before each one after it twice as long, and half a minute at most.
    #[must_use]
    pub fn pause(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }
}

impl Default for OnError {
    fn default() -> Self {
        Self::stop()
    }
}

/// What is done next.
pub(super) enum Next {
    Retry(Duration),
    /// The event, and how often it was tried.
    SetAside(Position, u32),
    Stop,
}

/// How often the event was tried that cannot be handled.
pub(super) struct Troubles {
    on_error: OnError,
    position: Option<Position>,
    attempts: u32,
}

impl Troubles {
    pub(super) fn new(on_error: OnError) -> Self {
        Self {
            on_error,
            position: None,
            attempts: 0,
        }
    }

    pub(super) fn are_over(&mut self) {
        (self.position, self.attempts) = (None, 0);
    }

    /// After an error that has to do with an event, or with nothing that passes.
    pub(super) fn next(&mut self, error: &FollowError) -> Next {
        let Some(position) = error.position() else {
            return Next::Stop;
        };
        if self.position != Some(position) {
            (self.position, self.attempts) = (Some(position), 0);
        }
        self.attempts += 1;
        let may_pass = matches!(
            error,
            FollowError::Failed { .. } | FollowError::Statement { .. }
        );
        if may_pass && self.attempts <= self.on_error.retries {
            let doubled = 1_u32.checked_shl(self.attempts - 1).unwrap_or(u32::MAX);
            return Next::Retry(self.on_error.pause.saturating_mul(doubled).min(LONGEST));
        }
        let attempts = self.attempts;
        self.are_over();
        if self.on_error.sets_aside {
            Next::SetAside(position, attempts)
        } else {
            Next::Stop
        }
    }
}
