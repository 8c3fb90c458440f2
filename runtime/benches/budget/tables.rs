//! A projection into tables of the store's own database, against a loop that a person would write: the same statements for the same
//! events, as many of them in a transaction, and how far it got in the same transaction.

use std::path::Path;

use recount::log::{Batch, Expected, NewEvent, StreamId};
use recount::prelude::*;
use recount::projection::TableProjector;
use rusqlite::{Connection, params};
use tokio::runtime::Runtime;

use crate::append::{bare, insert};
use crate::bank::{Account, Deposited, Withdrawn, event};
use crate::paired::{compare, rate};
use crate::read::new_event;

const STREAMS: u64 = 500;
const VERSIONS: u64 = 200;
pub const EVENTS: usize = (STREAMS * VERSIONS) as usize;
/// Events in a transaction, as ours has.
pub const PAGE: usize = 1000;

/// The balance of each account.
#[derive(Debug, Clone, Copy)]
pub struct Balances;

#[projection(name = "balances", of(Account))]
impl Balances {
    const TABLES: &[&str] = &[
        "CREATE TABLE {balances} (account text PRIMARY KEY, balance bigint NOT NULL, changes bigint NOT NULL)",
    ];

    fn deposited(&self, event: Deposited, at: &Envelope, sql: &mut Sql) {
        change(at.stream.id(), event.amount, sql);
    }

    fn withdrawn(&self, event: Withdrawn, at: &Envelope, sql: &mut Sql) {
        change(at.stream.id(), -event.amount, sql);
    }
}

fn change(account: &str, amount: i64, sql: &mut Sql) {
    sql.run(
        "INSERT INTO {balances} AS b VALUES ($1, $2, 1)
         ON CONFLICT (account) DO UPDATE SET balance = b.balance + $2, changes = b.changes + 1",
        (account, amount),
    );
}

/// The amount by which an event changes a balance, if it does.
pub fn change_by_hand(name: &str, payload: &[u8]) -> Option<i64> {
    const WRITTEN: &str = "it was written here";
    match name {
        "Deposited" => {
            let event: Deposited = serde_json::from_slice(payload).expect(WRITTEN);
            Some(event.amount)
        }
        "Withdrawn" => {
            let event: Withdrawn = serde_json::from_slice(payload).expect(WRITTEN);
            Some(-event.amount)
        }
        _ => None,
    }
}

pub fn run() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let mut floor = fill_floor(&folder.path().join("floor.db"));
    let url = format!("sqlite:{}", folder.path().join("ours.db").display());
    let store = runtime.block_on(fill(&url));
    compare(
        "100,000 events into a table of the same database",
        0.7,
        9,
        || rate(EVENTS, || rebuild_by_hand(&mut floor)),
        || rate(EVENTS, || rebuild(&runtime, &store)),
    );
}

/// Ours, from the first event: beside what the round before has built, which it replaces.
pub fn rebuild(runtime: &Runtime, store: &Store) {
    runtime.block_on(async {
        let mut balances = TableProjector::new(Balances, store)
            .await
            .expect("a store with tables");
        let progress = balances.rebuild().await.expect("every event is known");
        assert_eq!(progress.events as usize, EVENTS - STREAMS as usize);
    });
}

/// The order in which streams grow: (stream, version from 0).
pub fn events() -> impl Iterator<Item = (u64, u64)> {
    (0..VERSIONS).flat_map(|version| (0..STREAMS).map(move |stream| (stream, version)))
}

fn fill_floor(path: &Path) -> Connection {
    let connection = bare(path);
    connection.execute_batch("BEGIN").expect("a transaction");
    for (stream, version) in events() {
        let (name, payload) = event(version);
        insert(
            &connection,
            &stream.to_string(),
            version + 1,
            name,
            &payload,
        );
    }
    connection
        .execute_batch("COMMIT; CREATE TABLE checkpoint (position INTEGER NOT NULL);")
        .expect("a disk with space");
    connection
}

pub async fn fill(url: &str) -> Store {
    let store = Store::connect(url).await.expect("a store");
    let all: Vec<_> = events().collect();
    for some in all.chunks(PAGE) {
        let append = |batch: Batch, &(stream, version): &(u64, u64)| {
            let stream = StreamId::new("account", stream.to_string()).expect("a name");
            let event: NewEvent = new_event(version);
            batch.append(stream, Expected::Any, [event])
        };
        let batch = some.iter().fold(Batch::new(), append);
        store.append_batch(batch).await.expect("a disk with space");
    }
    store
}

fn rebuild_by_hand(connection: &mut Connection) {
    connection
        .execute_batch(
            "BEGIN; DROP TABLE IF EXISTS balances; DELETE FROM checkpoint; INSERT INTO checkpoint VALUES (0);
             CREATE TABLE balances (account text PRIMARY KEY, balance bigint NOT NULL, changes bigint NOT NULL); COMMIT;",
        )
        .expect("a database");
    let mut position = 0;
    loop {
        let transaction = connection.transaction().expect("a database");
        let mut read = 0;
        {
            let mut page = transaction
                .prepare_cached(
                    "SELECT position, stream, name, payload FROM events WHERE position > ?1 ORDER BY position LIMIT ?2",
                )
                .expect("the table");
            let mut change = transaction
                .prepare_cached(
                    "INSERT INTO balances AS b VALUES (?1, ?2, 1)
                     ON CONFLICT (account) DO UPDATE SET balance = b.balance + ?2, changes = b.changes + 1",
                )
                .expect("the table");
            let mut rows = page
                .query(params![position, PAGE as i64])
                .expect("the table");
            while let Some(row) = rows.next().expect("a row") {
                position = row.get::<_, i64>(0).expect("an integer");
                let text = |column| {
                    row.get_ref(column)
                        .expect("a column")
                        .as_str()
                        .expect("text")
                };
                let payload = row.get_ref(3).and_then(|value| Ok(value.as_blob()?));
                if let Some(amount) = change_by_hand(text(2), payload.expect("bytes")) {
                    change.execute(params![text(1), amount]).expect("the table");
                }
                read += 1;
            }
        }
        transaction
            .prepare_cached("UPDATE checkpoint SET position = ?1")
            .and_then(|mut statement| statement.execute([position]))
            .expect("the table");
        transaction.commit().expect("a disk with space");
        if read < PAGE {
            return;
        }
    }
}
