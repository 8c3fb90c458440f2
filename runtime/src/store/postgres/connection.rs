//! A connection to work on: one of the pool, or the caller's own, with what is prepared on it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use deadpool_postgres::StatementCache;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, RowStream, Statement};

/// What all that asks the server is written against.
pub(super) struct Connection<'a> {
    client: &'a Client,
    prepared: Prepared<'a>,
}

enum Prepared<'a> {
    /// By the pool, as long as it keeps the connection.
    Pool(&'a StatementCache),
    /// On a connection that is not ours, as long as this is used.
    Here(Mutex<HashMap<Box<str>, Statement>>),
}

impl<'a> Connection<'a> {
    pub(super) fn of_pool(object: &'a deadpool_postgres::Client) -> Self {
        Self {
            client: object,
            prepared: Prepared::Pool(&object.statement_cache),
        }
    }

    pub(super) fn of_caller(client: &'a Client) -> Self {
        Self {
            client,
            prepared: Prepared::Here(Mutex::default()),
        }
    }

    /// Whether what happens here is decided by a transaction of the caller's.
    pub(super) fn is_callers(&self) -> bool {
        matches!(self.prepared, Prepared::Here(_))
    }

    /// Whether it is known to be at its end.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    pub(super) async fn prepare(&self, sql: &str) -> Result<Statement, Error> {
        let here = match &self.prepared {
            Prepared::Pool(cache) => return cache.prepare(self.client, sql).await,
            Prepared::Here(here) => here,
        };
        let known = || here.lock().unwrap_or_else(PoisonError::into_inner);
        let prepared = known().get(sql).cloned();
        if let Some(statement) = prepared {
            return Ok(statement);
        }
        let statement = self.client.prepare(sql).await?;
        known().insert(sql.into(), statement.clone());
        Ok(statement)
    }

    pub(super) async fn query(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        let statement = self.prepare(sql).await?;
        self.client.query(&statement, params).await
    }

    pub(super) async fn query_one(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Row, Error> {
        let statement = self.prepare(sql).await?;
        self.client.query_one(&statement, params).await
    }

    pub(super) async fn query_opt(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, Error> {
        let statement = self.prepare(sql).await?;
        self.client.query_opt(&statement, params).await
    }

    pub(super) async fn execute(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, Error> {
        let statement = self.prepare(sql).await?;
        self.client.execute(&statement, params).await
    }

    /// Rows as they come.
    pub(super) async fn stream<'p>(
        &self,
        sql: &str,
        params: impl ExactSizeIterator<Item = &'p (dyn ToSql + Sync)>,
    ) -> Result<RowStream, Error> {
        let statement = self.prepare(sql).await?;
        self.client.query_raw(&statement, params).await
    }
}
