//! Projections into tables of the store's own database.

use std::collections::HashSet;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Store;
use crate::event::DecodeError;
use crate::follower::{FollowError, Follower, Handled, Home, Rebuild, Saved, Turn};
use crate::log::{Position, Query, Record, Selector, TenantId};
use crate::sql::{self, Batch, Names, Params, RowError, Sql};
use crate::store::{BackendError, Dialect, ProjectionKey, StoreError};

/// A read model in tables of the store's own database. Written by the [`projection`](macro@crate::projection) macro, for a block
/// whose methods take a `&mut Sql`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a projection into tables",
    note = "write `#[projection(name = \"…\", of(SomeAggregate))] impl {Self} {{ const TABLES: &[&str] = &[…]; fn NAME(&self, event: SomeEvent, sql: &mut Sql) {{ … }} }}`"
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

/// The most events in a page, which is one transaction.
const PAGE: usize = 1000;

/// The longest name that PostgreSQL does not shorten.
const LONGEST_NAME: usize = 63;

/// What stands in the schema of a store besides, and must not be taken for a view of a projection.
const RECOUNTS: &[&str] = &[
    "checkpoints",
    "dead_letters",
    "events",
    "kinds",
    "log",
    "meta",
    "snapshots",
    "streams",
    "tenants",
];

/// Why a statement is refused before the database sees it.
const NOT_ALLOWED: &str = "it does not read or write tables, or is about the transaction or the session, which are the store's: \
     leave it out";

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

/// Whose tables the views show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Unknown,
    /// No view is there yet, so that nobody misses what is not built.
    Nobodys,
    /// Those of a version that was there before this process was, or not all views are there.
    Others,
    /// Those of a version that took the views since: another release was started, or gone back to, which this process must not undo
    /// when it only goes on after another one of its own release.
    Later,
    Own,
}

/// What is kept with the checkpoint.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    generation: u64,
}

/// A number that no other rebuild has: of two that run at once, in whichever processes, and of one that was killed, none touches the
/// tables of another, which may be those that are shown by now.
fn new_generation() -> u64 {
    Uuid::now_v7().as_u64_pair().1
}

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
    owner: Arc<str>,
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
    /// The database refused it, or could not be used.
    #[error("the query of projection {projection} failed: {text}")]
    Failed {
        /// The projection's name.
        projection: &'static str,
        /// The query.
        text: String,
        /// What the database said.
        source: StoreError,
    },
    /// A row does not fit the type that it was to be read as.
    #[error("the query of projection {projection} gave something else than it is read as: {text}")]
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
    /// [`QueryError`]; a table that was never built is one that the database does not know.
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
        let (projection, text) = (P::NAME, || text.to_owned());
        let rows = self.store.backend().query(&filled_in, &given).await;
        let rows = rows.map_err(|source| QueryError::Failed {
            projection,
            text: text(),
            source,
        })?;
        let rows = rows.into_iter().map(sql::Row::read);
        rows.collect::<Result<_, _>>()
            .map_err(|source| QueryError::Row {
                projection,
                text: text(),
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

    fn dialect(&self) -> Option<&Dialect> {
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

/// So many digits stand for a tenant whose name could not be part of a table's; a name that does is shorter, so that it is never
/// taken for one.
const HASHED: usize = 16;

/// What stands behind the names of a tenant's tables: its name, or a hash of one that could not be part of a table's.
fn owner(tenant: &TenantId) -> String {
    let name = tenant.as_str();
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if name.len() < HASHED && name.bytes().all(is_plain) {
        format!("_{name}")
    } else {
        // Not by `hash`, for which anybody can choose a name that has the same.
        let hashed = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).simple();
        let hashed = hashed.to_string();
        format!("_{}", hashed.get(..HASHED).unwrap_or(&hashed))
    }
}

/// Whether it is what [`Tables::names`] puts behind a name.
fn is_version(text: &str) -> bool {
    text.len() == 8
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// FNV-1a.
fn hash(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

/// A hash in half as many bits.
fn folded(hash: u64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the upper half is folded into it"
    )]
    let folded = (hash ^ (hash >> 32)) as u32;
    folded
}

impl<P: TableProjection> TableProjector<P> {
    /// Tables that are kept up to date from where they stand, for the handle's tenant; made with the first events, or when there are
    /// none yet.
    ///
    /// # Errors
    /// [`FollowError::NoTables`] where the store keeps none; another when the checkpoint cannot be read.
    pub async fn new(projection: P, store: &Store) -> Result<Self, FollowError> {
        let mut projector = Self::at_checkpoint(store, Tables::new(projection, store)?).await?;
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
        tables.sql = Sql::with_names(tables.names());
        tables.check_names()?;
        Ok(tables)
    }

    /// A name that PostgreSQL would shorten could be another's.
    fn check_names(&self) -> Result<(), FollowError> {
        let refused = |text: &str, why: &str| FollowError::Statement {
            projection: P::NAME,
            position: Position::START,
            text: text.to_owned(),
            source: BackendError::new(why.to_owned()),
        };
        for text in P::TABLES {
            if sql::is_the_stores(text) {
                return Err(refused(text, NOT_ALLOWED));
            }
            let view =
                sql::table_made_by(text).map(|table| format!("{table}{}", self.reader.owner));
            if view.is_some_and(|view| RECOUNTS.contains(&&*view)) {
                let why = "the store has a table or view of this name: give it another one";
                return Err(refused(text, why));
            }
            for name in sql::names_in(text) {
                let longest = name.len() + self.names().suffix.len();
                if longest > LONGEST_NAME {
                    let most = LONGEST_NAME + name.len() - longest;
                    let why =
                        format!("the name `{name}` is too long: give it {most} bytes at most");
                    return Err(refused(text, &why));
                }
            }
        }
        Ok(())
    }

    /// The code that made them, in this generation.
    fn fingerprint(&self) -> u64 {
        crate::__private::mix(P::FINGERPRINT, self.generation)
    }

    /// What the tables are really called.
    fn names(&self) -> Names {
        let own = folded(crate::__private::mix(self.fingerprint(), self.tenant));
        Names {
            schema: self
                .reader
                .dialect()
                .and_then(|dialect| dialect.schema.clone()),
            suffix: format!("{}_{own:08x}", self.reader.owner).into(),
        }
    }

    fn tables() -> impl Iterator<Item = &'static str> {
        P::TABLES.iter().filter_map(|text| sql::table_made_by(text))
    }

    /// Makes the tables.
    fn make(&self, batch: &mut Batch) {
        let names = self.names();
        for table in Self::tables() {
            batch.push_text(names.filled_in(&format!("DROP TABLE IF EXISTS {{{table}}}")));
        }
        for text in P::TABLES {
            batch.push_text(names.filled_in(text));
        }
    }

    /// Lets the views be those of these tables.
    fn show(&self, batch: &mut Batch) {
        let names = self.names();
        for table in Self::tables() {
            let view = names.shown(&format!("{table}{}", self.reader.owner));
            batch.push_text(format!("DROP VIEW IF EXISTS {view}"));
            let table = names.filled_in(&format!("{{{table}}}"));
            batch.push_text(format!("CREATE VIEW {view} AS SELECT * FROM {table}"));
        }
    }

    fn drop(&self, batch: &mut Batch) {
        let names = self.names();
        for table in Self::tables() {
            batch.push_text(names.filled_in(&format!("DROP TABLE IF EXISTS {{{table}}}")));
        }
    }

    /// Whose tables the views show.
    async fn look(&self, store: &Store) -> Result<Shown, FollowError> {
        let views = self.views(store).await?;
        let names = self.names();
        let is_own = |(table, view): (&str, &Option<sql::Row>)| {
            let physical = names.physical(table);
            view.as_ref().is_some_and(|view| view.mentions(&physical))
        };
        Ok(if views.iter().all(Option::is_none) {
            Shown::Nobodys
        } else if Self::tables().zip(&views).all(is_own) {
            Shown::Own
        } else if views == self.found || views.contains(&None) {
            Shown::Others
        } else {
            Shown::Later
        })
    }

    /// The definition of each view that is there.
    async fn views(&self, store: &Store) -> Result<Vec<Option<sql::Row>>, FollowError> {
        let mut views = Vec::new();
        if let Some(dialect) = self.reader.dialect() {
            for table in Self::tables() {
                let view = format!("{table}{}", self.reader.owner);
                let rows = store.backend().query(&dialect.view, &[view.into()]).await?;
                views.push(rows.into_iter().next());
            }
        }
        Ok(views)
    }

    /// Drops the tables of all other versions; also says of how many.
    fn others(&self, there: &[sql::Row]) -> (u64, Batch) {
        let own = self.names();
        let mut batch = Batch::default();
        let mut versions = HashSet::new();
        for name in there.iter().filter_map(sql::Row::text) {
            for table in Self::tables() {
                let before = format!("{table}{}_", self.reader.owner);
                let version = name
                    .strip_prefix(&before)
                    .filter(|version| is_version(version));
                if let Some(version) = version
                    && name != own.physical(table)
                {
                    versions.insert(version);
                    batch.push_text(format!("DROP TABLE {}", own.shown(name)));
                }
            }
        }
        (versions.len() as u64, batch)
    }

    /// Whether the views are to be those of these tables now.
    fn is_to_show(&self, caught_up: bool) -> bool {
        match self.shown {
            _ if self.beside => false,
            Shown::Nobodys => true,
            Shown::Others => caught_up,
            Shown::Own | Shown::Later | Shown::Unknown => false,
        }
    }

    /// Once the views have shown its own tables, whoever replaces them came later.
    fn forget_found(&mut self) {
        if self.shown == Shown::Own {
            self.found.clear();
        }
    }

    fn kept(&self) -> Result<Vec<u8>, FollowError> {
        let kept = Kept {
            generation: self.generation,
        };
        serde_json::to_vec(&kept).map_err(|source| FollowError::State {
            projection: P::NAME,
            source,
        })
    }
}

impl<P: TableProjection> Home for Tables<P> {
    const FOLDS: bool = false;

    fn name(&self) -> &'static str {
        P::NAME
    }

    fn key(&self) -> Option<ProjectionKey<'static>> {
        let fingerprint = if self.beside {
            self.fingerprint()
        } else {
            P::FINGERPRINT
        };
        Some(ProjectionKey {
            name: P::NAME,
            fingerprint,
        })
    }

    fn query(&self) -> Query {
        let mut query = Query::all().any_of(P::selectors()).page_size(PAGE);
        query.with_context = P::ASKS_ENVELOPE;
        query
    }

    async fn handle(&mut self, turn: &Turn<'_>) -> Handled {
        let mut count = 0;
        for record in turn.records() {
            self.at = record.position();
            self.sql.at(self.at);
            let before = self.sql.len();
            if let Err(source) = self.projection.handle(&record, &mut self.sql) {
                // A split event may have been handled in part.
                self.sql.truncate(before);
                let projection = P::NAME;
                let failed = Some((self.at, FollowError::Decode { projection, source }));
                return Handled { count, failed };
            }
            if let Some((position, text)) = self.sql.refused() {
                self.sql.truncate(before);
                let error = FollowError::Statement {
                    projection: P::NAME,
                    position,
                    text: text.to_owned(),
                    source: BackendError::new(NOT_ALLOWED),
                };
                let failed = Some((position, error));
                return Handled { count, failed };
            }
            count += 1;
        }
        let failed = None;
        Handled { count, failed }
    }

    fn at(&self) -> Position {
        self.at
    }

    async fn is_due(&mut self, store: &Store, caught_up: bool) -> Result<bool, FollowError> {
        if self.shown == Shown::Unknown && !self.beside {
            self.shown = self.look(store).await?;
            self.forget_found();
        }
        Ok(self.is_to_show(caught_up))
    }

    fn save(&mut self, caught_up: bool) -> Result<Saved, FollowError> {
        let mut sql = Batch::default();
        if !self.made {
            self.make(&mut sql);
        }
        let asked = self.sql.take();
        if sql.is_empty() {
            sql = asked;
        } else {
            sql.extend(&asked);
        }
        if self.is_to_show(caught_up) {
            self.show(&mut sql);
            self.shown = Shown::Own;
        }
        self.made = true;
        Ok(Saved {
            state: Some(self.kept()?),
            sql,
        })
    }

    fn was_saved(&mut self) {
        self.forget_found();
    }

    fn restore(&mut self, state: Option<&[u8]>) -> Result<(), FollowError> {
        self.made = state.is_some();
        self.shown = Shown::Unknown;
        if let Some(state) = state {
            let kept: Kept =
                serde_json::from_slice(state).map_err(|source| FollowError::State {
                    projection: P::NAME,
                    source,
                })?;
            self.generation = kept.generation;
        }
        // What was asked for and not saved is not asked for any more.
        self.sql = Sql::with_names(self.names());
        Ok(())
    }

    fn is_restored(&self) -> bool {
        self.made
    }
}

impl<P: TableProjection + Clone> Rebuild for Tables<P> {
    fn beside(&self) -> Self {
        let mut fresh = Self {
            projection: self.projection.clone(),
            reader: self.reader.clone(),
            tenant: self.tenant,
            sql: Sql::default(),
            generation: new_generation(),
            beside: true,
            made: false,
            shown: Shown::Others,
            found: Vec::new(),
            at: Position::START,
        };
        // Half of the numbers of a suffix are lost, so it is looked at once more.
        while fresh.names().suffix == self.names().suffix {
            fresh.generation = new_generation();
        }
        fresh.sql = Sql::with_names(fresh.names());
        fresh
    }

    fn adoption(&self, fresh: &mut Self) -> Result<Saved, FollowError> {
        let mut sql = Batch::default();
        // They are made when this is saved, which may take several attempts.
        if !fresh.made {
            fresh.make(&mut sql);
        }
        fresh.show(&mut sql);
        self.drop(&mut sql);
        Ok(Saved {
            state: Some(fresh.kept()?),
            sql,
        })
    }

    fn take(&mut self, fresh: Self) {
        *self = Self {
            beside: false,
            shown: Shown::Own,
            made: true,
            ..fresh
        };
    }
}

impl<P> Deref for Tables<P> {
    type Target = TableReader<P>;

    fn deref(&self) -> &TableReader<P> {
        &self.reader
    }
}
