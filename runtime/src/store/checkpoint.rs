//! How far a projection got, and what is kept together with that.

use std::fmt;

use chrono::{DateTime, Utc};

use super::{BackendError, StoreError};
use crate::log::{EventId, Position, StreamId};
use crate::sql::Batch;

/// Which projection a checkpoint belongs to: its name, and the code that it was made by.
///
/// Two releases of a projection keep their checkpoints side by side, so that a new one can be built while the old one runs.
///
/// ```
/// use recount::store::ProjectionKey;
///
/// let key = ProjectionKey { name: "account-balances", fingerprint: 7 };
/// assert_eq!(key.to_string(), "account-balances#0000000000000007");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProjectionKey<'a> {
    /// The projection's name.
    pub name: &'a str,
    /// The shape of its code and events.
    pub fingerprint: u64,
}

impl fmt::Display for ProjectionKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{:016x}", self.name, self.fingerprint)
    }
}

/// How far a projection got, and its state when the store keeps it.
///
/// ```
/// use recount::{log::Position, store::Checkpoint};
///
/// let checkpoint = Checkpoint { revision: 0, position: Position(10), state: None };
/// assert!(checkpoint.state.is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// How often it was saved; 0 for one that never was. A save raises it, and is refused when somebody else did meanwhile.
    pub revision: u64,
    /// The position up to which all events are handled.
    pub position: Position,
    /// The state as JSON, for projections that the store keeps.
    pub state: Option<Vec<u8>>,
}

/// Why a checkpoint was not saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Somebody else saved it in the meantime; nothing was saved.
    #[error(
        "the checkpoint of projection {projection} was saved {actual} times, not {expected}: another process runs it too; load it again"
    )]
    Moved {
        /// The projection: its [`ProjectionKey`] as text.
        projection: String,
        /// The revision that the caller had loaded.
        expected: u64,
        /// The revision that is kept.
        actual: u64,
    },
    /// The database refused a statement of the projection's; nothing was saved.
    #[error(
        "the store refused a statement that projection {projection} asked for {}: {source}; the statement: {text}",
        asked_for(*position)
    )]
    Statement {
        /// The projection: its [`ProjectionKey`] as text.
        projection: String,
        /// The event; 0 for the statements that make the tables.
        position: Position,
        /// The statement.
        text: String,
        /// What the database said.
        source: BackendError,
    },
    /// The store keeps no tables.
    #[error(
        "projection {projection} writes tables, which the store {store} does not keep: use `sqlite:PATH` or `postgres://…`"
    )]
    NoTables {
        /// The projection: its [`ProjectionKey`] as text.
        projection: String,
        /// The store's URL.
        store: String,
    },
    /// The database could not be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn asked_for(position: Position) -> String {
    if position == Position::START {
        "to make its tables".to_owned()
    } else {
        format!("with the event at position {position}")
    }
}

/// The store keeps no tables.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("this store keeps no tables: use `sqlite:PATH` or `postgres://…`")]
pub(super) struct NoTables;

/// What is kept in the transaction that saves a checkpoint.
///
/// ```
/// use recount::store::Effects;
///
/// let effects = Effects::default();
/// assert!(effects.is_empty());
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Effects {
    /// Statements that run one after another, before anything else is saved.
    pub sql: Batch,
    /// Events that are set aside. One of the same position is replaced.
    pub set_aside: Vec<DeadLetter>,
    /// The positions of events that are set aside no more.
    pub settled: Vec<Position>,
    /// Whose checkpoint is dropped, with the lease and what was set aside.
    pub replaces: Replaces,
}

/// Which other versions of a projection end with a save.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Replaces {
    /// None.
    #[default]
    Nothing,
    /// That of this fingerprint.
    Version(u64),
    /// All but the one that is saved.
    Others,
}

impl Effects {
    /// Whether there is nothing but the checkpoint to save.
    pub fn is_empty(&self) -> bool {
        self.sql.is_empty()
            && self.set_aside.is_empty()
            && self.settled.is_empty()
            && self.replaces == Replaces::Nothing
    }
}

/// An event that a projection could not handle and has set aside, so that it could go on with the others; and each later event of
/// the same stream, so that those are never handled before it.
///
/// See [`Store::dead_letters`](crate::Store::dead_letters).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The projection's name.
    pub projection: String,
    /// The version of its code.
    pub fingerprint: u64,
    /// Where the event is in the log.
    pub position: Position,
    /// Its stream.
    pub stream: StreamId,
    /// Its id.
    pub event: EventId,
    /// Its stored name.
    pub name: String,
    /// Why it could not be handled; for one that waits behind another of its stream, that it does.
    pub error: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was set aside, or tried last.
    pub at: DateTime<Utc>,
    /// Whether it is to be tried again.
    pub retry: bool,
}

/// Who runs a projection: at most one at a time, and what a former one saves is refused.
///
/// A lease is kept with the checkpoint. When it passes from one holder to another, or from none to one, the checkpoint's revision is
/// raised; so it is the fencing token, and whoever had the lease before, however late it wakes up, cannot save any more. After Martin
/// Kleppmann, *How to do distributed locking* (2016).
///
/// ```
/// use recount::{log::Position, store::Lease};
///
/// let lease = Lease { is_held: true, revision: 1, position: Position::START };
/// assert!(lease.is_held);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Whether who asked has it now.
    pub is_held: bool,
    /// The revision of the checkpoint now.
    pub revision: u64,
    /// The position of the checkpoint now.
    pub position: Position,
}

/// How a database names the tables of projections.
///
/// ```
/// use recount::store::Dialect;
///
/// let view = "SELECT sql FROM sqlite_schema WHERE type = 'view' AND name = $1";
/// let dialect = Dialect::new(None, view, "SELECT name FROM sqlite_schema WHERE type = 'table'");
/// assert!(dialect.schema.is_none());
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Dialect {
    /// What stands before a table's name, quoted as it must be.
    pub schema: Option<std::sync::Arc<str>>,
    /// Gives the definition of the view that is called `$1`.
    pub view: std::sync::Arc<str>,
    /// Gives the names of all tables that are there.
    pub tables: std::sync::Arc<str>,
    /// Gives name, fingerprint and state of the checkpoints that somebody has the lease of, for the tenant `$1` or for none; states
    /// of some hundred bytes and more may be left out. Without it, two projections whose tables are called alike are not told from one.
    pub running: Option<std::sync::Arc<str>>,
}

impl Dialect {
    /// Of a database that has its tables in this schema, if in any, and is asked in this way for the definition of a view and the
    /// names of tables.
    pub fn new(schema: Option<&str>, view: &str, tables: &str) -> Self {
        Self {
            schema: schema.map(Into::into),
            view: view.into(),
            tables: tables.into(),
            running: None,
        }
    }

    /// The same, which is asked in this way for the [checkpoints of projections that run](Self::running).
    #[must_use]
    pub fn with_running(self, running: &str) -> Self {
        Self {
            running: Some(running.into()),
            ..self
        }
    }
}
