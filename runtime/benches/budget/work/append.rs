//! Appending without deciding: what the way through the store costs.

use std::sync::Arc;
use std::time::Instant;

use super::{Callers, Indexes, Log, Run, paced, together};
use crate::measure::{Bench, Declared, Sample, Work};
use crate::place::Place;
use crate::report::Unit;

const GROUP: &str = "Appending";

pub fn rows<P: Place>(bench: &mut Bench, place: &mut P) {
    let alone = [
        Alone {
            batch: 1,
            appends: paced::<P>(bench, 1_000),
        },
        Alone {
            batch: 100,
            appends: paced::<P>(bench, 60),
        },
        Alone {
            batch: 1_000,
            appends: paced::<P>(bench, 10),
        },
    ];
    let among = Among {
        writers: 64,
        each: paced::<P>(bench, 150),
    };
    let each =
        Declared::new(GROUP, "append, 64 writers, against a commit for each", EACH).rounds(5);
    let declared = || {
        alone
            .iter()
            .map(Work::declared)
            .chain([among.declared(), each.clone()])
    };
    if !declared().any(|declared| bench.wants(&declared)) {
        return;
    }
    let runtime = Arc::clone(&bench.runtime);
    let pair = runtime.block_on(place.logs(Indexes::AsOurs));
    for work in &alone {
        bench.compare(work, &pair.floor, &pair.ours);
    }
    runtime.block_on(pair.ours.close());
    let pair = runtime.block_on(place.logs(Indexes::None));
    bench.compare(&among, &pair.floor, &pair.ours);
    if P::DURABLE {
        let one = Alone {
            batch: 1,
            appends: paced::<P>(bench, 2_000),
        };
        let by_hand = |round| only_rate(&runtime.block_on(one.round(&pair.floor, round)));
        // Streams that the comparison before has not used.
        let ours = |round| only_rate(&runtime.block_on(among.round(&pair.ours, 1_000 + round)));
        bench.pair(&each, Unit::PerSecond, by_hand, ours);
    }
    runtime.block_on(pair.ours.close());
}

/// Of works that are not the same.
fn only_rate(sample: &Sample) -> Sample {
    Sample {
        figure: sample.figure,
        ..Sample::default()
    }
}

const EACH: &str =
    "What committing together is worth: 64 writers against one that commits each event by itself.";

/// One writer, one stream.
struct Alone {
    batch: u64,
    appends: u64,
}

impl Work for Alone {
    fn declared(&self) -> Declared {
        match self.batch {
            1 => Declared::new(
                GROUP,
                "append, 1 writer",
                "An event that is stored without being decided on, and is on the disk when the call returns.",
            ),
            100 => Declared::new(
                GROUP,
                "append, 100 events at a time",
                "Commands that decide on many events, and imports.",
            ),
            _ => Declared::new(
                GROUP,
                "append, 1,000 events at a time",
                "Imports: how long a history takes that comes from elsewhere.",
            ),
        }
    }

    async fn round<L: Log>(&self, log: &L, round: u64) -> Sample {
        let stream = format!("alone-{}-{round}", self.batch);
        let mut delays = Vec::with_capacity(self.appends as usize);
        let begin = Instant::now();
        for append in 0..self.appends {
            let start = Instant::now();
            log.append(
                Run::new(stream.as_str(), append * self.batch, self.batch),
                Callers::One,
            )
            .await;
            delays.push(start.elapsed().as_secs_f64() * 1e3);
        }
        let elapsed = begin.elapsed();
        Sample {
            delays,
            outcome: log.load(&stream).await,
            ..Sample::rate(self.appends * self.batch, elapsed)
        }
    }
}

/// Many writers, each waiting for its own append before the next.
struct Among {
    writers: u64,
    each: u64,
}

impl Work for Among {
    fn declared(&self) -> Declared {
        let meaning = "The most that a log takes from a busy process, all on disk: what commits at the same time shares a commit.";
        Declared::new(GROUP, format!("append, {} writers", self.writers), meaning)
    }

    async fn round<L: Log>(&self, log: &L, round: u64) -> Sample {
        let each = self.each;
        let begin = Instant::now();
        let delays = together(self.writers, |writer| {
            let log = log.clone();
            async move {
                let mut delays = Vec::with_capacity(each as usize);
                for version in 0..each {
                    let start = Instant::now();
                    log.append(
                        Run::new(format!("among-{round}-{writer}"), version, 1),
                        Callers::Many,
                    )
                    .await;
                    delays.push(start.elapsed().as_secs_f64() * 1e3);
                }
                delays
            }
        });
        let delays = delays.await.concat();
        let elapsed = begin.elapsed();
        Sample {
            delays,
            outcome: log.load(&format!("among-{round}-0")).await,
            ..Sample::rate(self.writers * each, elapsed)
        }
    }
}
