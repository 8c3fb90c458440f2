//! Tables as they are shown: for whoever asks them.

use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::TableProjection;
use super::versions::owner;
use crate::Store;
use crate::causes::with_causes;
use crate::sql::{self, Names, Params, RowError};
use crate::store::{Dialect, StoreError};

/// Asks the tables of a projection.
///
/// In the text of a query `{board}` stands for the table of that name, in the version that is shown. Rows are read as any type that
/// serde can read: see [`Row`](crate::sql::Row).
///
/// ```
/// # use recount::prelude::*;
/// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct CounterId(String);
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Counted { pub by: i64 }
/// # #[derive(Debug, Clone, Default, Aggregate)] #[aggregate(stream = "counter", id = CounterId)] pub struct Counter { total: i64 }
/// # #[apply] impl Counter { fn counted(&mut self, event: Counted) { self.total += event.by; } }
/// # struct Totals;
/// # #[projection(name = "totals", of(Counter))]
/// # impl Totals {
/// #     const TABLES: &[&str] = &["CREATE TABLE {totals} (counter text PRIMARY KEY, total bigint NOT NULL)"];
/// #     fn counted(&self, event: Counted, at: &Envelope, sql: &mut Sql) {
/// #         sql.run(
/// #             "INSERT INTO {totals} AS t VALUES ($1, $2) ON CONFLICT (counter) DO UPDATE SET total = t.total + $2",
/// #             (at.stream.id(), event.by),
/// #         );
/// #     }
/// # }
/// use recount::projection::{TableProjector, TableReader};
///
/// #[derive(Debug, PartialEq, Deserialize)]
/// struct Line { counter: String, total: i64 }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = std::env::temp_dir().join(format!("recount-doc-{}-reader", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// # let url = format!("sqlite:{}", folder.join("log.db").display());
/// # let store = Store::connect(&url).await?;
/// # Repository::<Counter>::new(&store).create(&CounterId::new("c1")?, Counted { by: 42 }).await?;
/// # TableProjector::new(Totals, &store).await?.catch_up().await?;
/// let totals = TableReader::<Totals>::new(&store);
/// let high: Vec<Line> = totals.rows("SELECT * FROM {totals} WHERE total > $1 ORDER BY counter", (40,)).await?;
/// assert_eq!(high, [Line { counter: "c1".into(), total: 42 }]);
/// let count: Option<u64> = totals.row("SELECT count(*) AS counters FROM {totals}", ()).await?;
/// assert_eq!(count, Some(1));
/// # store.close().await?;
/// # std::fs::remove_dir_all(folder)?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct TableReader<P> {
    store: Store,
    /// Stands behind the name of a table that is shown.
    pub(super) owner: Arc<str>,
    of: PhantomData<fn() -> P>,
}

/// Why a query gave nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The store keeps no tables.
    #[error("the store {store} keeps no tables: use `sqlite:PATH` or `postgres://…`")]
    NoTables {
        /// The store's URL.
        store: String,
    },
    /// The tables are not there yet: no process has caught up with the log, or each stopped before it had.
    #[error(
        "table {table} of projection {projection} is not shown yet: it is as soon as a process that runs the projection has caught up with \
         the log; where one does, its status tells how far it is; the query: {text}"
    )]
    NotShown {
        /// The projection's name.
        projection: &'static str,
        /// The table, as `TABLES` calls it.
        table: &'static str,
        /// The query.
        text: String,
    },
    /// The database refused it, or could not be used.
    #[error(
        "the query of projection {projection} failed: {}; the query: {text}",
        with_causes(source)
    )]
    Failed {
        /// The projection's name.
        projection: &'static str,
        /// The query.
        text: String,
        /// What the database said.
        source: StoreError,
    },
    /// A row does not fit the type that it was to be read as.
    #[error(
        "the query of projection {projection} gave something else: {source}; the query: {text}"
    )]
    Row {
        /// The projection's name.
        projection: &'static str,
        /// The query.
        text: String,
        /// What does not fit.
        source: RowError,
    },
}

impl<P: TableProjection> TableReader<P> {
    /// The tables of a projection in a store, as they are shown. It need not run in this process.
    pub fn new(store: &Store) -> Self {
        let owner = store.tenant().map_or_else(String::new, owner);
        Self {
            store: store.clone(),
            owner: owner.into(),
            of: PhantomData,
        }
    }

    /// All rows that a query gives.
    ///
    /// # Errors
    /// [`QueryError`]; [`QueryError::NotShown`] where a table was never built.
    pub async fn rows<T: DeserializeOwned>(
        &self,
        text: &str,
        values: impl Params,
    ) -> Result<Vec<T>, QueryError> {
        let dialect = self.dialect().ok_or_else(|| QueryError::NoTables {
            store: self.store.url().to_owned(),
        })?;
        let names = Names {
            schema: dialect.schema.clone(),
            suffix: Arc::clone(&self.owner),
        };
        let filled_in = names.filled_in(text);
        let mut given = Vec::new();
        values.add_to(&mut given);
        let projection = P::NAME;
        let rows = match self.store.backend().query(&filled_in, &given).await {
            Ok(rows) => rows,
            Err(source) => {
                let (missing, text) = (self.not_shown(dialect, text).await, text.to_owned());
                return Err(match missing {
                    Some(table) => QueryError::NotShown {
                        projection,
                        table,
                        text,
                    },
                    None => QueryError::Failed {
                        projection,
                        text,
                        source,
                    },
                });
            }
        };
        let rows = rows.into_iter().map(sql::Row::read);
        rows.collect::<Result<_, _>>()
            .map_err(|source| QueryError::Row {
                projection,
                text: text.to_owned(),
                source,
            })
    }

    /// The first row that a query gives, if it gives any.
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub async fn row<T: DeserializeOwned>(
        &self,
        text: &str,
        values: impl Params,
    ) -> Result<Option<T>, QueryError> {
        Ok(self.rows(text, values).await?.into_iter().next())
    }

    /// The table of a query that has no view.
    async fn not_shown(&self, dialect: &Dialect, text: &str) -> Option<&'static str> {
        for table in P::TABLES.iter().filter_map(|made| sql::table_made_by(made)) {
            if text.contains(&format!("{{{table}}}")) {
                let view = [format!("{table}{}", self.owner).into()];
                let views = self.store.backend().query(&dialect.view, &view).await;
                if views.is_ok_and(|views| views.is_empty()) {
                    return Some(table);
                }
            }
        }
        None
    }

    pub(super) fn dialect(&self) -> Option<&Dialect> {
        self.store.backend().tables()
    }
}

impl<P> Clone for TableReader<P> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            owner: Arc::clone(&self.owner),
            of: PhantomData,
        }
    }
}
