//! Reading the whole log: into memory, into a table, through upcasts; and the memory that it takes.

use std::sync::Arc;
use std::time::Instant;

use super::{Indexes, Log, fill, peak};
use crate::measure::{Bench, Declared, Sample, Work};
use crate::place::{Pair, Place};
use crate::report::charts::grouped;

const GROUP: &str = "Catching up";

const STREAMS: u64 = 1_000;

pub fn rows<P: Place>(bench: &mut Bench, place: &mut P) {
    let million = bench.sized(1_000_000);
    whole_log(bench, place, million);
    let purses = Purses {
        events: bench.sized(300_000),
    };
    if bench.wants(&purses.declared()) {
        let runtime = Arc::clone(&bench.runtime);
        let pair = runtime.block_on(place.logs(Indexes::None));
        runtime.block_on(async {
            pair.floor.fill_purses(purses.events).await;
            pair.ours.fill_purses(purses.events).await;
        });
        bench.compare(&purses, &pair.floor, &pair.ours);
        runtime.block_on(pair.ours.close());
    }
}

fn whole_log<P: Place>(bench: &mut Bench, place: &mut P, events: u64) {
    let catch_up = CatchUp { events };
    let table = Table {
        events: bench.sized(P::TABLE),
    };
    let peak = peak::declared(events);
    if ![&catch_up.declared(), &table.declared(), &peak]
        .into_iter()
        .any(|declared| bench.wants(declared))
    {
        return;
    }
    let runtime = Arc::clone(&bench.runtime);
    let pair: Pair<P::Bare> = runtime.block_on(place.logs(Indexes::None));
    let fill_to = |from: u64, to: u64| {
        runtime.block_on(async {
            fill(
                &pair.floor,
                "account",
                STREAMS,
                from / STREAMS..to / STREAMS,
            )
            .await;
            fill(&pair.ours, "account", STREAMS, from / STREAMS..to / STREAMS).await;
        });
    };
    fill_to(0, table.events);
    if P::TABLE > 0 {
        bench.compare(&table, &pair.floor, &pair.ours);
    }
    fill_to(table.events, events);
    bench.compare(&catch_up, &pair.floor, &pair.ours);
    if P::DURABLE {
        peak::row(bench, &peak, &pair.addresses);
    }
    runtime.block_on(pair.ours.close());
}

struct CatchUp {
    events: u64,
}

impl Work for CatchUp {
    fn declared(&self) -> Declared {
        let meaning = "How soon a projection that is kept in memory is there again after a start.";
        Declared::new(
            GROUP,
            format!(
                "read {} events into a projection",
                grouped(self.events as f64)
            ),
            meaning,
        )
        .rounds(7)
    }

    async fn round<L: Log>(&self, log: &L, _: u64) -> Sample {
        let begin = Instant::now();
        let outcome = log.catch_up().await;
        Sample {
            outcome,
            ..Sample::rate(self.events, begin.elapsed())
        }
    }
}

struct Table {
    events: u64,
}

impl Work for Table {
    fn declared(&self) -> Declared {
        let meaning = "How long a read model in tables takes to be built anew, with one statement for each event and one transaction for each thousand.";
        Declared::new(
            GROUP,
            format!("{} events into a table", grouped(self.events as f64)),
            meaning,
        )
        .rounds(3)
    }

    async fn round<L: Log>(&self, log: &L, _: u64) -> Sample {
        let begin = Instant::now();
        let outcome = log.rebuild_table().await;
        Sample {
            outcome,
            ..Sample::rate(self.events, begin.elapsed())
        }
    }
}

struct Purses {
    events: u64,
}

impl Work for Purses {
    fn declared(&self) -> Declared {
        let meaning = "A history that three releases have written: a third of it needs one upcast, a third two. Both sides convert the same types in the same steps.";
        Declared::new(
            GROUP,
            format!(
                "rebuild over {} events of three versions",
                grouped(self.events as f64)
            ),
            meaning,
        )
    }

    async fn round<L: Log>(&self, log: &L, _: u64) -> Sample {
        let begin = Instant::now();
        let outcome = log.rebuild_purses().await;
        Sample {
            outcome,
            ..Sample::rate(self.events, begin.elapsed())
        }
    }
}
