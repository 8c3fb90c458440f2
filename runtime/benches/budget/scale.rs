//! What an event costs as one log grows from a thousand events to ten million, and how much memory that takes its reader.
//!
//! Accounts have 100 events each, and ten grow at a time, by ten events in a run, so that the rows of a stream lie apart as in
//! a log that is used. The log is a SQLite file, and the floor the table that a person would make, in a file of its own, which grows
//! along; or it is a database on a PostgreSQL server, without a floor.

use std::hint::black_box;
use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use recount::log::{Batch, Expected, NewEvent, StreamId};
use recount::prelude::*;
use recount::projection::Projector;
use rusqlite::Connection;
use tokio::runtime::Runtime;

use crate::append::{append_one, bare, insert};
use crate::bank::{Account, AccountId, Total, event};
use crate::paired::median;
use crate::read::{load_floor, new_event, read_floor};

const SIZES: [u64; 3] = [1_000, 100_000, 10_000_000];
const VERSIONS: u64 = 100;
const BUSY: u64 = 10;
const RUN: u64 = 10;

/// How often each work is measured at each size: the middle one counts.
const ROUNDS: u64 = 9;
const ALONE: u64 = 100;
const WRITERS: u64 = 64;
const EACH: u64 = 8;
const LOADS: u64 = 100;

pub fn run() {
    let runtime = runtime();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ours.db");
    let floor = bare(&folder.path().join("floor.db"));
    let url = format!("sqlite:{}", path.display());
    measure(&runtime, &url, Some(&floor), |_| file_size(&path));
}

#[cfg(feature = "postgres")]
pub fn run_postgres() {
    let runtime = runtime();
    let database = crate::postgres::Database::make(&runtime);
    measure(&runtime, &database.url, None, |store| {
        let stats = runtime.block_on(store.stats()).expect("a server");
        stats.bytes.expect("a handle on the whole log")
    });
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

fn measure(
    runtime: &Runtime,
    url: &str,
    floor: Option<&Connection>,
    size_on_disk: impl Fn(&Store) -> u64,
) {
    let store = runtime.block_on(Store::connect(url)).expect("a store");
    println!(
        "microseconds an event: ours{}, then ours against that at {} events",
        floor.map_or("", |_| " (floor)"),
        SIZES[0]
    );
    println!(
        "{:>10} {:>9} {:>22} {:>22} {:>22} {:>22} {:>9}",
        "events",
        "file",
        "append, alone",
        "append, 64 writers",
        "load 100 events",
        "catch up",
        "memory"
    );
    let mut first: Option<[Cost; 4]> = None;
    let mut grown = 0;
    for size in SIZES {
        runtime.block_on(grow(&store, grown..size));
        if let Some(floor) = floor {
            grow_floor(floor, grown..size);
        }
        grown = size;
        forget_peak_of_memory();
        let costs = [
            catch_up(runtime, &store, floor, size),
            load(runtime, &store, floor, size),
            together(runtime, &store, size),
            alone(runtime, &store, floor, size),
        ];
        let first = first.get_or_insert(costs);
        let [catch_up, load, together, alone] =
            std::array::from_fn(|work| costs[work].against(first[work]));
        let memory = peak_of_memory();
        println!(
            "{size:>10} {:>9} {alone:>22} {together:>22} {load:>22} {catch_up:>22} {:>9}",
            megabytes(size_on_disk(&store)),
            megabytes(memory),
        );
    }
}

/// Microseconds an event.
#[derive(Clone, Copy)]
struct Cost {
    ours: f64,
    floor: Option<f64>,
}

impl Cost {
    fn against(self, first: Self) -> String {
        let floor = self
            .floor
            .map_or_else(String::new, |floor| format!(" ({floor:.2})"));
        format!("{:.2}{floor} × {:.2}", self.ours, self.ours / first.ours)
    }
}

/// The middle of several rounds, floor and ours in turns; each does `count` things.
fn cost(
    rounds: u64,
    count: u64,
    mut ours: impl FnMut(u64),
    mut floor: Option<impl FnMut(u64)>,
) -> Cost {
    let (mut all, mut floors) = (Vec::new(), Vec::new());
    // The first round is for the caches.
    for round in 0..=rounds {
        let micros = |start: Instant| start.elapsed().as_secs_f64() * 1e6 / count as f64;
        let start = Instant::now();
        ours(round);
        all.push(micros(start));
        if let Some(floor) = &mut floor {
            let start = Instant::now();
            floor(round);
            floors.push(micros(start));
        }
    }
    Cost {
        ours: median(&mut all[1..]),
        floor: (floors.len() > 1).then(|| median(&mut floors[1..])),
    }
}

fn catch_up(runtime: &Runtime, store: &Store, floor: Option<&Connection>, size: u64) -> Cost {
    let rounds = if size > 1_000_000 { 3 } else { ROUNDS };
    cost(
        rounds,
        size,
        |_| {
            let mut total = Projector::<Total>::in_memory(store);
            runtime
                .block_on(total.catch_up())
                .expect("every event is known");
            black_box(total.balance);
        },
        floor.map(|floor| {
            move |_| {
                black_box(read_floor(floor));
            }
        }),
    )
}

fn load(runtime: &Runtime, store: &Store, floor: Option<&Connection>, size: u64) -> Cost {
    let accounts = Repository::<Account>::new(store);
    let streams = size / VERSIONS;
    // Far apart, and others in each round.
    let stream = |round: u64, load: u64| (round * LOADS + load).wrapping_mul(7_919_317) % streams;
    cost(
        ROUNDS,
        LOADS * VERSIONS,
        |round| {
            for number in 0..LOADS {
                let id = AccountId::new(stream(round, number).to_string()).expect("an id");
                black_box(runtime.block_on(accounts.load(&id)).expect("a stream"));
            }
        },
        floor.map(|floor| {
            move |round| {
                for number in 0..LOADS {
                    black_box(load_floor(floor, stream(round, number)));
                }
            }
        }),
    )
}

fn together(runtime: &Runtime, store: &Store, size: u64) -> Cost {
    let writer = |round: u64, writer: u64| {
        let store = store.clone();
        async move {
            let stream =
                StreamId::new("scale", format!("{size}-{round}-{writer}")).expect("a name");
            for version in 0..EACH {
                append_one(&store, &stream, version).await;
            }
        }
    };
    cost(
        ROUNDS,
        WRITERS * EACH,
        |round| {
            runtime.block_on(async {
                let writers: Vec<_> = (0..WRITERS)
                    .map(|number| tokio::spawn(writer(round, number)))
                    .collect();
                for writer in writers {
                    writer.await.expect("no writer fails");
                }
            });
        },
        None::<fn(u64)>,
    )
}

fn alone(runtime: &Runtime, store: &Store, floor: Option<&Connection>, size: u64) -> Cost {
    cost(
        ROUNDS,
        ALONE,
        |round| {
            let stream = StreamId::new("scale", format!("{size}-{round}")).expect("a name");
            for version in 0..ALONE {
                runtime.block_on(append_one(store, &stream, version));
            }
        },
        floor.map(|floor| {
            move |round| {
                for version in 0..ALONE {
                    let (name, payload) = event(version);
                    insert(floor, &format!("{size}-{round}"), version, name, &payload);
                }
            }
        }),
    )
}

/// The order in which streams grow: (stream, versions).
fn runs(events: Range<u64>) -> impl Iterator<Item = (u64, Range<u64>)> {
    (events.start / RUN..events.end / RUN).map(|run| {
        let (block, within) = (run / (BUSY * VERSIONS / RUN), run % (BUSY * VERSIONS / RUN));
        let first = within / BUSY * RUN;
        (block * BUSY + within % BUSY, first..first + RUN)
    })
}

async fn grow(store: &Store, events: Range<u64>) {
    let mut batch = Batch::new();
    for (number, (stream, versions)) in (1..).zip(runs(events)) {
        let stream = StreamId::new("account", stream.to_string()).expect("a name");
        let expected = Expected::Version(Version(versions.start));
        let events: Vec<NewEvent> = versions.map(new_event).collect();
        batch = batch.append(stream, expected, events);
        if number % 100 == 0 {
            let full = std::mem::take(&mut batch);
            store.append_batch(full).await.expect("a disk with space");
        }
    }
    store.append_batch(batch).await.expect("a disk with space");
}

fn grow_floor(floor: &Connection, events: Range<u64>) {
    let command = |sql| floor.execute_batch(sql).expect("a disk with space");
    command("BEGIN");
    for (number, (stream, versions)) in (1..).zip(runs(events)) {
        for version in versions {
            let (name, payload) = event(version);
            insert(floor, &stream.to_string(), version + 1, name, &payload);
        }
        if number % 100 == 0 {
            command("COMMIT; BEGIN");
        }
    }
    command("COMMIT");
}

fn file_size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes >> 20)
}

/// Begins to look for a new peak, where the system can: Linux.
fn forget_peak_of_memory() {
    _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The most memory that the process had since then, in bytes; 0 where the system does not tell.
fn peak_of_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kilobytes
        .and_then(|number| number.parse::<u64>().ok())
        .map_or(0, |number| number << 10)
}
