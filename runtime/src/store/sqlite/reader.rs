//! The connections that read, and pages read with them.

use std::ops::RangeInclusive;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params_from_iter};
use uuid::Uuid;

use super::DatabaseFile;
use super::error::{Closed, is_damage, unreadable};
use super::kinds::Kinds;
use super::select::{Purpose, Select, select};
use crate::log::{Direction, EventId, Kind, Page, Position, Query, ReadError, Row, Version};

/// Connections for reading, opened when they are needed.
#[derive(Debug)]
pub(super) struct Readers {
    url: String,
    file: DatabaseFile,
    most: usize,
    pool: Mutex<Pool>,
    returned: Condvar,
    kinds: RwLock<Arc<Kinds>>,
}

#[derive(Debug, Default)]
struct Pool {
    idle: Vec<Connection>,
    /// How many there are, idle or not.
    open: usize,
    closed: bool,
}

/// Why a read came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReaderError {
    #[error(transparent)]
    Closed(#[from] Closed),
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
}

/// A connection while it is in use.
struct Lease<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut pool = self.readers.pool();
        match self.connection.take() {
            Some(connection) if !pool.closed => pool.idle.push(connection),
            _ => pool.open -= 1,
        }
        let closed = pool.closed;
        drop(pool);
        if closed {
            // Whoever closes waits too, and there may be several.
            self.readers.returned.notify_all();
        } else {
            self.readers.returned.notify_one();
        }
    }
}

impl Readers {
    pub(super) fn new(url: String, file: DatabaseFile, most: usize) -> Self {
        Self {
            url,
            file,
            most: most.max(1),
            pool: Mutex::default(),
            returned: Condvar::new(),
            kinds: RwLock::default(),
        }
    }

    /// Adds a connection that is open already.
    pub(super) fn adopt(&self, connection: Connection) {
        let mut pool = self.pool();
        pool.open += 1;
        pool.idle.push(connection);
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uses a connection. When all are in use it waits for one, which takes as long as a page.
    pub(super) fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ReaderError> {
        let mut lease = self.lease()?;
        let connection = match &mut lease.connection {
            Some(connection) => connection,
            empty => empty.insert(self.file.open_for_reading()?),
        };
        Ok(read(connection)?)
    }

    fn lease(&self) -> Result<Lease<'_>, Closed> {
        let mut pool = self.pool();
        loop {
            if pool.closed {
                return Err(Closed);
            }
            let connection = pool.idle.pop();
            if connection.is_some() || pool.open < self.most {
                pool.open += usize::from(connection.is_none());
                return Ok(Lease {
                    readers: self,
                    connection,
                });
            }
            pool = self
                .returned
                .wait(pool)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for the reads under way and closes the connections.
    pub(super) fn close(&self) {
        let mut pool = self.pool();
        pool.closed = true;
        pool.open -= pool.idle.len();
        let idle = std::mem::take(&mut pool.idle);
        self.returned.notify_all();
        while pool.open > 0 {
            pool = self
                .returned
                .wait(pool)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(pool);
        drop(idle);
    }

    fn kinds(&self) -> Arc<Kinds> {
        Arc::clone(&self.kinds.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn load_kinds(&self, connection: &Connection) -> rusqlite::Result<Arc<Kinds>> {
        let kinds = Arc::new(Kinds::load(connection)?);
        *self.kinds.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&kinds);
        Ok(kinds)
    }

    /// Reads one page.
    pub(super) fn page(&self, query: &Query, page: &mut Page) -> Result<(), ReadError> {
        let limit = query.limit.map_or(query.page_size, |limit| {
            usize::try_from(limit)
                .unwrap_or(usize::MAX)
                .min(query.page_size)
        });
        self.with(|connection| {
            let mut kinds = self.kinds();
            loop {
                let mut reading = Reading {
                    readers: self,
                    connection,
                    query,
                    limit,
                    kinds: Arc::clone(&kinds),
                };
                let (outcome, by_kind) = reading.read(page)?;
                // A kind that is newer than those that were asked for may have events on this page.
                if !by_kind || kinds.are_all(connection)? {
                    return Ok(outcome);
                }
                kinds = self.load_kinds(connection)?;
            }
        })
        .map_err(|error| unreadable(&self.url, error))?
    }
}

/// One page under way.
struct Reading<'a> {
    readers: &'a Readers,
    connection: &'a Connection,
    query: &'a Query,
    limit: usize,
    kinds: Arc<Kinds>,
}

/// How a page ended.
enum End {
    /// Nothing follows.
    Last,
    /// The page is full.
    Full,
    /// The row that follows is damaged.
    Damaged(Position, String),
}

impl Reading<'_> {
    /// Fills the page; also says whether that depended on which kinds there are.
    fn read(&mut self, page: &mut Page) -> rusqlite::Result<(Result<(), ReadError>, bool)> {
        let (statement, by_kind) = select(self.query, &self.kinds, self.limit, Purpose::Page);
        let Some(statement) = statement else {
            page.clear();
            page.set_last(true);
            return Ok((Ok(()), by_kind));
        };
        let mut end = self.fill(&statement, page);
        // The order by version is the order by position, unless the damage is in a version.
        if self.query.stream.is_some() && matches!(end, Ok(End::Damaged(..))) {
            let (statement, _) = select(self.query, &self.kinds, self.limit, Purpose::ByPosition);
            if let Some(statement) = statement {
                end = self.fill(&statement, page);
            }
        }
        let outcome = match end {
            Ok(End::Last) => {
                page.set_last(true);
                Ok(())
            }
            Ok(End::Full) => Ok(()),
            // What was read is right; the next page begins with the damage.
            Ok(End::Damaged(..)) if !page.is_empty() => Ok(()),
            Ok(End::Damaged(position, reason)) => Err(self.corrupt(position, reason)),
            Err(error) if is_damage(&error) && !page.is_empty() => Ok(()),
            Err(error) if is_damage(&error) => match self.probe()? {
                Some(position) => Err(self.corrupt(position, error.to_string())),
                None => return Err(error),
            },
            Err(error) => return Err(error),
        };
        Ok((outcome, by_kind))
    }

    fn corrupt(&self, position: Position, reason: String) -> ReadError {
        ReadError::Corrupt {
            store: self.readers.url.clone(),
            position,
            reason,
        }
    }

    fn fill(&mut self, select: &Select, page: &mut Page) -> rusqlite::Result<End> {
        page.clear();
        let mut statement = self.connection.prepare_cached(&select.sql)?;
        let mut rows = statement.query(params_from_iter(&select.values))?;
        // Rows of a kind come in runs.
        let mut run: Option<(i64, Arc<Kind>)> = None;
        while let Some(row) = rows.next()? {
            if page.is_full(self.limit) {
                return Ok(End::Full);
            }
            let position = row.get_ref(0)?;
            let ValueRef::Integer(position) = position else {
                return Ok(End::Damaged(Position(0), "it has no position".to_owned()));
            };
            if let Err(reason) = self.push(position, row, &mut run, page)? {
                let position = Position(u64::try_from(position).unwrap_or(0));
                return Ok(End::Damaged(position, reason));
            }
        }
        Ok(End::Last)
    }

    /// Adds a row to the page, or says what is wrong with it.
    fn push(
        &mut self,
        position: i64,
        row: &rusqlite::Row<'_>,
        run: &mut Option<(i64, Arc<Kind>)>,
        page: &mut Page,
    ) -> rusqlite::Result<Result<(), String>> {
        let number = match row.get_ref(2)? {
            ValueRef::Integer(number) => number,
            other => return Ok(Err(format!("its kind is of type {}", other.data_type()))),
        };
        if run.as_ref().is_none_or(|(known, _)| *known != number) {
            let Some(kind) = self.kind(number)? else {
                return Ok(Err(format!(
                    "its kind {number} is not in the table of kinds"
                )));
            };
            *run = Some((number, kind));
        }
        let Some((_, kind)) = run else {
            return Ok(Err("it has no kind".to_owned()));
        };
        Ok(decode(position, row, self.query)?.map(|row| page.push(kind, row)))
    }

    fn kind(&mut self, number: i64) -> rusqlite::Result<Option<Arc<Kind>>> {
        if self.kinds.get(number).is_none() && !self.kinds.are_all(self.connection)? {
            self.kinds = self.readers.load_kinds(self.connection)?;
        }
        Ok(self.kinds.get(number).cloned())
    }

    /// The position of a row that cannot be read since its part of the file is damaged, as an index tells it.
    fn probe(&self) -> rusqlite::Result<Option<Position>> {
        let plain = self.query.stream.is_none() && self.query.direction == Direction::Forwards;
        let (statement, _) = select(self.query, &self.kinds, 0, Purpose::Probe);
        let Some(statement) = statement else {
            return Ok(None);
        };
        let found = self
            .connection
            .prepare_cached(&statement.sql)?
            .query_row(params_from_iter(&statement.values), |row| {
                row.get::<_, i64>(0)
            });
        Ok(match found {
            Ok(position) => u64::try_from(position).ok().map(Position),
            // Positions are dense, so the next one is it.
            Err(error) if is_damage(&error) && plain => {
                Some(Position(self.query.after.0.saturating_add(1)))
            }
            Err(error) if is_damage(&error) => None,
            Err(error) => return Err(error),
        })
    }
}

/// The times that can be told, in microseconds since 1970.
const TIMES: RangeInclusive<i64> =
    DateTime::<Utc>::MIN_UTC.timestamp_micros()..=DateTime::<Utc>::MAX_UTC.timestamp_micros();

/// A row's values, or what is wrong with them.
fn decode<'a>(
    position: i64,
    row: &'a rusqlite::Row<'_>,
    query: &'a Query,
) -> rusqlite::Result<Result<Row<'a>, String>> {
    let (version, time, payload) = (row.get_ref(1)?, row.get_ref(3)?, row.get_ref(4)?);
    // All events of a stream are of that stream, so its id is not read from each.
    let stream = match &query.stream {
        Some(stream) => ValueRef::Text(stream.id().as_bytes()),
        None => row.get_ref(5)?,
    };
    let context = if query.with_context {
        Some((row.get_ref(6)?, row.get_ref(7)?))
    } else {
        None
    };
    Ok((|| {
        let (id, metadata) = match context {
            Some((id, metadata)) => (event_id(id)?, metadata),
            None => (Uuid::nil(), ValueRef::Null),
        };
        Ok(Row {
            position: Position(
                u64::try_from(position).map_err(|_| "its position is negative".to_owned())?,
            ),
            version: match version {
                ValueRef::Integer(version) if version > 0 => Version(version.cast_unsigned()),
                ValueRef::Integer(version) => return Err(format!("its version is {version}")),
                other => return Err(wrong("version", other)),
            },
            id: EventId(id),
            recorded_at: match time {
                ValueRef::Integer(time) if TIMES.contains(&time) => time,
                ValueRef::Integer(time) => return Err(format!("its time {time} is out of range")),
                other => return Err(wrong("time", other)),
            },
            stream: text("stream id", stream)?,
            metadata: match metadata {
                ValueRef::Null => "",
                metadata => text("metadata", metadata)?,
            },
            // That it is JSON, hence text, whoever decodes it finds out.
            payload: match payload {
                ValueRef::Text(bytes) => bytes,
                other => return Err(wrong("payload", other)),
            },
        })
    })())
}

fn event_id(value: ValueRef<'_>) -> Result<Uuid, String> {
    match value {
        ValueRef::Blob(bytes) => {
            Uuid::from_slice(bytes).map_err(|_| format!("its id has {} bytes, not 16", bytes.len()))
        }
        other => Err(wrong("id", other)),
    }
}

fn text<'a>(what: &str, value: ValueRef<'a>) -> Result<&'a str, String> {
    match value {
        ValueRef::Text(bytes) => {
            std::str::from_utf8(bytes).map_err(|error| format!("its {what} is not text: {error}"))
        }
        other => Err(wrong(what, other)),
    }
}

fn wrong(what: &str, value: ValueRef<'_>) -> String {
    format!("its {what} is of type {}", value.data_type())
}
