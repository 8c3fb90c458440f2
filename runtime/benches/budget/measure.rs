//! Two ways to do the same work, in turns.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::budgets::promise;
use crate::logs::Log;
use crate::report::{Figures, Outcome, Percentiles, Row, Spread, Unit, table};

/// A work that is the same whatever does it.
pub trait Work {
    fn declared(&self) -> Declared;

    /// Does it once. Nothing is shared with other rounds but what the log holds, so `round` may name streams.
    fn round<L: Log>(&self, log: &L, round: u64) -> impl Future<Output = Sample> + Send;
}

/// What is said of a work, whatever it turns out to cost.
#[derive(Debug, Clone)]
pub struct Declared {
    pub group: &'static str,
    pub work: String,
    pub meaning: &'static str,
    pub rounds: u64,
}

impl Declared {
    pub fn new(group: &'static str, work: impl Into<String>, meaning: &'static str) -> Self {
        Self {
            group,
            work: work.into(),
            meaning,
            rounds: 9,
        }
    }

    pub fn rounds(self, rounds: u64) -> Self {
        Self { rounds, ..self }
    }
}

/// One round of one side.
#[derive(Debug, Default)]
pub struct Sample {
    /// Work in a second, or whatever the unit says.
    pub figure: f64,
    /// Milliseconds of single calls, where they are of interest.
    pub delays: Vec<f64>,
    /// Attempts and successes of commands.
    pub attempts: Option<(u64, u64)>,
    /// What came out, which must be the same for both.
    pub outcome: i64,
}

impl Sample {
    pub fn rate(count: u64, elapsed: Duration) -> Self {
        Self {
            figure: count as f64 / elapsed.as_secs_f64(),
            ..Self::default()
        }
    }
}

/// How often `work`, which does `count` things, is done in a second.
pub fn rate(count: u64, work: impl FnOnce() -> i64) -> Sample {
    let start = Instant::now();
    let outcome = work();
    Sample {
        outcome,
        ..Sample::rate(count, start.elapsed())
    }
}

/// After so long a row has no further rounds, if it has had enough of them: on a busy machine, too, all rows end within minutes.
const PATIENCE: Duration = Duration::from_secs(15);
const LEAST_ROUNDS: u64 = 3;

const FAILED: &str = "it failed, see the output of the benchmark";

/// Runs what was asked for, and keeps what it found.
pub struct Bench {
    pub runtime: Arc<Runtime>,
    /// For a look at whether everything works: small, and few rounds.
    pub quick: bool,
    /// Parts of names; empty for all.
    wanted: Vec<String>,
    backend: &'static str,
    pub rows: Vec<Row>,
}

impl Bench {
    pub fn new(quick: bool, wanted: Vec<String>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build();
        let runtime = Arc::new(runtime.expect("a runtime"));
        println!("{}", table::header());
        Self {
            runtime,
            quick,
            wanted,
            backend: "",
            rows: Vec::new(),
        }
    }

    /// What follows is measured on this one.
    pub fn on(&mut self, backend: &'static str) {
        self.backend = backend;
    }

    pub fn wants(&self, declared: &Declared) -> bool {
        self.wanted.is_empty()
            || self.wanted.iter().any(|wanted| {
                declared.work.contains(wanted.as_str())
                    || declared.group.to_lowercase().contains(wanted.as_str())
            })
    }

    /// A number of events, less when it is to be quick.
    pub fn sized(&self, events: u64) -> u64 {
        if self.quick { events / 20 } else { events }
    }

    /// The same work by hand and by ours.
    pub fn compare(&mut self, work: &impl Work, floor: &impl Log, ours: &impl Log) {
        let declared = work.declared();
        let runtime = Arc::clone(&self.runtime);
        let by_hand = |round| runtime.block_on(work.round(floor, round));
        let by_ours = |round| runtime.block_on(work.round(ours, round));
        self.pair(&declared, Unit::PerSecond, by_hand, by_ours);
    }

    /// Runs both in turns.
    pub fn pair(
        &mut self,
        declared: &Declared,
        unit: Unit,
        mut floor: impl FnMut(u64) -> Sample,
        mut ours: impl FnMut(u64) -> Sample,
    ) {
        if !self.wants(declared) {
            return;
        }
        let rounds = if self.quick { 2 } else { declared.rounds };
        let begin = Instant::now();
        let (mut floors, mut all) = (Side::default(), Side::default());
        let mut ratios = Vec::new();
        for round in 0..=rounds {
            // Who goes first changes, too.
            let (one, other) = if round % 2 == 0 {
                let one = floor(round);
                (one, ours(round))
            } else {
                let other = ours(round);
                (floor(round), other)
            };
            assert_eq!(
                one.outcome, other.outcome,
                "{}: the floor and ours differ in what they found",
                declared.work
            );
            // The first one is for the caches.
            if round > 0 {
                ratios.push(other.figure / one.figure);
                floors.take(one);
                all.take(other);
            }
            if round >= LEAST_ROUNDS && begin.elapsed() > PATIENCE {
                break;
            }
        }
        let promise = promise(&declared.work, self.backend);
        let (floor, ours) = (floors.figures.percentile(50), all.figures.percentile(50));
        let figures = Figures {
            unit,
            floor: Some(floor),
            ours,
            ratio: Some(Spread::of(ratios)),
            delays: all.percentiles().map(|ours| (floors.percentiles(), ours)),
            attempts: floors.attempts().zip(all.attempts()),
            budget: promise.map(|promise| promise.budget),
            note: String::new(),
            limits: promise.map_or("", |promise| promise.limits).to_owned(),
        };
        self.keep(declared, Outcome::Measured(figures));
    }

    /// Runs the rows of a group. A panic ends these rows, and not those of other groups.
    pub fn guarded(&mut self, group: &'static str, rows: impl FnOnce(&mut Self)) {
        let panicked = catch_unwind(AssertUnwindSafe(|| rows(self)));
        if panicked.is_err() {
            let declared = Declared::new(group, "what comes next in this group", "");
            self.keep(&declared, Outcome::NotRun(FAILED.to_owned()));
        }
    }

    /// Whether all that was begun came to its end.
    pub fn is_whole(&self) -> bool {
        !self
            .rows
            .iter()
            .any(|row| row.outcome == Outcome::NotRun(FAILED.to_owned()))
    }

    pub fn keep(&mut self, declared: &Declared, outcome: Outcome) {
        let row = Row {
            group: declared.group.to_owned(),
            work: declared.work.clone(),
            backend: self.backend.to_owned(),
            meaning: declared.meaning.to_owned(),
            outcome,
        };
        println!("{}", table::row(&row));
        self.rows.push(row);
    }
}

#[derive(Default)]
struct Side {
    figures: Vec<f64>,
    delays: Vec<f64>,
    attempts: Option<(u64, u64)>,
}

impl Side {
    fn take(&mut self, sample: Sample) {
        self.figures.push(sample.figure);
        self.delays.extend(sample.delays);
        if let Some((attempts, successes)) = sample.attempts {
            let (all, succeeded) = self.attempts.unwrap_or_default();
            self.attempts = Some((all + attempts, succeeded + successes));
        }
    }

    fn percentiles(&self) -> Option<Percentiles> {
        (!self.delays.is_empty()).then(|| Percentiles {
            p50: self.delays.percentile(50),
            p99: self.delays.percentile(99),
        })
    }

    fn attempts(&self) -> Option<f64> {
        self.attempts
            .map(|(attempts, successes)| attempts as f64 / successes as f64)
    }
}

impl Spread {
    pub fn of(mut ratios: Vec<f64>) -> Self {
        ratios.sort_by(f64::total_cmp);
        Self {
            middle: ratios.percentile(50),
            min: ratios[0],
            max: ratios[ratios.len() - 1],
        }
    }
}

pub trait Percentile: Debug {
    /// The value that this many of a hundred do not exceed.
    fn percentile(&self, hundredths: usize) -> f64;
}

impl Percentile for Vec<f64> {
    fn percentile(&self, hundredths: usize) -> f64 {
        let mut sorted = self.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[(sorted.len() * hundredths / 100).min(sorted.len() - 1)]
    }
}
