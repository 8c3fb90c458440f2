//! Shows on a terminal how followers do: a line for each, with its state, position, lag and rate, and a bar with the time
//! that is left while it catches up.
//!
//! Lines go to stderr, so that stdout is the same wherever it goes. Where stderr is no terminal there are only the plain lines
//! of [`at_the_end`], which hold nothing that differs between two runs.

use std::io::IsTerminal as _;
use std::pin::pin;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use recount::runner::{Handle, Runner, Status};

/// How often the lines are drawn anew.
const REDRAW: Duration = Duration::from_millis(100);

/// Somebody to be watched, under a name that a person knows it by.
pub type Watched = (String, Handle);

/// All followers of a runner, under their own names.
#[allow(dead_code, reason = "an example with tenants has names of its own")]
pub fn all_of(runner: &Runner) -> Vec<Watched> {
    let handles = runner.handles().into_iter();
    handles
        .map(|handle| (handle.name().to_owned(), handle))
        .collect()
}

/// Shows how followers do while something is waited for.
pub async fn shown_while<T>(followers: &[Watched], coming: impl Future<Output = T>) -> T {
    if !std::io::stderr().is_terminal() {
        return coming.await;
    }
    let lines = Lines::of(followers);
    let mut coming = pin!(coming);
    let mut redraw = tokio::time::interval(REDRAW);
    loop {
        tokio::select! {
            outcome = &mut coming => {
                lines.draw().await;
                lines.all.iter().for_each(|(_, bar)| bar.abandon());
                return outcome;
            }
            _ = redraw.tick() => lines.draw().await,
        }
    }
}

/// Waits until each has handled all that is in the log now, and shows how they do.
pub async fn caught_up(followers: &[Watched]) -> Result<(), recount::runner::WaitError> {
    let all = async {
        for (_, follower) in followers {
            follower.caught_up().await?;
        }
        Ok(())
    };
    shown_while(followers, all).await
}

/// Says how they stand, in one plain line each.
pub async fn at_the_end(followers: &[Watched]) {
    for (name, follower) in followers {
        let Status {
            position,
            lag,
            events,
            ..
        } = follower.status().await;
        eprintln!("{name}: at {position}, {events} events handled, {lag} behind");
    }
}

/// A bar for work that has nothing to do with followers; nothing is seen of it where stderr is no terminal.
#[allow(dead_code, reason = "not every example has such work")]
pub fn bar(what: &str, steps: u64) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    ProgressBar::with_draw_target(Some(steps), target)
        .with_prefix(what.to_owned())
        .with_style(style("{prefix} {bar:24} {pos}/{len} {per_sec}, {eta} left"))
}

/// The lines of followers on a terminal.
struct Lines {
    all: Vec<(Handle, ProgressBar)>,
}

impl Lines {
    fn of(followers: &[Watched]) -> Self {
        let screen = MultiProgress::new();
        let width = followers.iter().map(|(name, _)| name.len()).max();
        let line = |(name, handle): &Watched| {
            let name = format!("{name:<width$}", width = width.unwrap_or(0));
            let bar = screen.add(ProgressBar::no_length().with_prefix(name));
            // Its rate is over what is handled from here on.
            bar.set_position(handle.position().0);
            bar.reset_eta();
            (handle.clone(), bar)
        };
        Self {
            all: followers.iter().map(line).collect(),
        }
    }

    async fn draw(&self) {
        for (follower, bar) in &self.all {
            let status = follower.status().await;
            let Status {
                state,
                position,
                lag,
                rate,
                ..
            } = status;
            let told = format!("{state} at {position}, {lag} behind, {rate:.0}/s");
            bar.set_style(style(if lag > 0 {
                "{prefix} {bar:24} {msg}, {eta} left"
            } else {
                "{prefix} {msg}"
            }));
            bar.set_length(position.0 + lag);
            bar.set_position(position.0);
            bar.set_message(match status.last_error {
                Some((_, error)) if lag > 0 => format!("{told} ({error})"),
                _ => told,
            });
            bar.tick();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    // A template with a mistake shows the default line.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}
