//! What is written in one transaction: works, each of which is done or refused by itself.

use rusqlite::{CachedStatement, Connection};

use super::error::FromFailure;
use super::group::Job;
use super::names::Names;

/// Something to do within a transaction; done again, from the start, when the transaction had to be given up.
pub(super) trait Work: Send + 'static {
    type Done: Send;
    type Error: FromFailure + Send;

    /// About how many bytes it writes.
    fn bytes(&self) -> usize;

    fn write(&self, transaction: &mut Transaction<'_>) -> Result<Self::Done, Stop<Self::Error>>;
}

/// Why a work ended early.
#[derive(Debug)]
pub(super) enum Stop<E> {
    /// It is refused; whatever it wrote must go.
    Refused(E),
    /// The database failed.
    Failed(rusqlite::Error),
    /// It ended the transaction, which is gone with all that others wrote: those are done again without it.
    Ended(E),
}

/// A work has ended the transaction of all.
#[derive(Debug, thiserror::Error)]
#[error("a statement of a projection ended the transaction")]
pub(super) struct EndedByWork;

impl<E> From<rusqlite::Error> for Stop<E> {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error)
    }
}

/// Each is one row that violates a rule or is written wholly, so `FAIL` needs no journal of its own as `ABORT` would.
const INSERT: &str = "INSERT OR FAIL INTO events
    (position, stream, version, kind, tenant, event_id, batch, recorded_at, stream_id, metadata, payload)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

/// The transaction that a work writes in.
pub(super) struct Transaction<'a> {
    pub(super) connection: &'a Connection,
    pub(super) names: &'a mut Names,
    /// The statement that inserts an event, once it was needed: looking for it again takes a tenth of the time that it takes.
    insert: Option<CachedStatement<'a>>,
    /// The log's last position, once it was needed.
    head: Option<i64>,
    /// Whether the work under way wrote something.
    dirty: bool,
    /// Whether any work of the transaction appended.
    appended: bool,
}

impl<'a> Transaction<'a> {
    pub(super) fn new(connection: &'a Connection, names: &'a mut Names) -> Self {
        Self {
            connection,
            names,
            insert: None,
            head: None,
            dirty: false,
            appended: false,
        }
    }

    /// Runs a statement that writes.
    pub(super) fn write(
        &mut self,
        sql: &str,
        params: impl rusqlite::Params,
    ) -> rusqlite::Result<usize> {
        let changed = self.connection.prepare_cached(sql)?.execute(params)?;
        self.dirty = true;
        Ok(changed)
    }

    /// Inserts an event.
    pub(super) fn insert(&mut self, row: impl rusqlite::Params) -> rusqlite::Result<()> {
        let insert = match &mut self.insert {
            Some(insert) => insert,
            None => self.insert.insert(self.connection.prepare_cached(INSERT)?),
        };
        insert.execute(row)?;
        self.dirty = true;
        Ok(())
    }

    /// Says that the work wrote something.
    pub(super) fn wrote(&mut self) {
        self.dirty = true;
    }

    /// The log's last position.
    pub(super) fn head(&mut self) -> rusqlite::Result<i64> {
        if let Some(head) = self.head {
            return Ok(head);
        }
        let head = self
            .connection
            .prepare_cached("SELECT max(position) FROM events")?
            .query_row([], |row| row.get::<_, Option<i64>>(0))?
            .unwrap_or(0);
        self.head = Some(head);
        Ok(head)
    }

    /// Says that the log's last position is now this one.
    pub(super) fn set_head(&mut self, head: i64) {
        self.appended |= self.head != Some(head);
        self.head = Some(head);
    }

    /// Does a work; true when it was refused, and whether it had written something by then.
    pub(super) fn run(&mut self, job: &mut dyn Job) -> rusqlite::Result<(bool, bool)> {
        self.dirty = false;
        let refused = job.run(self)?;
        Ok((refused, self.dirty))
    }

    /// What a work wrote was undone, and what was remembered of it with it.
    pub(super) fn undone(&mut self) {
        self.names.clear();
        self.head = None;
    }

    /// Whether anything was appended, and the log's last position where that is known.
    pub(super) fn outcome(&self) -> (bool, Option<i64>) {
        (self.appended, self.head)
    }
}
