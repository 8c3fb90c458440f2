//! What is measured. A work is written once and done by both sides on each store.

mod append;
mod command;
mod compile_locked;
mod compile_time;
mod grow;
mod live;
mod load;
pub mod peak;
mod read;
mod replay;

pub use compile_locked::compile_locked;
pub use compile_time::compile_time;
pub use grow::grow;
pub use replay::replay;

use crate::logs::{Callers, Indexes, Log, Run};
use crate::measure::Bench;
use crate::place::Place;

/// All rows of one store.
pub fn all_on<P: Place>(bench: &mut Bench, place: &mut P) {
    bench.on(P::NAME);
    bench.guarded("Commands", |bench| command::rows(bench, place));
    bench.guarded("Appending", |bench| append::rows(bench, place));
    bench.guarded("Loading", |bench| load::rows(bench, place));
    bench.guarded("Catching up", |bench| read::rows(bench, place));
    bench.guarded("Following", |bench| live::rows(bench, place));
}

/// How often to do what a disk is waited for, and more often where there is none.
fn paced<P: Place>(bench: &Bench, calls: u64) -> u64 {
    let calls = if P::DURABLE { calls } else { calls * 10 };
    if bench.quick { calls / 10 } else { calls }
}

/// Tasks that do something at the same time; what each returns.
async fn together<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    count: u64,
    task: impl Fn(u64) -> F,
) -> Vec<T> {
    let tasks: Vec<_> = (0..count)
        .map(|number| tokio::spawn(task(number)))
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.push(task.await.expect("no task fails"));
    }
    all
}

/// Streams that grow by turns, ten events at a time, so that they lie among each other as in a log that is used.
async fn fill(log: &impl Log, name: &str, streams: u64, events: std::ops::Range<u64>) {
    const RUN: u64 = 10;
    let mut runs = Vec::new();
    for after in events.clone().step_by(RUN as usize) {
        for stream in 0..streams {
            runs.push(Run::new(
                format!("{name}-{stream}"),
                after,
                RUN.min(events.end - after),
            ));
            if runs.len() == 100 {
                log.fill(std::mem::take(&mut runs)).await;
            }
        }
    }
    log.fill(runs).await;
}
