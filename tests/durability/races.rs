//! Writers and readers at once, in threads and in processes, and the log that must explain all that they saw.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use recount::prelude::*;

use crate::child::{Job, Task, Worker, url};
use crate::dice::Dice;
use crate::history::{Answer, History, Report, Scope};
use crate::oracle::{Checked, Log, Order, check_in};
use crate::readers::{Reader, read_on};
use crate::server::Schema;
use crate::writers::{Caller, Reporter, Writer};

/// A race, for those in one process.
pub struct Course {
    pub clock: PathBuf,
    /// As in [`Job::number`].
    pub number: u64,
    pub seed: u64,
    pub milliseconds: u64,
}

const WRITERS: u64 = 6;
/// New streams have numbers from this one on.
pub const FRESH: u32 = 1000;

/// Writes and reads until the time is over, says so, waits until it is `told` that all others did too, and reads to the end.
/// Those who write do so to the store whose connections are `ended`, if there is one, and go on after that.
pub async fn take_part(
    store: &Store,
    ended: Option<&Store>,
    course: &Course,
    report: &Reporter,
    told: impl FnOnce() + Send + 'static,
) {
    let &Course { number, seed, .. } = course;
    let written = Arc::new(AtomicBool::new(false));
    let accounts = seed.is_multiple_of(2);
    let scopes = [
        Scope::All,
        Scope::Category { accounts },
        Scope::Stream(u32::try_from(seed % 5).expect("small")),
    ];
    let runtime = tokio::runtime::Handle::current();
    let readers: Vec<_> = (number + WRITERS..)
        .zip(scopes.map(Some).into_iter().chain([None]))
        .map(|(number, scope)| {
            let reader = Reader::new(store, &course.clock, report, number, seed);
            let (written, runtime) = (Arc::clone(&written), runtime.clone());
            std::thread::spawn(move || {
                let written = || written.load(Ordering::SeqCst);
                match scope {
                    Some(scope) => runtime.block_on(reader.follow(scope, written)),
                    None => runtime.block_on(reader.look_around(12, written)),
                }
            })
        })
        .collect();
    let end = Instant::now() + Duration::from_millis(course.milliseconds);
    let writers: Vec<_> = (number..number + WRITERS)
        .map(|number| {
            let caller = Caller::new(ended.unwrap_or(store), &course.clock, report);
            let mut writer = Writer::new(caller, number, FRESH, seed);
            let may_be_refused = ended.is_some();
            tokio::spawn(async move {
                while Instant::now() < end {
                    let taken = writer.act().await;
                    assert!(
                        taken.is_ok() || may_be_refused,
                        "the store is open: {taken:?}"
                    );
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("a writer writes");
    }
    report(Report::Written);
    let rest = tokio::task::spawn_blocking(move || {
        told();
        written.store(true, Ordering::SeqCst);
        for reader in readers {
            reader.join().expect("a reader reads");
        }
    });
    rest.await.expect("all read to the end");
}

/// Races in rounds, each with a history and a log of its own, until the time is over; none where there is no server.
fn races(name: &str, order: Order, mut race: impl FnMut(u64, u64) -> Option<(History, Log)>) {
    /// What the oracle holds in memory at once.
    const LONGEST: u64 = 30_000;
    let seed = crate::seed();
    let mut dice = Dice::new(seed);
    let mut left = crate::setting("RECOUNT_RACE_SECONDS").unwrap_or(5) * 1000;
    while left > 0 {
        let milliseconds = left.min(LONGEST);
        left -= milliseconds;
        let Some((history, log)) = race(dice.roll(), milliseconds) else {
            return;
        };
        let checked = judged(&history, &log, order);
        println!("{name}: {} events, {checked:?}", log.entries().len());
    }
}

fn judged(history: &History, log: &Log, order: Order) -> Checked {
    for attempt in &history.attempts {
        let answered = matches!(
            &attempt.answer,
            Some((
                _,
                Answer::Stored { .. } | Answer::Conflict { .. } | Answer::Duplicate
            ))
        );
        assert!(answered, "while nothing was wrong: {attempt:?}");
    }
    let checked = check_in(order, history, log, 0).unwrap_or_else(|fault| panic!("{fault}"));
    // Else it was no race.
    assert!(checked.stored > 0 && checked.repeated > 0, "{checked:?}");
    assert!(checked.conflicts > 0 && checked.looks > 0, "{checked:?}");
    checked
}

/// A race of the threads of this process, some of which may use another handle.
fn in_threads(stores: &[&str], folder: &Path, seed: u64, milliseconds: u64) -> (History, Log) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .expect("a runtime");
    let (sender, reports) = channel();
    let report: Reporter = Arc::new(move |report| {
        // Nobody takes it any more after a failure.
        let _ = sender.send(report);
    });
    let mut log = Log::default();
    runtime.block_on(async {
        let mut parts = Vec::new();
        let mut last = None;
        // Nobody is told before all have written.
        let barrier = Arc::new(std::sync::Barrier::new(stores.len()));
        for (url, number) in stores.iter().zip((0..).step_by(16)) {
            let store = Store::connect(url).await.expect("a store");
            last = Some(store.clone());
            let course = Course {
                clock: folder.join("clock"),
                number,
                seed,
                milliseconds,
            };
            let (report, barrier) = (Arc::clone(&report), Arc::clone(&barrier));
            parts.push(tokio::spawn(async move {
                let told = move || {
                    barrier.wait();
                };
                take_part(&store, None, &course, &report, told).await;
            }));
        }
        for part in parts {
            part.await.expect("it takes part");
        }
        let store = last.expect("a store");
        read_on(&store, &mut log).await.expect("a log");
    });
    drop(report);
    let mut history = History::default();
    for report in reports {
        history.take(report);
    }
    (history, log)
}

#[test]
fn what_racing_threads_saw_is_explained_by_the_log_in_memory() {
    races("memory", Order::Commits, |seed, milliseconds| {
        let folder = tempfile::tempdir().expect("a folder");
        Some(in_threads(&["memory:"], folder.path(), seed, milliseconds))
    });
}

#[test]
fn what_racing_threads_saw_is_explained_by_the_log_on_sqlite() {
    races(
        "SQLite, one handle",
        Order::Commits,
        |seed, milliseconds| {
            let folder = tempfile::tempdir().expect("a folder");
            let url = url(&folder.path().join("log.db"));
            Some(in_threads(&[&url], folder.path(), seed, milliseconds))
        },
    );
}

#[test]
fn what_the_users_of_two_handles_saw_is_explained_by_the_log_of_their_file() {
    races(
        "SQLite, two handles",
        Order::Commits,
        |seed, milliseconds| {
            let folder = tempfile::tempdir().expect("a folder");
            let url = url(&folder.path().join("log.db"));
            Some(in_threads(&[&url, &url], folder.path(), seed, milliseconds))
        },
    );
}

#[test]
fn what_racing_processes_saw_is_explained_by_the_log_of_their_file_and_none_starves() {
    races(
        "SQLite, three processes",
        Order::Commits,
        |seed, milliseconds| {
            let folder = tempfile::tempdir().expect("a folder");
            let url = url(&folder.path().join("log.db"));
            Some(in_processes(&url, folder.path(), seed, milliseconds))
        },
    );
}

#[test]
fn what_the_users_of_two_handles_saw_is_explained_by_their_log_on_postgres() {
    races(
        "PostgreSQL, two handles",
        Order::Draws,
        |seed, milliseconds| {
            let folder = tempfile::tempdir().expect("a folder");
            let schema = schema()?;
            let url = schema.url();
            Some(in_threads(&[&url, &url], folder.path(), seed, milliseconds))
        },
    );
}

#[test]
fn what_racing_processes_saw_is_explained_by_their_log_on_postgres_and_none_starves() {
    races(
        "PostgreSQL, three processes",
        Order::Draws,
        |seed, milliseconds| {
            let folder = tempfile::tempdir().expect("a folder");
            let schema = schema()?;
            Some(in_processes(
                &schema.url(),
                folder.path(),
                seed,
                milliseconds,
            ))
        },
    );
}

/// A schema for a log, where there is a server.
pub fn schema() -> Option<Schema> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(Schema::new())
}

/// A race of three processes.
fn in_processes(url: &str, folder: &Path, seed: u64, milliseconds: u64) -> (History, Log) {
    let mut history = History::default();
    let mut workers: Vec<_> = (0..3)
        .map(|child| {
            Worker::start(&Job {
                url: url.to_owned(),
                ended: None,
                clock: folder.join("clock"),
                number: child * Job::NUMBERS,
                seed,
                fresh: FRESH,
                task: Task::Race { milliseconds },
            })
        })
        .collect();
    for worker in &workers {
        worker.until(&mut history, |report| matches!(report, Report::Written));
    }
    for worker in &mut workers {
        worker.tell("all have written");
    }
    for worker in workers {
        worker.finish(&mut history);
    }
    for writer in (0..3).flat_map(|child| (0..WRITERS).map(move |at| child * Job::NUMBERS + at)) {
        let stored = history.attempts.iter().any(|attempt| {
            attempt.number >> 32 == writer
                && matches!(attempt.answer, Some((_, Answer::Stored { .. })))
        });
        assert!(stored, "writer {writer} got nothing into the log");
    }
    let mut log = Log::default();
    tokio::runtime::Runtime::new()
        .expect("a runtime")
        .block_on(async {
            let store = Store::connect(url).await.expect("a store");
            read_on(&store, &mut log).await.expect("a log");
            store.close().await.expect("it closes");
        });
    (history, log)
}
