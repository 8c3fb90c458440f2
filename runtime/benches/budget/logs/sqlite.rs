//! A table in a SQLite file, on bare `rusqlite`.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, mpsc};

use recount::prelude::Utc;
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, params};
use tokio::sync::{oneshot, watch};

use super::floor::{Bare, Conflict, Fold, PAGE, Record};
use crate::domain::change_by_hand;

#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    indexes: Indexes,
    /// Of callers who are alone.
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    queue: mpsc::Sender<Append>,
    committed: watch::Receiver<i64>,
}

/// What the table is indexed by besides its versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indexes {
    None,
    /// As many as our log keeps, so that only the way to the database is compared.
    AsOurs,
}

#[derive(Debug)]
struct Append {
    record: Record,
    done: oneshot::Sender<Result<(), Conflict>>,
}

const WHOLE: &str = "nobody panics while holding it";
const SPACE: &str = "a disk with space";
const TABLE: &str = "the table";

/// With what every log needs: an order, a version that is unique in its stream.
const SCHEMA: &str = "
    PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS events (
        position INTEGER PRIMARY KEY, stream TEXT NOT NULL, version INTEGER NOT NULL, name TEXT NOT NULL,
        recorded_at INTEGER NOT NULL, payload BLOB NOT NULL, UNIQUE (stream, version)
    );
    CREATE TABLE IF NOT EXISTS snapshots (stream TEXT PRIMARY KEY, version INTEGER NOT NULL, state BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS checkpoint (position INTEGER NOT NULL);";

impl Sqlite {
    pub fn open(path: &Path, indexes: Indexes) -> Self {
        let writer = connect(path, indexes);
        let (queue, waiting) = mpsc::channel();
        let (told, committed) = watch::channel(0);
        let among = connect(path, indexes);
        std::thread::spawn(move || commit_all_who_wait(&among, &waiting, &told));
        Self {
            path: path.to_owned(),
            indexes,
            writer: Mutex::new(writer),
            readers: Mutex::default(),
            queue,
            committed,
        }
    }

    fn read<T>(&self, read: impl FnOnce(&Connection) -> T) -> T {
        let free = self.readers.lock().expect(WHOLE).pop();
        let reader = free.unwrap_or_else(|| connect(&self.path, self.indexes));
        let found = read(&reader);
        self.readers.lock().expect(WHOLE).push(reader);
        found
    }
}

fn connect(path: &Path, indexes: Indexes) -> Connection {
    let connection = Connection::open(path).expect("a database");
    connection.set_prepared_statement_cache_capacity(64);
    connection
        .execute_batch(SCHEMA)
        .expect("a database of ours");
    if indexes == Indexes::AsOurs {
        let sql = "CREATE INDEX IF NOT EXISTS by_name ON events (name); CREATE INDEX IF NOT EXISTS by_time ON events (recorded_at);";
        connection.execute_batch(sql).expect(TABLE);
    }
    connection
}

/// A thread that commits all who wait as one transaction; it ends with the last who may come.
fn commit_all_who_wait(
    connection: &Connection,
    waiting: &mpsc::Receiver<Append>,
    told: &watch::Sender<i64>,
) {
    while let Ok(first) = waiting.recv() {
        let group = std::iter::once(first).chain(waiting.try_iter());
        connection
            .execute_batch("BEGIN IMMEDIATE")
            .expect("a database that is not held for long");
        let done: Vec<_> = group
            .map(|append| (insert(connection, &append.record), append.done))
            .collect();
        connection.execute_batch("COMMIT").expect(SPACE);
        told.send_replace(connection.last_insert_rowid());
        for (outcome, done) in done {
            done.send(outcome).expect("the writer waits");
        }
    }
}

/// A statement that fails leaves the others of its transaction as they are.
fn insert(connection: &Connection, record: &Record) -> Result<(), Conflict> {
    let sql = "INSERT INTO events (stream, version, name, recorded_at, payload) VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut statement = connection.prepare_cached(sql).expect(TABLE);
    let Record {
        stream,
        version,
        name,
        payload,
    } = record;
    match statement.execute(params![
        stream,
        version,
        name,
        Utc::now().timestamp_micros(),
        payload
    ]) {
        Ok(_) => Ok(()),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            Err(Conflict)
        }
        Err(error) => panic!("{error}"),
    }
}

fn text<'a>(row: &'a rusqlite::Row<'_>, column: usize) -> &'a str {
    row.get_ref(column)
        .and_then(|value| Ok(value.as_str()?))
        .expect("text")
}

fn bytes<'a>(row: &'a rusqlite::Row<'_>, column: usize) -> &'a [u8] {
    row.get_ref(column)
        .and_then(|value| Ok(value.as_blob()?))
        .expect("bytes")
}

fn fold_rows<S>(mut rows: rusqlite::Rows<'_>, mut state: S, fold: Fold<S>) -> S {
    while let Some(row) = rows.next().expect("a row") {
        fold(
            &mut state,
            row.get(0).expect("an integer"),
            text(row, 1),
            bytes(row, 2),
        );
    }
    state
}

impl Bare for Sqlite {
    async fn append(&self, records: Vec<Record>) -> Result<(), Conflict> {
        let writer = self.writer.lock().expect(WHOLE);
        if let [record] = &records[..] {
            return insert(&writer, record);
        }
        writer
            .execute_batch("BEGIN IMMEDIATE")
            .expect("a database that is not held for long");
        let outcome = records
            .iter()
            .try_for_each(|record| insert(&writer, record));
        writer
            .execute_batch(if outcome.is_ok() {
                "COMMIT"
            } else {
                "ROLLBACK"
            })
            .expect(SPACE);
        outcome
    }

    async fn append_among(&self, record: Record) -> Result<(), Conflict> {
        let (done, waiting) = oneshot::channel();
        self.queue
            .send(Append { record, done })
            .expect("the thread lives");
        waiting.await.expect("the thread answers")
    }

    async fn stream<S: Send>(&self, stream: &str, after: i64, state: S, fold: Fold<S>) -> S {
        self.read(|reader| {
            let sql = "SELECT version, name, payload FROM events WHERE stream = ?1 AND version > ?2 ORDER BY version";
            let mut statement = reader.prepare_cached(sql).expect(TABLE);
            fold_rows(statement.query(params![stream, after]).expect(TABLE), state, fold)
        })
    }

    async fn all<S: Send>(&self, state: S, fold: Fold<S>) -> S {
        self.read(|reader| {
            let sql = "SELECT position, name, payload FROM events ORDER BY position";
            let mut statement = reader.prepare_cached(sql).expect(TABLE);
            fold_rows(statement.query([]).expect(TABLE), state, fold)
        })
    }

    async fn since(&self, position: i64) -> Vec<(i64, i64)> {
        self.read(|reader| {
            let sql = "SELECT position, recorded_at, name, payload FROM events WHERE position > ?1 ORDER BY position";
            let mut statement = reader.prepare_cached(sql).expect(TABLE);
            let mut rows = statement.query([position]).expect(TABLE);
            let mut found = Vec::new();
            while let Some(row) = rows.next().expect("a row") {
                std::hint::black_box((text(row, 2), bytes(row, 3)));
                found.push((row.get(0).expect("an integer"), row.get(1).expect("an integer")));
            }
            found
        })
    }

    fn committed(&self) -> watch::Receiver<i64> {
        self.committed.clone()
    }

    async fn save_snapshot(&self, stream: &str, version: i64, state: Vec<u8>) {
        let writer = self.writer.lock().expect(WHOLE);
        let sql = "INSERT OR REPLACE INTO snapshots VALUES (?1, ?2, ?3)";
        writer
            .execute(sql, params![stream, version, state])
            .expect(SPACE);
    }

    async fn snapshot(&self, stream: &str) -> (i64, Vec<u8>) {
        self.read(|reader| {
            let mut statement = reader
                .prepare_cached("SELECT version, state FROM snapshots WHERE stream = ?1")
                .expect(TABLE);
            let found = statement.query_row([stream], |row| Ok((row.get(0)?, row.get(1)?)));
            found
                .optional()
                .expect(TABLE)
                .expect("a snapshot that was taken")
        })
    }

    async fn rebuild_table(&self) -> i64 {
        let writer = self.writer.lock().expect(WHOLE);
        let anew = "BEGIN; DROP TABLE IF EXISTS balances; DELETE FROM checkpoint; INSERT INTO checkpoint VALUES (0);
             CREATE TABLE balances (account text PRIMARY KEY, balance bigint NOT NULL, changes bigint NOT NULL); COMMIT;";
        writer.execute_batch(anew).expect(SPACE);
        let mut position = 0;
        while change_page(&writer, &mut position) == PAGE {}
        let count = writer.query_row("SELECT count(*) FROM balances", [], |row| row.get(0));
        count.expect(TABLE)
    }

    async fn another(&self) -> Self {
        Self::open(&self.path, self.indexes)
    }
}

/// The changes of a page of events, and how far that is, in one transaction.
fn change_page(connection: &Connection, position: &mut i64) -> usize {
    connection
        .execute_batch("BEGIN IMMEDIATE")
        .expect("the only writer");
    let page = "SELECT position, stream, name, payload FROM events WHERE position > ?1 ORDER BY position LIMIT ?2";
    let mut page = connection.prepare_cached(page).expect(TABLE);
    let change = "INSERT INTO balances AS b VALUES (?1, ?2, 1)
         ON CONFLICT (account) DO UPDATE SET balance = b.balance + ?2, changes = b.changes + 1";
    let mut change = connection.prepare_cached(change).expect(TABLE);
    let mut rows = page.query(params![*position, PAGE as i64]).expect(TABLE);
    let mut read = 0;
    while let Some(row) = rows.next().expect("a row") {
        *position = row.get(0).expect("an integer");
        if let Some(amount) = change_by_hand(text(row, 2), bytes(row, 3)) {
            change.execute(params![text(row, 1), amount]).expect(SPACE);
        }
        read += 1;
    }
    drop(rows);
    let mut save = connection
        .prepare_cached("UPDATE checkpoint SET position = ?1")
        .expect(TABLE);
    save.execute([*position]).expect(SPACE);
    connection.execute_batch("COMMIT").expect(SPACE);
    read
}
