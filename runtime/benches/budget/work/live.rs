//! How long an event takes from the clock of who records it to who follows the log, while others append as fast as they can.

use std::sync::Arc;

use super::{Callers, Indexes, Log, Run, paced, together};
use crate::measure::{Bench, Declared, Percentile as _, Sample};
use crate::place::Place;
use crate::report::{Figures, Outcome, Percentiles, Unit};

const GROUP: &str = "Following";
const WRITERS: u64 = 8;

pub fn rows<P: Place>(bench: &mut Bench, place: &mut P) {
    let meaning = "How old an event is when a subscriber of the same process sees it, while eight writers append as fast as they can: the time on disk included.";
    let same = Declared::new(GROUP, "delivery while 8 writers append", meaning).rounds(5);
    let meaning = "The same through a handle that knows nothing of the writers, as in another process: it is woken by the database.";
    let other = Declared::new(GROUP, "delivery to another process", meaning);
    if !bench.wants(&same) && !bench.wants(&other) {
        return;
    }
    let runtime = Arc::clone(&bench.runtime);
    let pair = runtime.block_on(place.logs(Indexes::None));
    let each = paced::<P>(bench, 200);
    let by_hand = |round| runtime.block_on(delivery(&pair.floor, &pair.floor, each, round));
    let by_ours = |round| runtime.block_on(delivery(&pair.ours, &pair.ours, each, round));
    bench.pair(&same, Unit::Milliseconds, by_hand, by_ours);
    if P::DURABLE && bench.wants(&other) {
        let delays = runtime.block_on(async {
            let reading = pair.ours.another().await;
            let sample = delivery(&pair.ours, &reading, each * 5, 1_000).await;
            reading.close().await;
            sample.delays
        });
        let (p50, p99) = (delays.percentile(50), delays.percentile(99));
        let figures = Figures {
            unit: Unit::Milliseconds,
            floor: None,
            ours: p50,
            ratio: None,
            delays: Some((None, Percentiles { p50, p99 })),
            attempts: None,
            budget: None,
            note: String::new(),
            limits: String::new(),
        };
        bench.keep(&other, Outcome::Measured(figures));
    }
    runtime.block_on(pair.ours.close());
}

async fn delivery<L: Log>(writing: &L, reading: &L, each: u64, round: u64) -> Sample {
    let following = reading.follow(WRITERS * each).await;
    together(WRITERS, |writer| {
        let log = writing.clone();
        async move {
            for version in 0..each {
                log.append(
                    Run::new(format!("live-{round}-{writer}"), version, 1),
                    Callers::Many,
                )
                .await;
            }
        }
    })
    .await;
    let ages = following.await.expect("nothing fails");
    let delays: Vec<f64> = ages.iter().map(|age| age.as_secs_f64() * 1e3).collect();
    Sample {
        figure: delays.percentile(50),
        outcome: delays.len() as i64,
        delays,
        attempts: None,
    }
}
