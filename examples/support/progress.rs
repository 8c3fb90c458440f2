//! Shows on a terminal how followers do: a line for each, with its state, position, lag and rate, and a bar with the time
//! that is left while it catches up.
//!
//! Lines go to stderr, so that stdout is the same wherever it goes. Where stderr is no terminal there are only the plain lines
//! of [`at_the_end`], which hold nothing that differs between two runs.

use std::fmt::Write;
use std::io::IsTerminal as _;
use std::pin::pin;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use recount::runner::{Handle, Rebuild, Runner, Status};

/// How often the lines are drawn anew.
const REDRAW: Duration = Duration::from_millis(100);

/// What takes longer leaves a line for each follower.
const WORTH_A_WORD: Duration = Duration::from_secs(1);

/// The line of one that has nothing to do, or cannot go on.
const STANDING: &str = "{prefix} {msg}";

/// The line of one that catches up.
const MOVING: &str = "{prefix} {bar:24} {msg}, {eta} left";

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

/// Shows how followers do while something is waited for; what takes no time shows nothing.
pub async fn shown_while<T>(followers: &[Watched], coming: impl Future<Output = T>) -> T {
    let mut coming = pin!(coming);
    if !std::io::stderr().is_terminal() {
        return coming.await;
    }
    let (mut lines, began) = (None, Instant::now());
    let mut redraw = tokio::time::interval_at((began + REDRAW).into(), REDRAW);
    let outcome = loop {
        tokio::select! {
            outcome = &mut coming => break outcome,
            _ = redraw.tick() => lines.get_or_insert_with(|| Lines::of(followers)).draw().await,
        }
    };
    if let Some(lines) = lines {
        lines.clear();
        if began.elapsed() > WORTH_A_WORD {
            tell(followers).await;
        }
    }
    outcome
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

/// Says how they stand, in one line each: a plain one where stderr is no terminal.
pub async fn at_the_end(followers: &[Watched]) {
    if std::io::stderr().is_terminal() {
        return tell(followers).await;
    }
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

async fn tell(followers: &[Watched]) {
    for (name, follower) in followers {
        eprintln!("{name}: {}", line(&follower.status().await));
    }
}

/// Status as a person reads it.
fn line(status: &Status) -> String {
    let Status {
        state,
        position,
        lag,
        rate,
        ..
    } = status;
    let place = format!("{state} at {position}, {lag} behind");
    match &status.last_error {
        Some((_, error)) if *lag > 0 => {
            format!("{place}: {}", recount::with_causes(&**error))
        }
        // It is over the last second or two, so at first there is none.
        _ if *rate < 0.5 => place,
        _ => format!("{place}, {rate:.0} a second"),
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
        .with_style(style(
            "{prefix} {bar:24} {pos} of {len}, {rate}, {eta} left",
        ))
}

/// Moves a [`bar`] to where a rebuild is.
#[allow(dead_code, reason = "not every example builds anything anew")]
pub fn of_rebuild(bar: &ProgressBar, rebuild: &Rebuild) {
    bar.set_length(rebuild.end.0);
    bar.set_position(rebuild.progress.position.0);
}

/// The lines of followers on a terminal.
struct Lines {
    screen: MultiProgress,
    all: Vec<(Handle, ProgressBar)>,
}

impl Lines {
    fn of(followers: &[Watched]) -> Self {
        let screen = MultiProgress::new();
        let width = followers.iter().map(|(name, _)| name.len()).max();
        let line = |(name, handle): &Watched| {
            let name = format!("{name:<width$}", width = width.unwrap_or(0));
            // Its time is over what is handled from here on.
            let bar = ProgressBar::no_length()
                .with_style(style(STANDING))
                .with_prefix(name)
                .with_position(handle.position().0);
            bar.reset_eta();
            (handle.clone(), screen.add(bar))
        };
        let all = followers.iter().map(line).collect();
        Self { screen, all }
    }

    async fn draw(&self) {
        for (follower, bar) in &self.all {
            let status = follower.status().await;
            let is_moving = status.lag > 0 && status.last_error.is_none();
            bar.set_length(status.position.0 + status.lag);
            bar.set_position(status.position.0);
            bar.set_message(line(&status));
            bar.set_style(style(if is_moving { MOVING } else { STANDING }));
            bar.tick();
        }
    }

    fn clear(&self) {
        for (_, bar) in &self.all {
            bar.finish_and_clear();
        }
        // Where that cannot be done, old lines stay.
        let _ = self.screen.clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    // A template with a mistake shows the default line.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("rate", |bar: &ProgressState, text: &mut dyn Write| {
            // A line that cannot be drawn is not.
            let _ = write!(text, "{:.0} a second", bar.per_sec());
        })
        .progress_chars("=> ")
}
