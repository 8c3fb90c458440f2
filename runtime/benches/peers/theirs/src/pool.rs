//! Pools of connections of sqlx, for all who take one.

use std::str::FromStr as _;

use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

const CONNECTIONS: u32 = 16;

pub async fn postgres(url: &str) -> PgPool {
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .connect(url);
    pool.await.expect("a server")
}

pub async fn sqlite(url: &str) -> SqlitePool {
    let options = SqliteConnectOptions::from_str(url)
        .expect("a path")
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let pool = SqlitePoolOptions::new()
        .max_connections(CONNECTIONS)
        .connect_with(options);
    pool.await.expect("a file")
}
