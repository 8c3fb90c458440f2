//! Two drivers of PostgreSQL doing the same work in turns: why the store uses `tokio-postgres`.
//!
//! `cargo run --release` in this folder; `DATABASE_URL` names the server, else it is the one on 127.0.0.1.

#[path = "../../budget/paired.rs"]
mod paired;

use std::hint::black_box;
use std::pin::pin;

use futures_util::{StreamExt as _, TryStreamExt as _};
use sqlx::postgres::{PgPool, PgPoolOptions};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Statement};
use uuid::Uuid;

use paired::{compare, header, rate};

const PAYLOAD: &str = r#"{"amount":100,"description":"a payload as long as those that a bank would write","balance_after":12345}"#;
const COLUMNS: &str = "INSERT INTO events (stream, version, id, name, recorded_at, payload)";
const LONE: i64 = 500;
const BATCHES: i64 = 50;
const BATCH: i64 = 100;
const WRITERS: i64 = 16;
const EACH: i64 = 100;
const LOADS: i64 = 20;
const VERSIONS: i64 = 1_000;
const STREAMS: i64 = 200;

#[tokio::main]
async fn main() {
    let server = std::env::var("DATABASE_URL")
        .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/postgres".to_owned());
    let name = format!("drivers_{}", Uuid::now_v7().simple());
    let admin = connect(&server).await;
    admin
        .batch_execute(&format!("CREATE DATABASE {name}"))
        .await
        .expect("the right to make a database");
    let url = format!(
        "{}/{name}",
        server.rsplit_once('/').expect("a database in the URL").0
    );
    let run = tokio::task::spawn_blocking(move || run(&url));
    run.await.expect("every statement succeeds");
    admin
        .batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)"))
        .await
        .expect("no use of it any more");
}

/// A batch of rows of one stream.
struct Rows {
    streams: Vec<String>,
    versions: Vec<i64>,
    ids: Vec<Uuid>,
    names: Vec<&'static str>,
    times: Vec<i64>,
    payloads: Vec<&'static str>,
}

impl Rows {
    fn of(stream: &str, versions: std::ops::Range<i64>) -> Self {
        let count = usize::try_from(versions.end - versions.start).expect("a range that rises");
        Self {
            streams: vec![stream.to_owned(); count],
            versions: versions.collect(),
            ids: (0..count).map(|_| Uuid::now_v7()).collect(),
            names: vec!["MoneyDeposited"; count],
            times: vec![1_700_000_000_000_000; count],
            payloads: vec![PAYLOAD; count],
        }
    }
}

struct Bare {
    clients: Vec<Client>,
    one: Vec<Statement>,
    many: Statement,
    load: Statement,
    all: Statement,
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a server");
    tokio::spawn(async move { drop(connection.await) });
    client
}

fn one() -> String {
    format!("{COLUMNS} VALUES ($1, $2, $3, $4, $5, $6::text::json) RETURNING position")
}

fn many() -> String {
    format!(
        "{COLUMNS} SELECT s, v, i, n, t, p::json FROM
         unnest($1::text[], $2::bigint[], $3::uuid[], $4::text[], $5::bigint[], $6::text[]) AS u (s, v, i, n, t, p)
         RETURNING position"
    )
}

const LOAD: &str =
    "SELECT version, name, payload::text FROM events WHERE stream = $1 ORDER BY version";
const ALL: &str = "SELECT position, name, payload::text FROM events ORDER BY position";

impl Bare {
    async fn open(url: &str) -> Self {
        let (mut clients, mut ones) = (Vec::new(), Vec::new());
        for _ in 0..WRITERS {
            let client = connect(url).await;
            ones.push(client.prepare(&one()).await.expect("the table"));
            clients.push(client);
        }
        let first = &clients[0];
        Self {
            many: first.prepare(&many()).await.expect("the table"),
            load: first.prepare(LOAD).await.expect("the table"),
            all: first.prepare(ALL).await.expect("the table"),
            one: ones,
            clients,
        }
    }

    async fn insert(&self, connection: usize, stream: &str, version: i64) {
        let (id, name, time) = (Uuid::now_v7(), "MoneyDeposited", 1_700_000_000_000_000_i64);
        let values: [&(dyn ToSql + Sync); 6] = [&stream, &version, &id, &name, &time, &PAYLOAD];
        let client = &self.clients[connection];
        black_box(
            client
                .query_one(&self.one[connection], &values)
                .await
                .expect("a new version")
                .get::<_, i64>(0),
        );
    }

    async fn insert_all(&self, rows: &Rows) {
        let Rows {
            streams,
            versions,
            ids,
            names,
            times,
            payloads,
        } = rows;
        let values: [&(dyn ToSql + Sync); 6] = [streams, versions, ids, names, times, payloads];
        black_box(
            self.clients[0]
                .query(&self.many, &values)
                .await
                .expect("new versions")
                .len(),
        );
    }

    async fn rows(&self, statement: &Statement, stream: Option<&str>) -> usize {
        let rows = match stream {
            Some(stream) => self.clients[0].query_raw(statement, [stream]).await,
            None => self.clients[0].query_raw::<_, &str, _>(statement, []).await,
        };
        let (mut rows, mut bytes) = (pin!(rows.expect("the table")), 0);
        while let Some(row) = rows.next().await {
            let row = row.expect("a row");
            bytes += row.get::<_, &str>(1).len() + row.get::<_, &str>(2).len();
            black_box(row.get::<_, i64>(0));
        }
        bytes
    }
}

async fn sqlx_insert(pool: &PgPool, sql: &'static str, stream: &str, version: i64) {
    let inserted = sqlx::query_scalar::<_, i64>(sql)
        .bind(stream)
        .bind(version)
        .bind(Uuid::now_v7())
        .bind("MoneyDeposited")
        .bind(1_700_000_000_000_000_i64)
        .bind(PAYLOAD)
        .fetch_one(pool);
    black_box(inserted.await.expect("a new version"));
}

async fn sqlx_insert_all(pool: &PgPool, sql: &'static str, rows: &Rows) {
    let inserted = sqlx::query_scalar::<_, i64>(sql)
        .bind(&rows.streams)
        .bind(&rows.versions)
        .bind(&rows.ids)
        .bind(&rows.names)
        .bind(&rows.times)
        .bind(&rows.payloads)
        .fetch_all(pool);
    black_box(inserted.await.expect("new versions").len());
}

async fn sqlx_rows(pool: &PgPool, sql: &'static str, stream: Option<&str>) -> usize {
    use sqlx::Row as _;
    let query = sqlx::query(sql);
    let query = match stream {
        Some(stream) => query.bind(stream),
        None => query,
    };
    let (mut rows, mut bytes) = (query.fetch(pool), 0);
    while let Some(row) = rows.try_next().await.expect("a row") {
        bytes += row.get::<&str, _>(1).len() + row.get::<&str, _>(2).len();
        black_box(row.get::<i64, _>(0));
    }
    bytes
}

fn run(url: &str) {
    let handle = tokio::runtime::Handle::current();
    let table = "CREATE TABLE events (
        position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stream text NOT NULL, version bigint NOT NULL,
        id uuid NOT NULL UNIQUE, name text NOT NULL, recorded_at bigint NOT NULL, payload json NOT NULL,
        UNIQUE (stream, version))";
    let (bare, pool) = handle.block_on(async {
        connect(url)
            .await
            .batch_execute(table)
            .await
            .expect("an empty database");
        let pool = PgPoolOptions::new()
            .max_connections(16)
            .connect(url)
            .await
            .expect("a server");
        (Bare::open(url).await, pool)
    });
    let (one, many): (&str, &str) = (one().leak(), many().leak());
    let mut round = 0;
    let mut next = move |what: &str| {
        round += 1;
        format!("{what}-{round}")
    };
    header("tokio-postgres", "sqlx");

    let mut names = next.clone();
    compare(
        "insert one row",
        0.0,
        15,
        || {
            let stream = names("tokio-one");
            rate(LONE as usize, || {
                handle.block_on(async {
                    for version in 0..LONE {
                        bare.insert(0, &stream, version).await;
                    }
                })
            })
        },
        || {
            let stream = next("sqlx-one");
            rate(LONE as usize, || {
                handle.block_on(async {
                    for version in 0..LONE {
                        sqlx_insert(&pool, one, &stream, version).await;
                    }
                })
            })
        },
    );
    compare(
        "insert one row, 16 connections at once",
        0.0,
        11,
        || {
            let stream = names("tokio-many");
            rate((WRITERS * EACH) as usize, || {
                handle.block_on(async {
                    let writers = (0..WRITERS).map(|writer| {
                        let (stream, bare) = (format!("{stream}-{writer}"), &bare);
                        async move {
                            for version in 0..EACH {
                                bare.insert(writer as usize, &stream, version).await;
                            }
                        }
                    });
                    futures_util::future::join_all(writers).await;
                })
            })
        },
        || {
            let stream = next("sqlx-many");
            rate((WRITERS * EACH) as usize, || {
                handle.block_on(async {
                    let writers = (0..WRITERS).map(|writer| {
                        let (stream, pool) = (format!("{stream}-{writer}"), &pool);
                        async move {
                            for version in 0..EACH {
                                sqlx_insert(pool, one, &stream, version).await;
                            }
                        }
                    });
                    futures_util::future::join_all(writers).await;
                })
            })
        },
    );
    compare(
        "insert 100 rows in one statement",
        0.0,
        15,
        || {
            let stream = names("tokio-batch");
            rate((BATCHES * BATCH) as usize, || {
                handle.block_on(async {
                    for batch in 0..BATCHES {
                        bare.insert_all(&Rows::of(&stream, batch * BATCH..(batch + 1) * BATCH))
                            .await;
                    }
                })
            })
        },
        || {
            let stream = next("sqlx-batch");
            rate((BATCHES * BATCH) as usize, || {
                handle.block_on(async {
                    for batch in 0..BATCHES {
                        sqlx_insert_all(
                            &pool,
                            many,
                            &Rows::of(&stream, batch * BATCH..(batch + 1) * BATCH),
                        )
                        .await;
                    }
                })
            })
        },
    );

    handle.block_on(async {
        bare.clients[0]
            .batch_execute("TRUNCATE events RESTART IDENTITY")
            .await
            .expect("the table");
        for stream in 0..STREAMS {
            bare.insert_all(&Rows::of(&stream.to_string(), 0..VERSIONS))
                .await;
        }
        bare.clients[0]
            .batch_execute("VACUUM ANALYZE events")
            .await
            .expect("the table");
    });
    let load = |stream: i64| (stream * 7 % STREAMS).to_string();
    compare(
        "read a stream of 1,000 rows",
        0.0,
        15,
        || {
            rate((LOADS * VERSIONS) as usize, || {
                handle.block_on(async {
                    for stream in 0..LOADS {
                        black_box(bare.rows(&bare.load, Some(&load(stream))).await);
                    }
                })
            })
        },
        || {
            rate((LOADS * VERSIONS) as usize, || {
                handle.block_on(async {
                    for stream in 0..LOADS {
                        black_box(sqlx_rows(&pool, LOAD, Some(&load(stream))).await);
                    }
                })
            })
        },
    );
    compare(
        "read 200,000 rows",
        0.0,
        9,
        || {
            rate((STREAMS * VERSIONS) as usize, || {
                black_box(handle.block_on(bare.rows(&bare.all, None)));
            })
        },
        || {
            rate((STREAMS * VERSIONS) as usize, || {
                black_box(handle.block_on(sqlx_rows(&pool, ALL, None)));
            })
        },
    );
    handle.block_on(pool.close());
}
