//! Commands: an account is loaded, a deposit is decided on and appended.

use std::sync::Arc;
use std::time::Instant;

use super::{paced, together};
use crate::logs::{Callers, Indexes, Log, Ours};
use crate::measure::{Bench, Declared, Sample, Work};
use crate::place::Place;
use crate::report::Unit;

const GROUP: &str = "Commands";

pub fn rows<P: Place>(bench: &mut Bench, place: &mut P) {
    let own = |callers, commands| Own {
        callers,
        commands: paced::<P>(bench, commands),
    };
    let own = [own(1, 1_000), own(64, 60)];
    let hot = |callers, handles| Hot {
        callers,
        handles,
        // The stream grows with each, and each loads all of it.
        commands: if bench.quick { 2 } else { 20 },
    };
    let hot = [hot(16, 1), hot(64, 1), hot(64, 4)];
    let works = || {
        own.iter()
            .map(Work::declared)
            .chain(hot.iter().map(Work::declared))
    };
    if !works().any(|declared| bench.wants(&declared) || bench.wants(&cached(&declared))) {
        return;
    }
    let runtime = Arc::clone(&bench.runtime);
    let alone = runtime.block_on(place.logs(Indexes::AsOurs));
    bench.compare(&own[0], &alone.floor, &alone.ours);
    let pair = runtime.block_on(place.logs(Indexes::None));
    bench.compare(&own[1], &pair.floor, &pair.ours);
    for work in &hot {
        // Each handle on a log in memory is a log of its own.
        if P::DURABLE || work.handles == 1 {
            bench.compare(work, &pair.floor, &pair.ours);
        }
    }
    with_cache(bench, &own[0], &alone.ours);
    with_cache(bench, &own[1], &pair.ours);
    with_cache(bench, &hot[0], &pair.ours);
    runtime.block_on(async {
        alone.ours.close().await;
        pair.ours.close().await;
    });
}

/// The same work by ours alone: without a cache, where the floor stands elsewhere, and with one.
fn with_cache(bench: &mut Bench, work: &impl Work, ours: &Ours) {
    // Streams of other names than those of the rounds before.
    const WITHOUT: u64 = 1_000;
    const WITH: u64 = 2_000;
    let runtime = Arc::clone(&bench.runtime);
    let caching = ours.with_cache();
    bench.pair(
        &cached(&work.declared()),
        Unit::PerSecond,
        |round| runtime.block_on(work.round(ours, WITHOUT + round)),
        |round| runtime.block_on(work.round(&caching, WITH + round)),
    );
}

fn cached(declared: &Declared) -> Declared {
    let meaning = "What it is worth to keep the roots that were used last in memory (`Repository::with_cache`): the floor of this row is ours without them.";
    Declared {
        work: format!("{}, a cache against none", declared.work),
        meaning,
        ..declared.clone()
    }
}

/// Each caller has accounts of its own.
struct Own {
    callers: u64,
    commands: u64,
}

/// Commands on each account of a caller, one of each in turn.
const EACH: u64 = 50;

impl Work for Own {
    fn declared(&self) -> Declared {
        if self.callers == 1 {
            let meaning = "What a request that changes something costs by itself: load an account of some dozens of events, decide, append, wait for the disk.";
            Declared::new(GROUP, "command, 1 caller", meaning)
        } else {
            let meaning = "Many requests at once, each on a stream of its own, as in a web server: commits are shared, so there are more of them, and each waits a little longer.";
            Declared::new(
                GROUP,
                format!("command, {} callers, own streams", self.callers),
                meaning,
            )
        }
    }

    async fn round<L: Log>(&self, log: &L, round: u64) -> Sample {
        let callers = if self.callers == 1 {
            Callers::One
        } else {
            Callers::Many
        };
        let commands = self.commands;
        let accounts = (commands / EACH).max(1);
        let caller = |number: u64| {
            let log = log.clone();
            async move {
                let mut delays = Vec::with_capacity(commands as usize);
                for command in 0..commands {
                    let account = format!("own-{round}-{number}-{}", command % accounts);
                    let start = Instant::now();
                    log.deposit(&account, callers).await;
                    delays.push(start.elapsed().as_secs_f64() * 1e3);
                }
                delays
            }
        };
        let start = Instant::now();
        // Who is alone is no other task than who waits for it.
        let delays = match callers {
            Callers::One => caller(0).await,
            Callers::Many => together(self.callers, caller).await.concat(),
        };
        let elapsed = start.elapsed();
        let outcome = log.load(&format!("own-{round}-0-0")).await;
        Sample {
            delays,
            outcome,
            ..Sample::rate(self.callers * self.commands, elapsed)
        }
    }
}

/// All callers want the same account.
struct Hot {
    callers: u64,
    /// Of several, none knows of the others: as if each were a process.
    handles: u64,
    commands: u64,
}

impl Work for Hot {
    fn declared(&self) -> Declared {
        let Self {
            callers, handles, ..
        } = self;
        if *handles == 1 {
            let meaning = "Everybody wants the same account. Commands of one process take turns, so none is decided twice; the p99 is the wait for those before.";
            Declared::new(
                GROUP,
                format!("command, {callers} callers, one stream"),
                meaning,
            )
        } else {
            let meaning = "The same with handles that know nothing of each other, as several processes do not: there conflicts happen, and a command is decided again until it is first.";
            Declared::new(
                GROUP,
                format!("command, {callers} callers by {handles} handles, one stream"),
                meaning,
            )
        }
    }

    async fn round<L: Log>(&self, log: &L, round: u64) -> Sample {
        let mut handles = vec![log.clone()];
        for _ in 1..self.handles {
            handles.push(log.another().await);
        }
        let (commands, account) = (
            self.commands,
            format!("hot-{}-{}-{round}", self.callers, self.handles),
        );
        let start = Instant::now();
        let callers = together(self.callers, |caller| {
            let (log, account) = (
                handles[(caller % self.handles) as usize].clone(),
                account.clone(),
            );
            async move {
                let (mut delays, mut attempts) = (Vec::with_capacity(commands as usize), 0);
                for _ in 0..commands {
                    let start = Instant::now();
                    attempts += log.deposit(&account, Callers::Many).await;
                    delays.push(start.elapsed().as_secs_f64() * 1e3);
                }
                (delays, attempts)
            }
        });
        let callers = callers.await;
        let elapsed = start.elapsed();
        for handle in handles.drain(1..) {
            handle.close().await;
        }
        let successes = self.callers * commands;
        Sample {
            delays: callers
                .iter()
                .flat_map(|(delays, _)| delays)
                .copied()
                .collect(),
            attempts: Some((
                callers.iter().map(|(_, attempts)| attempts).sum(),
                successes,
            )),
            outcome: log.load(&account).await,
            ..Sample::rate(successes, elapsed)
        }
    }
}
