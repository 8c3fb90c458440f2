//! A connection to work on: one of the pool, or the caller's own, with what is prepared on it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::future::Either;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, RowStream, Statement};

use super::error::Cause;
use super::select::Select;
use super::shared::{self, Lease, Taken, TakenRows};
use super::statements::Statements;

/// What all that asks the server is written against.
pub(super) enum Connection<'a> {
    /// The pool's, which keeps what is prepared as long as the connection lasts. It goes back when this is dropped.
    Pool(Lease),
    /// The pool's, on which others read, too.
    Shared(Arc<Lease>),
    /// The caller's; what is prepared lasts as long as this.
    Caller(&'a Client, Statements),
}

impl<'a> Connection<'a> {
    pub(super) fn of_caller(client: &'a Client) -> Self {
        Self::Caller(client, Statements::default())
    }

    /// Does not go back to the pool.
    pub(super) fn discard(self) {
        match self {
            Self::Pool(lease) => drop(Lease::take(lease)),
            Self::Shared(lease) => lease.is_over.store(true, Ordering::Relaxed),
            Self::Caller(..) => {}
        }
    }

    pub(super) fn client(&self) -> &Client {
        match self {
            Self::Pool(lease) => &lease.client,
            Self::Shared(lease) => &lease.client,
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
            Self::Pool(lease) => lease.statements.prepare(sql, &lease.client).await,
            Self::Shared(lease) => lease.statements.prepare(sql, &lease.client).await,
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

    /// Rows as they come; those of a shared connection are there all at once, or as many as are more than so many bytes.
    pub(super) async fn rows(&self, select: Select, enough: usize) -> Result<Rows, Cause> {
        if let Self::Shared(lease) = self {
            let Taken { rows, is_all } = shared::take(lease, select, enough).await?;
            return Ok(Rows {
                rows: Either::Right(rows),
                is_all,
            });
        }
        let statement = self.prepare(&select.sql).await?;
        let rows = self.client().query_raw(&statement, select.params()).await?;
        Ok(Rows {
            rows: Either::Left(rows),
            is_all: true,
        })
    }
}

/// The rows of an answer.
pub(super) struct Rows {
    pub(super) rows: Either<RowStream, TakenRows>,
    /// No more were found than these.
    pub(super) is_all: bool,
}
