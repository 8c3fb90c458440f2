//! What an event costs as one log grows.
//!
//! Accounts have 100 events each, and ten grow at a time, by ten events in a run, so that the rows of a stream lie apart as in
//! a log that is used. The floor's log grows along.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use super::{Callers, Indexes, Log, Run, peak, together};
use crate::measure::{Bench, Percentile as _};
use crate::place::{Pair, Place};
use crate::report::{Cost, Growth, Size, table};

const VERSIONS: u64 = 100;
const BUSY: u64 = 10;
const RUN: u64 = 10;

/// How often each work is measured at each size: the middle one counts.
const ROUNDS: u64 = 9;
const ALONE: u64 = 100;
const WRITERS: u64 = 64;
const EACH: u64 = 32;
const LOADS: u64 = 100;

/// Grows a pair of logs to each size in turn.
pub fn grow<P: Place>(bench: &Bench, place: &mut P, sizes: &[u64]) -> Growth {
    let runtime = Arc::clone(&bench.runtime);
    let pair = runtime.block_on(place.logs(Indexes::None));
    println!(
        "\na log that grows, {}: microseconds an event (floor), and how many times that of the smallest log",
        P::NAME
    );
    let mut points: Vec<Size> = Vec::new();
    for &events in sizes {
        let grown = points.last().map_or(0, |point| point.events);
        runtime.block_on(async {
            extend(&pair.floor, grown..events).await;
            extend(&pair.ours, grown..events).await;
        });
        // What was appended at smaller sizes is read, too.
        let appended = points.len() as u64 * (ROUNDS + 1) * (WRITERS * EACH + ALONE);
        let costs = runtime.block_on(costs(&pair, events, events + appended));
        let memory = P::DURABLE.then(|| {
            peak::megabytes(&pair.addresses, false).zip(peak::megabytes(&pair.addresses, true))
        });
        let log = runtime.block_on(pair.ours.size());
        points.push(Size {
            events,
            costs,
            log,
            memory: memory.flatten(),
        });
        println!("{}", table::size(&points));
    }
    runtime.block_on(pair.ours.close());
    Growth {
        backend: P::NAME.to_owned(),
        points,
    }
}

async fn costs<B: crate::logs::Bare>(pair: &Pair<B>, events: u64, all: u64) -> Vec<Cost> {
    let rounds = if events > 1_000_000 { 3 } else { ROUNDS };
    let (floor, ours) = (&pair.floor, &pair.ours);
    let mut costs = Vec::new();
    // The first round is for the caches.
    let mut both = Vec::new();
    for _ in 0..=rounds {
        both.push((catch_up(floor, all).await, catch_up(ours, all).await));
    }
    costs.push(cost("catch up", &both));
    both.clear();
    for round in 0..=ROUNDS {
        both.push((
            load(floor, events, round).await,
            load(ours, events, round).await,
        ));
    }
    costs.push(cost("load 100 events", &both));
    both.clear();
    for round in 0..=ROUNDS {
        both.push((
            among(floor, events, round).await,
            among(ours, events, round).await,
        ));
    }
    costs.push(cost("append, 64 writers", &both));
    both.clear();
    for round in 0..=ROUNDS {
        both.push((
            alone(floor, events, round).await,
            alone(ours, events, round).await,
        ));
    }
    costs.push(cost("append, 1 writer", &both));
    costs
}

fn cost(work: &str, rounds: &[(f64, f64)]) -> Cost {
    let middle = |values: Vec<f64>| values.percentile(50);
    let (floors, ours) = rounds[1..].iter().copied().unzip();
    Cost {
        work: work.to_owned(),
        floor: middle(floors),
        ours: middle(ours),
    }
}

fn micros(start: Instant, count: u64) -> f64 {
    start.elapsed().as_secs_f64() * 1e6 / count as f64
}

async fn catch_up(log: &impl Log, events: u64) -> f64 {
    let start = Instant::now();
    log.catch_up().await;
    micros(start, events)
}

async fn load(log: &impl Log, events: u64, round: u64) -> f64 {
    let start = Instant::now();
    for load in 0..LOADS {
        // Far apart, and others in each round.
        let account = (round * LOADS + load).wrapping_mul(7_919_317) % (events / VERSIONS);
        log.load(&account.to_string()).await;
    }
    micros(start, LOADS * VERSIONS)
}

async fn among<L: Log>(log: &L, events: u64, round: u64) -> f64 {
    let start = Instant::now();
    together(WRITERS, |writer| {
        let log = log.clone();
        async move {
            for version in 0..EACH {
                log.append(
                    Run::new(format!("among-{events}-{round}-{writer}"), version, 1),
                    Callers::Many,
                )
                .await;
            }
        }
    })
    .await;
    micros(start, WRITERS * EACH)
}

async fn alone(log: &impl Log, events: u64, round: u64) -> f64 {
    let start = Instant::now();
    for version in 0..ALONE {
        log.append(
            Run::new(format!("alone-{events}-{round}"), version, 1),
            Callers::One,
        )
        .await;
    }
    micros(start, ALONE)
}

async fn extend(log: &impl Log, events: Range<u64>) {
    let mut runs = Vec::new();
    for run in events.start / RUN..events.end / RUN {
        let (block, within) = (run / (BUSY * VERSIONS / RUN), run % (BUSY * VERSIONS / RUN));
        runs.push(Run::new(
            (block * BUSY + within % BUSY).to_string(),
            within / BUSY * RUN,
            RUN,
        ));
        if runs.len() == 100 {
            log.fill(std::mem::take(&mut runs)).await;
        }
    }
    log.fill(runs).await;
}
