//! A table on a PostgreSQL server, on bare `sqlx`: beside the same on `tokio-postgres` it tells what the driver costs.

use contest::Place;
use contest::by_hand::postgres::{ALL, INSERT, SCHEMA, STREAM};
use contest::by_hand::{Conflict, Row, Table};
use futures::TryStreamExt as _;
use sqlx::{PgPool, Row as _};
use uuid::Uuid;

use crate::pool;

pub struct Postgres(PgPool);

impl Table for Postgres {
    const NAME: &'static str = "by hand, sqlx";
    const PLACE: Place = Place::Postgres;
    const DRIVER: &'static str = "sqlx";

    async fn open(url: &str) -> Self {
        let pool = pool::postgres(url).await;
        sqlx::raw_sql(SCHEMA)
            .execute(&pool)
            .await
            .expect("a database of ours");
        Self(pool)
    }

    async fn insert(&self, rows: &[Row]) -> Result<(), Conflict> {
        let inserted = sqlx::query(INSERT)
            .bind(
                rows.iter()
                    .map(|row| row.stream.as_str())
                    .collect::<Vec<_>>(),
            )
            .bind(rows.iter().map(|row| row.version).collect::<Vec<_>>())
            .bind(rows.iter().map(|_| Uuid::now_v7()).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.name).collect::<Vec<_>>())
            .bind(
                rows.iter()
                    .map(|row| row.payload.as_str())
                    .collect::<Vec<_>>(),
            );
        match inserted.execute(&self.0).await {
            Ok(_) => Ok(()),
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Err(Conflict),
            Err(error) => panic!("{error}"),
        }
    }

    async fn read(&self, stream: Option<&str>, mut each: impl FnMut(&str, &[u8]) + Send) {
        let query = match stream {
            Some(stream) => sqlx::query(STREAM).bind(stream),
            None => sqlx::query(ALL),
        };
        let mut rows = query.fetch(&self.0);
        while let Some(row) = rows.try_next().await.expect("a row") {
            each(row.get(0), row.get::<&str, _>(1).as_bytes());
        }
    }
}
