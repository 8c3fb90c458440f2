//! A table on a PostgreSQL server, on bare `tokio-postgres`.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use contest::Place;
use contest::by_hand::postgres::{ALL, INSERT, SCHEMA, STREAM};
use contest::by_hand::{Conflict, Row, Table};
use futures_util::StreamExt as _;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, NoTls, Statement};
use uuid::Uuid;

/// Reads are spread over so many connections: those of one are answered one after another.
const READERS: usize = 4;
const TABLE: &str = "the table";

pub struct Postgres {
    writer: (Client, Statement),
    readers: Vec<Reader>,
    turn: AtomicUsize,
}

struct Reader {
    client: Client,
    stream: Statement,
    all: Statement,
}

pub async fn connect(url: &str) -> Result<Client, Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

impl Table for Postgres {
    const NAME: &'static str = "by hand";
    const PLACE: Place = Place::Postgres;
    const DRIVER: &'static str = "tokio-postgres";

    async fn open(url: &str) -> Self {
        let client = connect(url).await.expect("a server");
        client
            .batch_execute(SCHEMA)
            .await
            .expect("a database of ours");
        let insert = client.prepare(INSERT).await.expect(TABLE);
        let mut readers = Vec::new();
        for _ in 0..READERS {
            let client = connect(url).await.expect("a server");
            let (stream, all) = (
                client.prepare(STREAM).await.expect(TABLE),
                client.prepare(ALL).await.expect(TABLE),
            );
            readers.push(Reader {
                client,
                stream,
                all,
            });
        }
        Self {
            writer: (client, insert),
            readers,
            turn: AtomicUsize::new(0),
        }
    }

    async fn insert(&self, rows: &[Row]) -> Result<(), Conflict> {
        let streams: Vec<&str> = rows.iter().map(|row| row.stream.as_str()).collect();
        let versions: Vec<i64> = rows.iter().map(|row| row.version).collect();
        let ids: Vec<Uuid> = rows.iter().map(|_| Uuid::now_v7()).collect();
        let names: Vec<&str> = rows.iter().map(|row| row.name).collect();
        let payloads: Vec<&str> = rows.iter().map(|row| row.payload.as_str()).collect();
        let (client, insert) = &self.writer;
        let values: [&(dyn ToSql + Sync); 5] = [&streams, &versions, &ids, &names, &payloads];
        match client.execute(insert, &values).await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => Err(Conflict),
            Err(error) => panic!("{error}"),
        }
    }

    async fn read(&self, stream: Option<&str>, mut each: impl FnMut(&str, &[u8]) + Send) {
        let reader = &self.readers[self.turn.fetch_add(1, Ordering::Relaxed) % READERS];
        let statement = if stream.is_some() {
            &reader.stream
        } else {
            &reader.all
        };
        let rows = reader
            .client
            .query_raw(statement, stream)
            .await
            .expect(TABLE);
        let mut rows = pin!(rows);
        while let Some(row) = rows.next().await {
            let row = row.expect("a row");
            each(row.get(0), row.get::<_, &str>(1).as_bytes());
        }
    }
}
