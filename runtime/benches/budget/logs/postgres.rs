//! A table on a PostgreSQL server, on bare `tokio-postgres`.

use std::error::Error;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use futures_util::StreamExt as _;
use recount::prelude::Utc;
use recount::uuid::Uuid;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, NoTls, Statement};

use super::floor::{Bare, Conflict, Fold, PAGE, Record};
use crate::domain::change_by_hand;

/// Reads are spread over so many connections: those of one are answered one after another.
const READERS: usize = 4;
const TABLE: &str = "the table";
const SERVER: &str = "a server";

#[derive(Debug)]
pub struct Postgres {
    url: String,
    readers: Vec<Reader>,
    turn: AtomicUsize,
    writer: Writer,
    queue: mpsc::UnboundedSender<Append>,
    committed: watch::Receiver<i64>,
}

#[derive(Debug)]
struct Reader {
    client: Client,
    stream: Statement,
    all: Statement,
    since: Statement,
    snapshot: Statement,
}

#[derive(Debug)]
struct Writer {
    client: Client,
    one: Statement,
    many: Statement,
}

#[derive(Debug)]
struct Append {
    record: Record,
    done: oneshot::Sender<Result<(), Conflict>>,
}

/// With what every log needs: an order, a version that is unique in its stream, an id, and a way to find events by name.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS events (
        position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stream text NOT NULL, version bigint NOT NULL,
        id uuid NOT NULL UNIQUE, name text NOT NULL, recorded_at bigint NOT NULL, payload json NOT NULL,
        UNIQUE (stream, version)
    );
    CREATE INDEX IF NOT EXISTS by_name ON events (name, position);
    CREATE TABLE IF NOT EXISTS snapshots (stream text PRIMARY KEY, version bigint NOT NULL, state json NOT NULL);
    CREATE TABLE IF NOT EXISTS checkpoint (position bigint NOT NULL)";

impl Postgres {
    pub async fn open(url: &str) -> Self {
        let writer = Writer::open(url).await;
        let mut readers = Vec::new();
        for _ in 0..READERS {
            readers.push(Reader::open(url).await);
        }
        let (queue, waiting) = mpsc::unbounded_channel();
        let (told, committed) = watch::channel(0);
        let among = Writer::open(url).await;
        tokio::spawn(insert_all_who_wait(among, waiting, told));
        Self {
            url: url.to_owned(),
            readers,
            turn: AtomicUsize::new(0),
            writer,
            queue,
            committed,
        }
    }

    fn reader(&self) -> &Reader {
        &self.readers[self.turn.fetch_add(1, Ordering::Relaxed) % READERS]
    }
}

/// A task that inserts all who wait as one statement.
async fn insert_all_who_wait(
    writer: Writer,
    mut waiting: mpsc::UnboundedReceiver<Append>,
    told: watch::Sender<i64>,
) {
    let mut group = Vec::new();
    while waiting.recv_many(&mut group, 4096).await > 0 {
        let (records, done): (Vec<Record>, Vec<_>) = group
            .drain(..)
            .map(|append| (append.record, append.done))
            .unzip();
        let outcomes = if let Ok(last) = writer.insert(&records).await {
            told.send_replace(last);
            vec![Ok(()); records.len()]
        } else {
            // Who stands in the way is found out by trying each.
            let mut outcomes = Vec::new();
            for record in &records {
                let inserted = writer.insert(std::slice::from_ref(record)).await;
                if let Ok(last) = inserted {
                    told.send_replace(last);
                }
                outcomes.push(inserted.map(|_| ()));
            }
            outcomes
        };
        for (outcome, done) in outcomes.into_iter().zip(done) {
            done.send(outcome).expect("the writer waits");
        }
    }
}

impl Writer {
    async fn open(url: &str) -> Self {
        let client = connect(url).await.expect(SERVER);
        client
            .batch_execute("SET client_min_messages = warning")
            .await
            .expect(SERVER);
        client
            .batch_execute(SCHEMA)
            .await
            .expect("a database of ours");
        let columns = "INSERT INTO events (stream, version, id, name, recorded_at, payload)";
        let one = format!("{columns} VALUES ($1, $2, $3, $4, $5, $6) RETURNING position");
        let many = format!(
            "{columns} SELECT * FROM unnest($1::text[], $2::bigint[], $3::uuid[], $4::text[], $5::bigint[], $6::json[])
             RETURNING position"
        );
        let one = client.prepare(&one).await.expect(TABLE);
        let many = client.prepare(&many).await.expect(TABLE);
        Self { client, one, many }
    }

    /// As one statement; returns the last position.
    async fn insert(&self, records: &[Record]) -> Result<i64, Conflict> {
        let now = Utc::now().timestamp_micros();
        let rows = if let [record] = records {
            let (id, payload) = (Uuid::now_v7(), Raw(record.payload.as_slice()));
            let values: [&(dyn ToSql + Sync); 6] = [
                &record.stream,
                &record.version,
                &id,
                &record.name,
                &now,
                &payload,
            ];
            self.client.query(&self.one, &values).await
        } else {
            let streams: Vec<&str> = records
                .iter()
                .map(|record| record.stream.as_str())
                .collect();
            let versions: Vec<i64> = records.iter().map(|record| record.version).collect();
            let ids: Vec<Uuid> = records.iter().map(|_| Uuid::now_v7()).collect();
            let names: Vec<&str> = records.iter().map(|record| record.name).collect();
            let times = vec![now; records.len()];
            let payloads: Vec<_> = records
                .iter()
                .map(|record| Raw(record.payload.as_slice()))
                .collect();
            let values: [&(dyn ToSql + Sync); 6] =
                [&streams, &versions, &ids, &names, &times, &payloads];
            self.client.query(&self.many, &values).await
        };
        match rows {
            Ok(rows) => Ok(rows.last().map_or(0, |row| row.get(0))),
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => Err(Conflict),
            Err(error) => panic!("{error}"),
        }
    }
}

impl Reader {
    async fn open(url: &str) -> Self {
        let client = connect(url).await.expect(SERVER);
        let prepare = async |sql| client.prepare(sql).await.expect(TABLE);
        let stream = prepare("SELECT version, name, payload FROM events WHERE stream = $1 AND version > $2 ORDER BY version").await;
        let all = prepare("SELECT position, name, payload FROM events ORDER BY position").await;
        let since =
            prepare("SELECT position, recorded_at, name, payload FROM events WHERE position > $1 ORDER BY position").await;
        let snapshot = prepare("SELECT version, state FROM snapshots WHERE stream = $1").await;
        Self {
            client,
            stream,
            all,
            since,
            snapshot,
        }
    }

    async fn fold<S>(
        &self,
        statement: &Statement,
        values: &[&(dyn ToSql + Sync)],
        mut state: S,
        fold: Fold<S>,
    ) -> S {
        let rows = self
            .client
            .query_raw(statement, values.iter().copied())
            .await
            .expect(TABLE);
        let mut rows = pin!(rows);
        while let Some(row) = rows.next().await {
            let row = row.expect("a row");
            let payload: Raw<&[u8]> = row.get(2);
            fold(&mut state, row.get(0), row.get(1), payload.0);
        }
        state
    }
}

/// Connects, and waits for some seconds where the server has too many clients: connections that were dropped end a little later.
pub async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let mut tries = 50;
    let (client, connection) = loop {
        match tokio_postgres::connect(url, NoTls).await {
            Err(error) if tries > 0 && error.code() == Some(&SqlState::TOO_MANY_CONNECTIONS) => {
                tries -= 1;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            connected => break connected?,
        }
    };
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

/// JSON as it is.
#[derive(Debug)]
struct Raw<T>(T);

impl ToSql for Raw<&[u8]> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(self.0);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::JSON
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Raw<&'a [u8]> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::JSON
    }
}

impl Bare for Postgres {
    async fn append(&self, records: Vec<Record>) -> Result<(), Conflict> {
        self.writer.insert(&records).await.map(drop)
    }

    async fn append_among(&self, record: Record) -> Result<(), Conflict> {
        let (done, waiting) = oneshot::channel();
        self.queue
            .send(Append { record, done })
            .expect("the task lives");
        waiting.await.expect("the task answers")
    }

    async fn stream<S: Send>(&self, stream: &str, after: i64, state: S, fold: Fold<S>) -> S {
        let reader = self.reader();
        reader
            .fold(&reader.stream, &[&stream, &after], state, fold)
            .await
    }

    async fn all<S: Send>(&self, state: S, fold: Fold<S>) -> S {
        let reader = self.reader();
        reader.fold(&reader.all, &[], state, fold).await
    }

    async fn since(&self, position: i64) -> Vec<(i64, i64)> {
        let reader = self.reader();
        let rows = reader
            .client
            .query(&reader.since, &[&position])
            .await
            .expect(TABLE);
        let times = rows.iter().map(|row| {
            std::hint::black_box((row.get::<_, &str>(2), row.get::<_, Raw<&[u8]>>(3)));
            (row.get(0), row.get(1))
        });
        times.collect()
    }

    fn committed(&self) -> watch::Receiver<i64> {
        self.committed.clone()
    }

    async fn save_snapshot(&self, stream: &str, version: i64, state: Vec<u8>) {
        let sql = "INSERT INTO snapshots VALUES ($1, $2, $3) ON CONFLICT (stream) DO UPDATE SET version = $2, state = $3";
        self.writer
            .client
            .execute(sql, &[&stream, &version, &Raw(state.as_slice())])
            .await
            .expect(TABLE);
    }

    async fn snapshot(&self, stream: &str) -> (i64, Vec<u8>) {
        let reader = self.reader();
        let row = reader
            .client
            .query_one(&reader.snapshot, &[&stream])
            .await
            .expect("a snapshot that was taken");
        (row.get(0), row.get::<_, Raw<&[u8]>>(1).0.to_vec())
    }

    /// The statements of a page go out one after another before the first is answered.
    async fn rebuild_table(&self) -> i64 {
        let client = &self.writer.client;
        let anew = "BEGIN; DROP TABLE IF EXISTS balances; DELETE FROM checkpoint; INSERT INTO checkpoint VALUES (0);
             CREATE TABLE balances (account text PRIMARY KEY, balance bigint NOT NULL, changes bigint NOT NULL); COMMIT";
        client.batch_execute(anew).await.expect(SERVER);
        let page = format!(
            "SELECT position, stream, name, payload FROM events WHERE position > $1 ORDER BY position LIMIT {PAGE}"
        );
        let page = client.prepare(&page).await.expect(TABLE);
        let change = "INSERT INTO balances AS b VALUES ($1, $2, 1)
             ON CONFLICT (account) DO UPDATE SET balance = b.balance + $2, changes = b.changes + 1";
        let change = client.prepare(change).await.expect(TABLE);
        let save = client
            .prepare("UPDATE checkpoint SET position = $1")
            .await
            .expect(TABLE);
        let mut position = 0_i64;
        loop {
            let rows = client.query(&page, &[&position]).await.expect(TABLE);
            let mut changes = Vec::with_capacity(rows.len());
            for row in &rows {
                position = row.get(0);
                let payload: Raw<&[u8]> = row.get(3);
                if let Some(amount) = change_by_hand(row.get(2), payload.0) {
                    changes.push((row.get::<_, &str>(1), amount));
                }
            }
            client.batch_execute("BEGIN").await.expect(SERVER);
            let statements = changes.iter().map(async |(account, amount)| {
                client
                    .execute(&change, &[account, amount])
                    .await
                    .expect(TABLE);
            });
            futures_util::future::join_all(statements).await;
            client.execute(&save, &[&position]).await.expect(TABLE);
            client.batch_execute("COMMIT").await.expect(SERVER);
            if rows.len() < PAGE {
                let count = client
                    .query_one("SELECT count(*) FROM balances", &[])
                    .await
                    .expect(TABLE);
                return count.get(0);
            }
        }
    }

    async fn another(&self) -> Self {
        Self::open(&self.url).await
    }
}
