//! A connection to work on: one of the pool, or the caller's own, with what is prepared on it.

use deadpool::managed::Object;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, RowStream, Statement};

use super::pool::Sessions;
use super::statements::Statements;

/// What all that asks the server is written against.
pub(super) enum Connection<'a> {
    /// The pool's, which keeps what is prepared as long as the connection lasts. It goes back when this is dropped.
    Pool(Object<Sessions>),
    /// The caller's; what is prepared lasts as long as this.
    Caller(&'a Client, Statements),
}

impl<'a> Connection<'a> {
    pub(super) fn of_caller(client: &'a Client) -> Self {
        Self::Caller(client, Statements::default())
    }

    /// Does not go back to the pool.
    pub(super) fn discard(self) {
        if let Self::Pool(object) = self {
            drop(Object::take(object));
        }
    }

    pub(super) fn client(&self) -> &Client {
        match self {
            Self::Pool(session) => &session.client,
            Self::Caller(client, _) => client,
        }
    }

    /// Whether what happens here is decided by a transaction of the caller's.
    pub(super) fn is_callers(&self) -> bool {
        matches!(self, Self::Caller(..))
    }

    /// Whether it is known to be at its end.
    pub(super) fn is_closed(&self) -> bool {
        self.client().is_closed()
    }

    pub(super) async fn prepare(&self, sql: &str) -> Result<Statement, Error> {
        match self {
            Self::Pool(session) => session.statements.prepare(sql, &session.client).await,
            Self::Caller(client, statements) => statements.prepare(sql, client).await,
        }
    }

    pub(super) async fn query(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        let statement = self.prepare(sql).await?;
        self.client().query(&statement, params).await
    }

    pub(super) async fn query_one(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Row, Error> {
        let statement = self.prepare(sql).await?;
        self.client().query_one(&statement, params).await
    }

    pub(super) async fn query_opt(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, Error> {
        let statement = self.prepare(sql).await?;
        self.client().query_opt(&statement, params).await
    }

    pub(super) async fn execute(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, Error> {
        let statement = self.prepare(sql).await?;
        self.client().execute(&statement, params).await
    }

    /// Rows as they come.
    pub(super) async fn stream<'p>(
        &self,
        sql: &str,
        params: impl ExactSizeIterator<Item = &'p (dyn ToSql + Sync)>,
    ) -> Result<RowStream, Error> {
        let statement = self.prepare(sql).await?;
        self.client().query_raw(&statement, params).await
    }
}
