//! Projections into tables of the store's own database.

mod check;
mod home;
mod reader;
mod versions;

use std::ops::Deref;

pub use self::reader::{QueryError, TableReader};
use self::versions::{Shown, hash};
use crate::Store;
use crate::event::DecodeError;
use crate::follower::{FollowError, Follower};
use crate::log::{Position, Record, Selector};
use crate::sql::{self, Sql};

/// A read model in tables of the store's own database. Written by the [`projection`](macro@crate::projection) macro, for a block
/// whose methods take a `&mut Sql`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a projection into tables",
    note = "write `#[projection(name = \"…\", of(SomeAggregate))] impl {Self} {{ const TABLES: &[&str] = &[…]; fn NAME(&self, event: SomeEvent, sql: &mut Sql) {{ … }} }}`",
    note = "a block whose methods take `&mut self` is run by `Projector`, and one whose methods are `async` by `Reactor`"
)]
pub trait TableProjection: Sized + Send + Sync + 'static {
    /// The name under which its checkpoint is kept.
    const NAME: &'static str;

    /// A hash over the tokens of its block and the shapes of its events: when it changes, the tables are built anew.
    const FINGERPRINT: u64;

    /// Whether a method takes the envelope: without one, reading need not bring ids and metadata.
    const ASKS_ENVELOPE: bool;

    /// The statements that make its tables and indexes, with `{name}` for the name of each.
    const TABLES: &'static [&'static str];

    /// The events that it handles, by category and stored name, older names included.
    fn selectors() -> Vec<Selector>;

    /// Reads a stored event and writes down what changes by it; one that it does not handle is passed over.
    ///
    /// # Errors
    /// [`DecodeError`] says where the event stands and why it could not be read.
    fn handle(&self, record: &Record<'_>, sql: &mut Sql) -> Result<(), Box<DecodeError>>;
}

/// Keeps tables of the store's own database up to date.
///
/// What a page of events writes and how far the projection got are saved in one transaction: each event counts exactly once,
/// whatever crashes in between.
///
/// # Versions
/// Each version of the code has tables of its own, `board_3f9a01c2` for example, and `board` is a view of those that were built.
/// When the code has changed (its [fingerprint](TableProjection::FINGERPRINT)), the new version's are built beside the old ones,
/// and the view is switched in the transaction in which they have caught up: whoever reads `board` never finds it empty. The old
/// tables stay, so that processes which still run the old code can go on, and to go back; [`drop_others`](Self::drop_others)
/// drops them.
///
/// A handle that is bound to a tenant has tables and views of its own: those of tenant `acme` are called `board_acme`.
///
/// ```
/// # use recount::prelude::*;
/// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct CounterId(String);
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Counted { pub by: i64 }
/// # #[derive(Debug, Clone, Default, Aggregate)] #[aggregate(stream = "counter", id = CounterId)] pub struct Counter { total: i64 }
/// # #[apply] impl Counter { fn counted(&mut self, event: Counted) { self.total += event.by; } }
/// use recount::projection::TableProjector;
///
/// struct Totals;
///
/// #[projection(name = "totals", of(Counter))]
/// impl Totals {
///     const TABLES: &[&str] = &["CREATE TABLE {totals} (counter text PRIMARY KEY, total bigint NOT NULL)"];
///
///     fn counted(&self, event: Counted, at: &Envelope, sql: &mut Sql) {
///         sql.run(
///             "INSERT INTO {totals} AS t VALUES ($1, $2) ON CONFLICT (counter) DO UPDATE SET total = t.total + $2",
///             (at.stream.id(), event.by),
///         );
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = std::env::temp_dir().join(format!("recount-doc-{}-projector", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// # let url = format!("sqlite:{}", folder.join("log.db").display());
/// let store = Store::connect(&url).await?; // "sqlite:counters.db", "postgres://…"
/// Repository::<Counter>::new(&store).create(&CounterId::new("c1")?, Counted { by: 42 }).await?;
///
/// let mut totals = TableProjector::new(Totals, &store).await?;
/// assert_eq!(totals.catch_up().await?.events, 1);
/// assert_eq!(totals.rows::<(String, i64)>("SELECT * FROM {totals}", ()).await?, [("c1".to_owned(), 42)]);
/// # store.close().await?;
/// # std::fs::remove_dir_all(folder)?;
/// # Ok(()) }
/// ```
pub type TableProjector<P> = Follower<Tables<P>>;

/// Where a [`TableProjector`] keeps what it writes. Derefs to a [`TableReader`].
#[derive(Debug)]
pub struct Tables<P> {
    projection: P,
    reader: TableReader<P>,
    tenant: u64,
    sql: Sql,
    /// Which of the tables that the same code has made; 0 for the first.
    generation: u64,
    /// They are built beside others, and not shown yet.
    beside: bool,
    made: bool,
    shown: Shown,
    /// What the views showed when this was made; nothing once they have shown its own tables.
    found: Vec<Option<sql::Row>>,
    /// The event that is being handled.
    at: Position,
}

impl<P: TableProjection> TableProjector<P> {
    /// Tables that are kept up to date from where they stand, for the handle's tenant; made with the first events, or when there are
    /// none yet.
    ///
    /// # Errors
    /// [`FollowError::NoTables`] where the store keeps none; [`FollowError::Tables`] for a mistake in `TABLES`;
    /// [`FollowError::SharedTable`] when another projection that runs has a table of the same name; another when the checkpoint cannot
    /// be read.
    pub async fn new(projection: P, store: &Store) -> Result<Self, FollowError> {
        let mut projector = Self::at_checkpoint(store, Tables::new(projection, store)?).await?;
        projector.home().check_others(store).await?;
        let found = projector.home().views(store).await?;
        projector.home_mut().found = found;
        Ok(projector)
    }

    /// The tables as they are shown: a reader that can be kept.
    pub fn reader(&self) -> TableReader<P> {
        self.home().reader.clone()
    }

    /// Drops the tables that other versions of the code, older or newer, have built for this projection; returns how many versions
    /// there were: none as long as the views show one of those. No process may still run them: it would build its tables again.
    ///
    /// # Errors
    /// [`FollowError`]; nothing is dropped then.
    pub async fn drop_others(&mut self) -> Result<u64, FollowError> {
        let Some(dialect) = self.home().reader.dialect().cloned() else {
            return Ok(0);
        };
        loop {
            // Which tables are its own is what the checkpoint says now: another process may have built them anew.
            self.reload().await?;
            let store = self.store().clone();
            let home = self.home();
            if home.look(&store).await? != Shown::Own {
                return Ok(0);
            }
            let there = store.backend().query(&dialect.tables, &[]).await?;
            let (versions, batch) = home.others(&there);
            if self.drop_other_versions(batch).await? {
                return Ok(versions);
            }
        }
    }
}

impl<P: TableProjection> Tables<P> {
    fn new(projection: P, store: &Store) -> Result<Self, FollowError> {
        let reader = TableReader::<P>::new(store);
        if reader.dialect().is_none() {
            return Err(FollowError::NoTables {
                projection: P::NAME,
                store: store.url().to_owned(),
            });
        }
        let tenant = store.tenant().map_or(0, |tenant| hash(tenant.as_str()));
        let mut tables = Self {
            projection,
            reader,
            tenant,
            sql: Sql::default(),
            generation: 0,
            beside: false,
            made: false,
            shown: Shown::Unknown,
            found: Vec::new(),
            at: Position::START,
        };
        tables.sql = tables.no_statements();
        tables.check()?;
        Ok(tables)
    }
}

impl<P> Deref for Tables<P> {
    type Target = TableReader<P>;

    fn deref(&self) -> &TableReader<P> {
        &self.reader
    }
}
