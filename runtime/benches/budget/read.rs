//! Reading from a SQLite file: one stream into an aggregate, and the whole log into a projection.

use std::hint::black_box;
use std::path::Path;

use recount::log::{Batch, EventId, Expected, Metadata, NewEvent, StreamId};
use recount::prelude::*;
use recount::projection::Projector;
use rusqlite::Connection;

use crate::append::{bare, insert};
use crate::bank::{Account, AccountId, Total, event, fold_by_hand};
use crate::paired::{compare, rate};

const STREAMS: u64 = 1_000;
const VERSIONS: u64 = 1_000;
/// Streams grow by this many events at a time, so that they lie among each other as in a log that is used.
const RUN: u64 = 10;
const LOADS: u64 = 50;

pub fn run() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let floor = fill_floor(&folder.path().join("floor.db"));
    let store = runtime.block_on(fill(&format!(
        "sqlite:{}",
        folder.path().join("ours.db").display()
    )));
    let accounts = Repository::<Account>::new(&store);

    let (mut one, mut other) = (0, 0);
    compare(
        "load a stream of 1,000 events",
        0.8,
        15,
        || {
            rate((LOADS * VERSIONS) as usize, || {
                for _ in 0..LOADS {
                    one = (one + 7) % STREAMS;
                    black_box(load_floor(&floor, one));
                }
            })
        },
        || {
            rate((LOADS * VERSIONS) as usize, || {
                runtime.block_on(async {
                    for _ in 0..LOADS {
                        other = (other + 7) % STREAMS;
                        let id = AccountId::new(other.to_string()).expect("an id");
                        black_box(accounts.load(&id).await.expect("a stream"));
                    }
                });
            })
        },
    );
    compare(
        "read 1,000,000 events into a projection",
        0.8,
        7,
        || {
            rate((STREAMS * VERSIONS) as usize, || {
                black_box(read_floor(&floor));
            })
        },
        || {
            rate((STREAMS * VERSIONS) as usize, || {
                let mut total = Projector::<Total>::in_memory(&store);
                runtime
                    .block_on(total.catch_up())
                    .expect("every event is known");
                black_box(total.balance);
            })
        },
    );
}

/// The order in which streams grow: (stream, versions).
fn runs() -> impl Iterator<Item = (u64, std::ops::Range<u64>)> {
    (0..VERSIONS / RUN)
        .flat_map(|run| (0..STREAMS).map(move |stream| (stream, run * RUN..(run + 1) * RUN)))
}

fn fill_floor(path: &Path) -> Connection {
    let connection = bare(path);
    connection.execute_batch("BEGIN").expect("a transaction");
    for (stream, versions) in runs() {
        for version in versions {
            let (name, payload) = event(version);
            insert(
                &connection,
                &stream.to_string(),
                version + 1,
                name,
                &payload,
            );
        }
    }
    connection
        .execute_batch("COMMIT")
        .expect("a disk with space");
    connection
}

async fn fill(url: &str) -> Store {
    let store = Store::connect(url).await.expect("a store");
    let mut batch = Batch::new();
    let mut waiting = 0;
    for (stream, versions) in runs() {
        let stream = StreamId::new("account", stream.to_string()).expect("a name");
        let events: Vec<NewEvent> = versions.map(new_event).collect();
        waiting += events.len();
        batch = batch.append(stream, Expected::Any, events);
        if waiting >= 1_000 {
            store
                .append_batch(std::mem::take(&mut batch))
                .await
                .expect("a disk with space");
            waiting = 0;
        }
    }
    store.append_batch(batch).await.expect("a disk with space");
    store
}

pub fn new_event(version: u64) -> NewEvent {
    let (name, payload) = event(version);
    NewEvent {
        id: EventId(recount::uuid::Uuid::now_v7()),
        name: name.into(),
        schema_version: 1,
        recorded_at: Utc::now(),
        metadata: Metadata::default(),
        payload,
    }
}

/// The state and its version, which the next append is checked against.
pub fn load_floor(connection: &Connection, stream: u64) -> (Account, i64) {
    let mut statement = connection
        .prepare_cached(
            "SELECT version, name, payload FROM events WHERE stream = ?1 ORDER BY version",
        )
        .expect("the table");
    let mut rows = statement.query([stream.to_string()]).expect("the table");
    fold_rows(&mut rows)
}

/// The state and the position that it stands at, which the next read begins after.
pub fn read_floor(connection: &Connection) -> (Account, i64) {
    let mut statement = connection
        .prepare_cached("SELECT position, name, payload FROM events ORDER BY position")
        .expect("the table");
    let mut rows = statement.query([]).expect("the table");
    fold_rows(&mut rows)
}

fn fold_rows(rows: &mut rusqlite::Rows<'_>) -> (Account, i64) {
    let (mut account, mut number) = (Account::default(), 0);
    while let Some(row) = rows.next().expect("a row") {
        number = row.get(0).expect("an integer");
        let name = row
            .get_ref(1)
            .and_then(|value| Ok(value.as_str()?))
            .expect("text");
        let payload = row
            .get_ref(2)
            .and_then(|value| Ok(value.as_blob()?))
            .expect("bytes");
        fold_by_hand(&mut account, name, payload);
    }
    (account, number)
}
