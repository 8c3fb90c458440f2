//! 64 writers on one SQLite file, each waiting for its own append before the next.

use std::path::Path;
use std::sync::mpsc;

use recount::log::{Expected, NewEvent, StreamId};
use recount::prelude::*;
use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use crate::bank::event;
use crate::paired::{compare, rate};

const WRITERS: u64 = 64;
const EACH: u64 = 150;

pub fn run() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let mut files = 0;
    let mut file = || {
        files += 1;
        folder.path().join(format!("{files}.db"))
    };
    let (mut floors, mut ones) = (file(), file());
    floors.set_extension("floor");
    ones.set_extension("ones");

    let store = runtime
        .block_on(Store::connect(&format!("sqlite:{}", file().display())))
        .expect("a store");
    let floor = Floor::open(&floors);
    let mut round = 0;
    let mut ours = || {
        round += 1;
        rate((WRITERS * EACH) as usize, || {
            runtime.block_on(append_all(&store, round));
        })
    };
    let mut floor_round = 0;
    compare(
        "append, 64 writers, against group commit by hand",
        0.8,
        9,
        || {
            floor_round += 1;
            rate((WRITERS * EACH) as usize, || {
                runtime.block_on(floor.append_all(floor_round));
            })
        },
        &mut ours,
    );
    let one = bare(&ones);
    let mut version = 0;
    compare(
        "append, 64 writers, against one transaction each",
        10.0,
        5,
        || {
            rate(2_000, || {
                for _ in 0..2_000 {
                    version += 1;
                    let (name, payload) = event(version);
                    insert(&one, "one", version, name, &payload);
                }
            })
        },
        &mut ours,
    );
    lone(&runtime, &store, &file());
}

/// One caller alone: what the way through the store costs it.
fn lone(runtime: &tokio::runtime::Runtime, store: &Store, path: &Path) {
    let floor = bare(path);
    // As many indexes as the log keeps, so that only the way to the database is compared.
    floor
        .execute_batch(
            "CREATE INDEX by_name ON events (name); CREATE INDEX by_time ON events (recorded_at);",
        )
        .expect("a new table");
    let (mut version, mut round) = (0, 0);
    compare(
        "append, 1 writer, against as many indexes by hand",
        0.8,
        9,
        || {
            rate(1_000, || {
                for _ in 0..1_000 {
                    version += 1;
                    let (name, payload) = event(version);
                    insert(&floor, "one", version, name, &payload);
                }
            })
        },
        || {
            round += 1;
            let stream = StreamId::new("lone", format!("{round}")).expect("a name");
            rate(1_000, || {
                runtime.block_on(async {
                    for version in 0..1_000 {
                        append_one(store, &stream, version).await;
                    }
                });
            })
        },
    );
}

async fn append_all(store: &Store, round: u64) {
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                let stream = StreamId::new("account", format!("{round}-{writer}")).expect("a name");
                for version in 0..EACH {
                    append_one(&store, &stream, version).await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("no writer fails");
    }
}

pub async fn append_one(store: &Store, stream: &StreamId, version: u64) {
    let (name, payload) = event(version);
    let new = NewEvent {
        id: recount::log::EventId(recount::uuid::Uuid::now_v7()),
        name: name.into(),
        schema_version: 1,
        recorded_at: Utc::now(),
        metadata: recount::log::Metadata::default(),
        payload,
    };
    store
        .append(stream, Expected::Version(Version(version)), [new])
        .await
        .expect("nobody else writes the stream");
}

/// The table that a person would make, with what every log needs: an order, a version that is unique in its stream.
pub fn bare(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("a database");
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE events (
                 position INTEGER PRIMARY KEY, stream TEXT NOT NULL, version INTEGER NOT NULL, name TEXT NOT NULL,
                 recorded_at INTEGER NOT NULL, payload BLOB NOT NULL, UNIQUE (stream, version)
             );",
        )
        .expect("an empty database");
    connection
}

pub fn insert(connection: &Connection, stream: &str, version: u64, name: &str, payload: &[u8]) {
    let now = Utc::now().timestamp_micros();
    connection
        .prepare_cached("INSERT INTO events (stream, version, name, recorded_at, payload) VALUES (?1, ?2, ?3, ?4, ?5)")
        .and_then(|mut statement| statement.execute(params![stream, version as i64, name, now, payload]))
        .expect("a version that is not there");
}

struct Append {
    stream: String,
    version: u64,
    name: &'static str,
    payload: Vec<u8>,
    done: oneshot::Sender<()>,
}

/// A thread that commits all who wait as one transaction.
struct Floor(mpsc::Sender<Append>);

impl Floor {
    fn open(path: &Path) -> Self {
        let connection = bare(path);
        let (sender, receiver) = mpsc::channel::<Append>();
        std::thread::spawn(move || {
            while let Ok(first) = receiver.recv() {
                let group: Vec<Append> =
                    std::iter::once(first).chain(receiver.try_iter()).collect();
                connection
                    .execute_batch("BEGIN IMMEDIATE")
                    .expect("the only writer");
                for append in &group {
                    insert(
                        &connection,
                        &append.stream,
                        append.version,
                        append.name,
                        &append.payload,
                    );
                }
                connection
                    .execute_batch("COMMIT")
                    .expect("a disk with space");
                for append in group {
                    append.done.send(()).expect("the writer waits");
                }
            }
        });
        Self(sender)
    }

    async fn append_all(&self, round: u64) {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let sender = self.0.clone();
                tokio::spawn(async move {
                    for version in 0..EACH {
                        let (name, payload) = event(version);
                        let (done, waiting) = oneshot::channel();
                        let stream = format!("{round}-{writer}");
                        sender
                            .send(Append {
                                stream,
                                version,
                                name,
                                payload,
                                done,
                            })
                            .expect("the thread lives");
                        waiting.await.expect("the thread answers");
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.expect("no writer fails");
        }
    }
}
