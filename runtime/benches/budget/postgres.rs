//! The log on a PostgreSQL server, against the bare driver and a table that a person would make. `DATABASE_URL` names the server,
//! else it is the one on 127.0.0.1.

use std::error::Error;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;

use bytes::BytesMut;
use futures_util::StreamExt as _;
use recount::log::{Batch, Expected, NewEvent, StreamId};
use recount::prelude::*;
use recount::projection::Projector;
use recount::uuid::Uuid;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, NoTls, Statement};

use crate::append::append_one;
use crate::bank::{Account, AccountId, Total, event, fold_by_hand};
use crate::paired::{compare, rate};
use crate::read::new_event;
use crate::tables;

const WRITERS: u64 = 64;
const EACH: u64 = 100;
const LONE: u64 = 1_000;
const BATCHES: u64 = 40;
const BATCH: u64 = 100;
const STREAMS: u64 = 200;
const VERSIONS: u64 = 1_000;
const LOADS: u64 = 20;

pub fn run() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let database = Database::make(&runtime);
    let (floor, store) = runtime.block_on(async {
        let floor = Floor::open(&database.url).await;
        (floor, Store::connect(&database.url).await.expect("a store"))
    });
    appends(&runtime, &floor, &store);
    reads(&runtime, &floor, &store);
    into_tables(&runtime);
    runtime
        .block_on(store.close())
        .expect("a store that is open");
}

/// A database of its own, which is dropped with this value.
pub struct Database<'a> {
    runtime: &'a Runtime,
    server: String,
    name: String,
    /// Without TLS, as the floor is.
    pub url: String,
}

impl<'a> Database<'a> {
    pub fn make(runtime: &'a Runtime) -> Self {
        let server = std::env::var("DATABASE_URL")
            .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/postgres".to_owned());
        let name = format!("budget_{}", Uuid::now_v7().simple());
        let (address, _) = server.rsplit_once('/').expect("a database in the URL");
        let url = format!("{address}/{name}?sslmode=disable");
        runtime
            .block_on(execute(&server, &format!("CREATE DATABASE {name}")))
            .expect("the right to make a database");
        Self {
            runtime,
            server,
            name,
            url,
        }
    }
}

impl Drop for Database<'_> {
    /// Also when a measurement panics, so it does not panic itself.
    fn drop(&mut self) {
        let command = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        let dropped = self.runtime.block_on(execute(&self.server, &command));
        if let Err(error) = dropped {
            eprintln!("the database {} is left behind: {error}", self.name);
        }
    }
}

fn appends(runtime: &Runtime, floor: &Floor, store: &Store) {
    let (mut one, mut other) = (0, 0);
    compare(
        "PostgreSQL: append, 1 writer",
        0.9,
        15,
        || {
            one += 1;
            rate(LONE as usize, || {
                runtime.block_on(async {
                    for version in 1..=LONE {
                        floor.insert_one(&format!("lone-{one}"), version).await;
                    }
                });
            })
        },
        || {
            other += 1;
            let stream = StreamId::new("lone", other.to_string()).expect("a name");
            rate(LONE as usize, || {
                runtime.block_on(async {
                    for version in 0..LONE {
                        append_one(store, &stream, version).await;
                    }
                });
            })
        },
    );
    compare(
        "PostgreSQL: append, 100 events at a time",
        0.9,
        15,
        || {
            one += 1;
            rate((BATCHES * BATCH) as usize, || {
                runtime.block_on(async {
                    for batch in 0..BATCHES {
                        let rows = (batch * BATCH + 1..=batch * BATCH + BATCH)
                            .map(|version| Row::of(format!("batch-{one}"), version));
                        floor.insert(&rows.collect::<Vec<_>>()).await;
                    }
                });
            })
        },
        || {
            other += 1;
            let stream = StreamId::new("batch", other.to_string()).expect("a name");
            rate((BATCHES * BATCH) as usize, || {
                runtime.block_on(async {
                    for batch in 0..BATCHES {
                        let events: Vec<NewEvent> = (batch * BATCH..(batch + 1) * BATCH)
                            .map(new_event)
                            .collect();
                        let expected = Expected::Version(Version(batch * BATCH));
                        store
                            .append(&stream, expected, events)
                            .await
                            .expect("nobody else writes");
                    }
                });
            })
        },
    );
    compare(
        "PostgreSQL: append, 64 writers, coalesced by hand",
        0.8,
        15,
        || {
            one += 1;
            rate((WRITERS * EACH) as usize, || {
                runtime.block_on(floor.append_all(one));
            })
        },
        || {
            other += 1;
            rate((WRITERS * EACH) as usize, || {
                runtime.block_on(append_all(store, other));
            })
        },
    );
}

fn reads(runtime: &Runtime, floor: &Floor, store: &Store) {
    runtime.block_on(async {
        floor
            .client
            .batch_execute("TRUNCATE events RESTART IDENTITY")
            .await
            .expect("the table");
        for run in 0..VERSIONS / 10 {
            let mut rows = Vec::new();
            for stream in 0..STREAMS {
                rows.extend(
                    (run * 10 + 1..=run * 10 + 10)
                        .map(|version| Row::of(stream.to_string(), version)),
                );
            }
            floor.insert(&rows).await;
            let mut batch = Batch::new();
            for stream in 0..STREAMS {
                let stream = StreamId::new("account", stream.to_string()).expect("a name");
                batch = batch.append(
                    stream,
                    Expected::Any,
                    (run * 10..run * 10 + 10).map(new_event),
                );
            }
            store.append_batch(batch).await.expect("a disk with space");
        }
        floor
            .client
            .batch_execute("VACUUM ANALYZE")
            .await
            .expect("the table");
    });
    let accounts = Repository::<Account>::new(store);
    let (mut one, mut other) = (0, 0);
    compare(
        "PostgreSQL: load a stream of 1,000 events",
        0.8,
        15,
        || {
            rate((LOADS * VERSIONS) as usize, || {
                runtime.block_on(async {
                    for _ in 0..LOADS {
                        one = (one + 7) % STREAMS;
                        black_box(floor.load(one).await);
                    }
                });
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
    let all = (STREAMS * VERSIONS) as usize;
    compare(
        "PostgreSQL: read 200,000 events into a projection",
        0.8,
        9,
        || {
            rate(all, || {
                black_box(runtime.block_on(floor.read()));
            })
        },
        || {
            rate(all, || {
                let mut total = Projector::<Total>::in_memory(store);
                runtime
                    .block_on(total.catch_up())
                    .expect("every event is known");
                black_box(total.balance);
            })
        },
    );
}

/// In a database of its own, all of whose events are handled.
fn into_tables(runtime: &Runtime) {
    let database = Database::make(runtime);
    let store = runtime.block_on(tables::fill(&database.url));
    let floor = runtime.block_on(Floor::open(&database.url));
    runtime.block_on(floor.fill_for_tables());
    compare(
        "PostgreSQL: 100,000 events into a table",
        0.7,
        5,
        || rate(tables::EVENTS, || runtime.block_on(floor.rebuild_table())),
        || rate(tables::EVENTS, || tables::rebuild(runtime, &store)),
    );
    runtime
        .block_on(store.close())
        .expect("a store that is open");
}

async fn append_all(store: &Store, round: u64) {
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                let stream = StreamId::new("many", format!("{round}-{writer}")).expect("a name");
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

async fn connect(url: &str) -> Client {
    try_connect(url).await.expect("a server")
}

async fn try_connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

async fn execute(url: &str, command: &str) -> Result<(), tokio_postgres::Error> {
    try_connect(url).await?.batch_execute(command).await
}

/// JSON as it is.
#[derive(Debug)]
struct Raw<T>(T);

impl ToSql for Raw<Vec<u8>> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
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

struct Row {
    stream: String,
    version: i64,
    id: Uuid,
    name: &'static str,
    recorded_at: i64,
    payload: Raw<Vec<u8>>,
}

impl Row {
    fn of(stream: String, version: u64) -> Self {
        let (name, payload) = event(version - 1);
        Self {
            stream,
            version: version as i64,
            id: Uuid::now_v7(),
            name,
            recorded_at: Utc::now().timestamp_micros(),
            payload: Raw(payload),
        }
    }
}

/// The table that a person would make, with what every log needs: an order, a version that is unique in its stream, an id, and a
/// way to find events by name.
struct Floor {
    client: Arc<Client>,
    one: Statement,
    many: Statement,
    queue: mpsc::UnboundedSender<(Row, oneshot::Sender<()>)>,
}

impl Floor {
    async fn open(url: &str) -> Self {
        let client = Arc::new(connect(url).await);
        let table = "CREATE TABLE events (
            position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stream text NOT NULL, version bigint NOT NULL,
            id uuid NOT NULL UNIQUE, name text NOT NULL, recorded_at bigint NOT NULL, payload json NOT NULL,
            UNIQUE (stream, version)); CREATE INDEX ON events (name, position)";
        client
            .batch_execute(table)
            .await
            .expect("an empty database");
        let columns = "INSERT INTO events (stream, version, id, name, recorded_at, payload)";
        let one = format!("{columns} VALUES ($1, $2, $3, $4, $5, $6) RETURNING position");
        let many = format!(
            "{columns} SELECT * FROM unnest($1::text[], $2::bigint[], $3::uuid[], $4::text[], $5::bigint[], $6::json[])
             RETURNING position"
        );
        let one = client.prepare(&one).await.expect("the table");
        let many = client.prepare(&many).await.expect("the table");
        let (queue, mut waiting) = mpsc::unbounded_channel::<(Row, oneshot::Sender<()>)>();
        let (writer, statement) = (Arc::clone(&client), many.clone());
        tokio::spawn(async move {
            let mut group = Vec::new();
            while waiting.recv_many(&mut group, 4096).await > 0 {
                let (rows, told): (Vec<Row>, Vec<_>) = group.drain(..).unzip();
                insert(&writer, &statement, &rows).await;
                for told in told {
                    told.send(()).expect("the writer waits");
                }
            }
        });
        Self {
            client,
            one,
            many,
            queue,
        }
    }

    async fn insert_one(&self, stream: &str, version: u64) {
        let row = Row::of(stream.to_owned(), version);
        let values: [&(dyn ToSql + Sync); 6] = [
            &row.stream,
            &row.version,
            &row.id,
            &row.name,
            &row.recorded_at,
            &row.payload,
        ];
        self.client
            .query_one(&self.one, &values)
            .await
            .expect("a version that is not there");
    }

    async fn fill_for_tables(&self) {
        let rows = |(stream, version): (u64, u64)| Row::of(stream.to_string(), version + 1);
        let rows: Vec<Row> = tables::events().map(rows).collect();
        for page in rows.chunks(tables::PAGE) {
            self.insert(page).await;
        }
        let table = "CREATE TABLE checkpoint (position bigint NOT NULL)";
        self.client.batch_execute(table).await.expect("a database");
    }

    /// The statements of a page go out one after another before the first is answered.
    async fn rebuild_table(&self) {
        let client = &self.client;
        client
            .batch_execute(
                "BEGIN; DROP TABLE IF EXISTS balances; DELETE FROM checkpoint; INSERT INTO checkpoint VALUES (0);
                 CREATE TABLE balances (account text PRIMARY KEY, balance bigint NOT NULL, changes bigint NOT NULL); COMMIT",
            )
            .await
            .expect("a database");
        let page = format!(
            "SELECT position, stream, name, payload FROM events WHERE position > $1 ORDER BY position LIMIT {}",
            tables::PAGE
        );
        let page = client.prepare(&page).await.expect("the table");
        let change = "INSERT INTO balances AS b VALUES ($1, $2, 1)
             ON CONFLICT (account) DO UPDATE SET balance = b.balance + $2, changes = b.changes + 1";
        let change = client.prepare(change).await.expect("the table");
        let save = client.prepare("UPDATE checkpoint SET position = $1").await;
        let save = save.expect("the table");
        let mut position = 0_i64;
        loop {
            let rows = client.query(&page, &[&position]).await.expect("the table");
            let mut changes = Vec::with_capacity(rows.len());
            for row in &rows {
                position = row.get(0);
                let payload: Raw<&[u8]> = row.get(3);
                if let Some(amount) = tables::change_by_hand(row.get(2), payload.0) {
                    changes.push((row.get::<_, &str>(1), amount));
                }
            }
            client.batch_execute("BEGIN").await.expect("a server");
            let statements = changes.iter().map(async |(account, amount)| {
                client
                    .execute(&change, &[account, amount])
                    .await
                    .expect("the table");
            });
            futures_util::future::join_all(statements).await;
            client
                .execute(&save, &[&position])
                .await
                .expect("the table");
            client.batch_execute("COMMIT").await.expect("a server");
            if rows.len() < tables::PAGE {
                return;
            }
        }
    }

    async fn insert(&self, rows: &[Row]) {
        insert(&self.client, &self.many, rows).await;
    }

    /// A task inserts all who wait as one statement.
    async fn append_all(&self, round: u64) {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let queue = self.queue.clone();
                tokio::spawn(async move {
                    for version in 1..=EACH {
                        let (told, waiting) = oneshot::channel();
                        let row = Row::of(format!("{round}-{writer}"), version);
                        queue.send((row, told)).expect("the task lives");
                        waiting.await.expect("the task answers");
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.expect("no writer fails");
        }
    }

    async fn load(&self, stream: u64) -> (Account, i64) {
        let sql = "SELECT version, name, payload FROM events WHERE stream = $1 ORDER BY version";
        self.fold(sql, &[&stream.to_string()]).await
    }

    async fn read(&self) -> (Account, i64) {
        self.fold(
            "SELECT position, name, payload FROM events ORDER BY position",
            &[],
        )
        .await
    }

    async fn fold(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> (Account, i64) {
        let statement = self.client.prepare(sql).await.expect("the table");
        let rows = self
            .client
            .query_raw(&statement, values.iter().copied())
            .await
            .expect("the table");
        let (mut account, mut number) = (Account::default(), 0);
        let mut rows = pin!(rows);
        while let Some(row) = rows.next().await {
            let row = row.expect("a row");
            number = row.get(0);
            let Raw(payload) = row.get(2);
            fold_by_hand(&mut account, row.get(1), payload);
        }
        (account, number)
    }
}

async fn insert(client: &Client, statement: &Statement, rows: &[Row]) {
    let streams: Vec<&str> = rows.iter().map(|row| row.stream.as_str()).collect();
    let versions: Vec<i64> = rows.iter().map(|row| row.version).collect();
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let names: Vec<&str> = rows.iter().map(|row| row.name).collect();
    let times: Vec<i64> = rows.iter().map(|row| row.recorded_at).collect();
    let payloads: Vec<&Raw<Vec<u8>>> = rows.iter().map(|row| &row.payload).collect();
    let values: [&(dyn ToSql + Sync); 6] = [&streams, &versions, &ids, &names, &times, &payloads];
    client
        .query(statement, &values)
        .await
        .expect("versions that are not there");
}
