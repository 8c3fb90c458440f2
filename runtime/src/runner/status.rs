//! How a projection does.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::causes::with_causes;
use crate::follower::{FollowError, Progress};
use crate::log::Position;

/// How a projection does, at one moment: for people ([`Display`](fmt::Display) is one line) and for metrics.
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
/// use recount::{projection::Projector, runner::{Runner, State}};
///
/// let store = Store::connect("memory:").await?;
/// let runner = Runner::new();
/// let total = runner.add(Projector::<Total>::in_memory(&store));
/// total.wait_for(store.head().await?).await?;
/// for status in runner.status().await {
///     println!("{status}"); // total: live at 0, 0 events handled
///     assert_eq!((status.name, status.lag), ("total", 0));
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Status {
    /// The projection's name.
    pub name: &'static str,
    /// What it does.
    pub state: State,
    /// Everything up to this position is handled.
    pub position: Position,
    /// How far the end of the log is ahead, in positions: at least as many as there are events to handle, and 0 when there are none.
    pub lag: u64,
    /// How long the oldest event that it has to handle has been there; zero when there is none, and unknown while the store cannot
    /// be read.
    pub lag_time: Option<Duration>,
    /// How many events were handled since it was added.
    pub events: u64,
    /// How many events its version of the code has [set aside](super::OnError::set_aside) and not handled since, those behind them in
    /// their streams among them: [`Store::dead_letters`](crate::Store::dead_letters) lists them. Above zero somebody has to look.
    pub set_aside: u64,
    /// Events a second, over the last second or two, and longer while it handles none: it then goes to zero.
    pub rate: f64,
    /// The last error since it was added, and when it came about. One that runs has got over it. As one line with its causes, as this
    /// status's line has it: [`with_causes`](crate::with_causes).
    pub last_error: Option<(DateTime<Utc>, Arc<FollowError>)>,
}

/// What a projection does.
///
/// ```
/// use recount::runner::State;
///
/// assert_eq!(State::CatchingUp.to_string(), "catching up");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It handles events that were there when it looked last.
    CatchingUp,
    /// It has handled all, and waits for more.
    Live,
    /// Another process runs it; this one will when that one ends.
    Standby,
    /// It was [paused](super::Handle::pause).
    Paused,
    /// The store could not be used, or an event could not be handled; it will try again.
    Retrying,
    /// It met an error that does not pass by itself, and waits to be [resumed](super::Handle::resume).
    Stopped,
    /// It does not run any more: its runner was shut down or dropped, or its store was closed.
    Ended,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CatchingUp => "catching up",
            Self::Live => "live",
            Self::Standby => "standing by",
            Self::Paused => "paused",
            Self::Retrying => "retrying",
            Self::Stopped => "stopped",
            Self::Ended => "ended",
        })
    }
}

impl Status {
    /// How long it takes until it has caught up, if it goes on as it does now; `None` when it does not get on.
    ///
    /// It is a guess, and one on the high side: what is between the events that it handles takes no time.
    pub fn time_left(&self) -> Option<Duration> {
        if self.lag == 0 {
            return Some(Duration::ZERO);
        }
        #[expect(clippy::cast_precision_loss, reason = "a guess")]
        let seconds = self.lag as f64 / self.rate;
        Duration::try_from_secs_f64(seconds).ok()
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            state,
            position,
            events,
            ..
        } = self;
        write!(f, "{name}: {state} at {position}, {events} events handled")?;
        if self.rate >= 0.5 {
            write!(f, ", {:.0}/s", self.rate)?;
        }
        if self.lag > 0 {
            write!(f, ", {} behind", self.lag)?;
            if let Some(time) = self.lag_time {
                write!(f, " ({:.1} s)", time.as_secs_f64())?;
            }
        }
        if self.set_aside > 0 {
            write!(f, ", {} set aside", self.set_aside)?;
        }
        match &self.last_error {
            Some((_, error)) if matches!(state, State::Retrying | State::Stopped) => {
                write!(f, ", {}", with_causes(&**error))
            }
            _ => Ok(()),
        }
    }
}

/// How far a rebuild is, at one moment: what [`Live::rebuild_telling`](super::Live::rebuild_telling) tells.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Rebuild {
    /// How many events it has handled, and up to which position.
    pub progress: Progress,
    /// Where the log ended when it began; what was appended since is handled at the end.
    pub end: Position,
    /// How long it has taken so far.
    pub past: Duration,
}

impl Rebuild {
    /// Events a second, so far.
    pub fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a rate, to look at")]
        let events = self.progress.events as f64;
        events / self.past.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// How long it takes from now on, if positions pass as they did so far; `None` at the very beginning.
    pub fn time_left(&self) -> Option<Duration> {
        let done = self.progress.position.0;
        let left = self.end.0.saturating_sub(done);
        #[expect(clippy::cast_precision_loss, reason = "a guess")]
        let share = left as f64 / done as f64;
        Duration::try_from_secs_f64(self.past.as_secs_f64() * share).ok()
    }
}

impl fmt::Display for Rebuild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Progress { events, position } = self.progress;
        write!(
            f,
            "rebuilding: at {position} of {}, {events} events handled",
            self.end
        )?;
        if self.past >= Duration::from_secs(1) {
            write!(f, ", {:.0}/s", self.rate())?;
            if let Some(left) = self.time_left() {
                write!(f, ", {:.0} s left", left.as_secs_f64())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rebuild_tells_its_rate_and_the_time_that_is_left() {
        let (events, position) = (500, Position(1_000));
        let rebuild = |seconds, position| Rebuild {
            progress: Progress { events, position },
            end: Position(4_000),
            past: Duration::from_secs(seconds),
        };
        let told = rebuild(2, position);
        assert!((told.rate() - 250.0).abs() < f64::EPSILON);
        assert_eq!(told.time_left(), Some(Duration::from_secs(6)));
        let text = "rebuilding: at 1000 of 4000, 500 events handled, 250/s, 6 s left";
        assert_eq!(told.to_string(), text);
        assert_eq!(rebuild(0, Position::START).time_left(), None);
    }
}
