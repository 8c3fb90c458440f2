//! Loading one stream into its state.

use std::sync::Arc;
use std::time::Instant;

use super::{Indexes, Log, fill};
use crate::measure::{Bench, Declared, Sample, Work};
use crate::place::Place;

const GROUP: &str = "Loading";

/// Events behind a snapshot.
const TAIL: u64 = 10;

pub fn rows<P: Place>(bench: &mut Bench, place: &mut P) {
    let load = |events: u64, snapshot| Load {
        events,
        snapshot,
        streams: if bench.quick { 4 } else { 200_000 / events },
        loads: if bench.quick {
            4
        } else if snapshot {
            400
        } else {
            50_000 / events
        },
    };
    let works = [
        load(1_000, false),
        load(1_000, true),
        load(10_000, false),
        load(10_000, true),
    ];
    if !works.iter().any(|work| bench.wants(&work.declared())) {
        return;
    }
    let runtime = Arc::clone(&bench.runtime);
    let pair = runtime.block_on(place.logs(Indexes::None));
    for work in [&works[0], &works[2]] {
        runtime.block_on(async {
            work.prepare(&pair.floor).await;
            work.prepare(&pair.ours).await;
        });
    }
    for work in &works {
        bench.compare(work, &pair.floor, &pair.ours);
    }
    runtime.block_on(pair.ours.close());
}

struct Load {
    events: u64,
    snapshot: bool,
    streams: u64,
    loads: u64,
}

impl Load {
    fn name(&self) -> String {
        format!("load-{}", self.events)
    }

    /// Streams whose last snapshot is some events old.
    async fn prepare(&self, log: &impl Log) {
        fill(log, &self.name(), self.streams, 0..self.events - TAIL).await;
        for stream in 0..self.streams {
            log.take_snapshot(&format!("{}-{stream}", self.name()))
                .await;
        }
        fill(
            log,
            &self.name(),
            self.streams,
            self.events - TAIL..self.events,
        )
        .await;
    }
}

impl Work for Load {
    fn declared(&self) -> Declared {
        let thousands = self.events / 1_000;
        if self.snapshot {
            let meaning = "The same from a snapshot that is ten events old, counted in loads a second: how long the stream is no longer matters.";
            Declared::new(
                GROUP,
                format!("load {thousands},000 events, with a snapshot"),
                meaning,
            )
        } else {
            let meaning = "A long stream without a snapshot, counted in events a second: what a command on it waits for.";
            Declared::new(GROUP, format!("load {thousands},000 events"), meaning)
        }
    }

    async fn round<L: Log>(&self, log: &L, round: u64) -> Sample {
        let (mut delays, mut outcome) = (Vec::new(), 0);
        let begin = Instant::now();
        for load in 0..self.loads {
            let stream = (round * self.loads + load) * 7 % self.streams;
            let account = format!("{}-{stream}", self.name());
            let start = Instant::now();
            outcome += if self.snapshot {
                log.load_with_snapshot(&account).await
            } else {
                log.load(&account).await
            };
            delays.push(start.elapsed().as_secs_f64() * 1e3);
        }
        let count = if self.snapshot {
            self.loads
        } else {
            self.loads * self.events
        };
        Sample {
            delays,
            outcome,
            ..Sample::rate(count, begin.elapsed())
        }
    }
}
