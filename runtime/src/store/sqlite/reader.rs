//! The connections that read, and pages read with them.

use std::ops::RangeInclusive;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params_from_iter};
use uuid::Uuid;

use super::DatabaseFile;
use super::error::{is_damage, unreadable};
use super::kinds;
use super::select::{Way, sample, select};
use crate::log::{
    Detail, Direction, EventId, Page, Position, Query, ReadError, Row, StreamId, Version,
};
use crate::store::backend::Closed;
use crate::store::kinds::{Chosen, Kinds};

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
        let kinds = Arc::new(kinds::load(connection)?);
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
                if !by_kind || kinds::are_all(&kinds, connection)? {
                    return Ok(outcome);
                }
                kinds = self.load_kinds(connection)?;
            }
        })
        .map_err(|error| unreadable(&self.url, error))?
    }
}

/// How many positions are looked at to tell how rare the wanted kinds are.
const SAMPLE: u64 = 256;

/// How many positions a scan for some kinds goes through at a time, for each row of a page.
const SPAN: u64 = 8;

/// Up to this many kinds are merged; more would be more than SQLite takes.
const MERGED: usize = 200;

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
    /// Something may follow: the page is full, or what it was read from ended.
    More,
    /// The row that follows is damaged.
    Damaged(Position, String),
    /// In a stream, the version that follows is not the next one: it, or one that should stand between, is damaged.
    Gap,
}

impl Reading<'_> {
    /// Fills the page; also says whether that depended on which kinds there are.
    fn read(&mut self, page: &mut Page) -> rusqlite::Result<(Result<(), ReadError>, bool)> {
        page.clear();
        let query = self.query;
        let elsewhere =
            |stream: &StreamId| query.tenant.is_some() && stream.tenant() != query.tenant.as_ref();
        if query.stream.as_ref().is_some_and(elsewhere) {
            page.set_last(true);
            return Ok((Ok(()), false));
        }
        let chosen = self.kinds.choose(query);
        let by_kind = !matches!(chosen, Chosen::Any);
        let these = match &chosen {
            Chosen::Any | Chosen::All => None,
            Chosen::These(these) => Some(these.as_slice()),
        };
        let end = match these {
            Some([]) => Ok(End::Last),
            Some(these) if query.stream.is_none() => self.fill_by_kind(these, page),
            these => self.fill(
                Way::Scan,
                these,
                query.after.0,
                query.up_to.map(|last| last.0),
                page,
            ),
        };
        let end = match end {
            // The order by version is the order by position, unless the damage is in a version.
            Ok(End::Damaged(..) | End::Gap) if query.stream.is_some() => {
                page.clear();
                let up_to = query.up_to.map(|last| last.0);
                self.fill(Way::Sorted, these, query.after.0, up_to, page)
            }
            end => end,
        };
        let outcome = match end {
            Ok(End::Last) => {
                page.set_last(true);
                Ok(())
            }
            Ok(End::More | End::Gap) => Ok(()),
            // What was read is right; the next page begins with the damage.
            Ok(End::Damaged(..)) if !page.is_empty() => Ok(()),
            Ok(End::Damaged(position, reason)) => Err(self.corrupt(position, reason)),
            Err(error) if is_damage(&error) && !page.is_empty() => Ok(()),
            Err(error) if is_damage(&error) => match self.probe(these)? {
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

    /// Fills the page with events of some kinds: by their index where they are rare, by a scan where they are not,
    /// since going through an index costs about four times as much for an event.
    fn fill_by_kind(&mut self, these: &[i64], page: &mut Page) -> rusqlite::Result<End> {
        let head = self.head()?;
        let mut after = self.query.after.0;
        let mut up_to = self.query.up_to.map_or(head, |last| last.0.min(head));
        let span = SPAN.saturating_mul((self.limit as u64).max(SAMPLE));
        while after < up_to {
            // The part of the log that is looked at next: its beginning, or its end when reading backwards.
            let part = |length: u64| match self.query.direction {
                Direction::Forwards => (after, up_to.min(after.saturating_add(length))),
                Direction::Backwards => (after.max(up_to.saturating_sub(length)), up_to),
            };
            let (from, to) = part(SAMPLE);
            let sample = sample(these, from, to);
            let found: i64 = self
                .connection
                .prepare_cached(&sample.sql)?
                .query_row(params_from_iter(&sample.values), |row| row.get(0))?;
            if these.len() <= MERGED && u64::try_from(found).unwrap_or(0) < (to - from).div_ceil(4)
            {
                return self.fill(Way::Merge(these), Some(these), after, Some(up_to), page);
            }
            let (from, to) = part(span);
            match self.fill(Way::Scan, Some(these), from, Some(to), page)? {
                End::Last if (from, to) == (after, up_to) => return Ok(End::Last),
                End::Last if !page.is_empty() => return Ok(End::More),
                // Nothing in this part fits the time that the query asks for.
                End::Last => match self.query.direction {
                    Direction::Forwards => after = to,
                    Direction::Backwards => up_to = from,
                },
                end => return Ok(end),
            }
        }
        Ok(End::Last)
    }

    fn fill(
        &mut self,
        way: Way<'_>,
        these: Option<&[i64]>,
        after: u64,
        up_to: Option<u64>,
        page: &mut Page,
    ) -> rusqlite::Result<End> {
        let select = select(self.query, way, after, up_to, self.limit);
        let mut statement = self.connection.prepare_cached(&select.sql)?;
        let mut rows = statement.query(params_from_iter(&select.values))?;
        // Merged ones are chosen already.
        let these = these.filter(|_| !matches!(way, Way::Merge(_)));
        let mut dense = Dense::of(self.query, way);
        let mut order = Order::of(self.query.direction, after, up_to);
        while let Some(row) = rows.next()? {
            let (position, version, number) = (row.get_ref(0)?, row.get_ref(1)?, row.get_ref(2)?);
            // The key of the table is always a number.
            let ValueRef::Integer(position) = position else {
                continue;
            };
            let position = Position(position.cast_unsigned());
            if !order.follows(position) {
                let by_version = self.query.stream.is_some() && matches!(way, Way::Scan);
                return if by_version {
                    Ok(End::Gap)
                } else {
                    Err(out_of_order(position))
                };
            }
            let (version, number) = match (version, number) {
                (ValueRef::Integer(version), ValueRef::Integer(number)) if version > 0 => {
                    (Version(version.cast_unsigned()), number)
                }
                (ValueRef::Integer(version), ValueRef::Integer(_)) => {
                    return Ok(End::Damaged(position, format!("its version is {version}")));
                }
                (ValueRef::Integer(_), other) => {
                    return Ok(End::Damaged(position, wrong("kind", other)));
                }
                (other, _) => return Ok(End::Damaged(position, wrong("version", other))),
            };
            if !dense.follows(version) {
                return Ok(End::Gap);
            }
            if matches!(way, Way::Sorted)
                && (version < self.query.from_version
                    || self.query.to_version.is_some_and(|last| version > last))
            {
                continue;
            }
            if these.is_some_and(|these| these.binary_search(&number).is_err()) {
                continue;
            }
            if page.is_full(self.limit) {
                return Ok(End::More);
            }
            if self.kinds.get(number).is_none() && !kinds::are_all(&self.kinds, self.connection)? {
                self.kinds = self.readers.load_kinds(self.connection)?;
            }
            let Some(kind) = self.kinds.get(number) else {
                let reason = format!("its kind {number} is not in the table of kinds");
                return Ok(End::Damaged(position, reason));
            };
            match decode(position, version, row, self.query)? {
                Ok(row) => page.push(kind, row),
                Err(reason) => return Ok(End::Damaged(position, reason)),
            }
        }
        Ok(End::Last)
    }

    /// The last position, as the table tells it.
    fn head(&self) -> rusqlite::Result<u64> {
        let head: Option<i64> = self
            .connection
            .prepare_cached("SELECT max(position) FROM events")?
            .query_row([], |row| row.get(0))?;
        Ok(u64::try_from(head.unwrap_or(0)).unwrap_or(0))
    }

    /// The position of a row that cannot be read since its part of the file is damaged, as an index tells it.
    fn probe(&self, these: Option<&[i64]>) -> rusqlite::Result<Option<Position>> {
        let query = self.query;
        let these = these.filter(|these| these.len() <= MERGED);
        let up_to = query.up_to.map(|last| last.0);
        let select = select(query, Way::Probe(these), query.after.0, up_to, 0);
        let found = self
            .connection
            .prepare_cached(&select.sql)?
            .query_row(params_from_iter(&select.values), |row| row.get::<_, i64>(0));
        let forwards = query.stream.is_none() && query.direction == Direction::Forwards;
        let mut order = Order::of(query.direction, query.after.0, up_to);
        Ok(match found {
            Ok(position) => {
                Some(Position(position.cast_unsigned())).filter(|position| order.follows(*position))
            }
            // Positions have no gaps, so the next one is it, as long as there is one.
            Err(error) if is_damage(&error) && forwards => {
                let next = query.after.0.saturating_add(1);
                (next <= self.head()?).then_some(Position(next))
            }
            Err(error) if is_damage(&error) => None,
            Err(error) => return Err(error),
        })
    }
}

/// The order of positions, which a damaged tree of pages may break without SQLite noticing.
struct Order {
    direction: Direction,
    last: u64,
}

impl Order {
    fn of(direction: Direction, after: u64, up_to: Option<u64>) -> Self {
        let last = match direction {
            Direction::Forwards => after,
            Direction::Backwards => up_to.map_or(u64::MAX, |last| last.saturating_add(1)),
        };
        Self { direction, last }
    }

    fn follows(&mut self, position: Position) -> bool {
        let last = std::mem::replace(&mut self.last, position.0);
        match self.direction {
            Direction::Forwards => position.0 > last,
            Direction::Backwards => position.0 < last,
        }
    }
}

fn out_of_order(position: Position) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(
        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT),
        Some(format!("position {position} stands out of order")),
    )
}

/// The version that a stream's next row must have, where that is known.
struct Dense {
    next: Option<u64>,
    step: i64,
    checked: bool,
}

impl Dense {
    fn of(query: &Query, way: Way<'_>) -> Self {
        let checked = query.stream.is_some()
            && query.since.is_none()
            && query.before.is_none()
            && matches!(way, Way::Scan);
        // Where a read goes on, its reader gives a version together with the position.
        let (next, step) = match query.direction {
            Direction::Forwards if query.after == Position::START => {
                (Some(query.from_version.0.max(1)), 1)
            }
            Direction::Forwards => (Some(query.from_version.0).filter(|next| *next > 1), 1),
            Direction::Backwards => (
                query
                    .to_version
                    .filter(|_| query.up_to.is_some())
                    .map(|version| version.0),
                -1,
            ),
        };
        Self {
            next,
            step,
            checked,
        }
    }

    fn follows(&mut self, version: Version) -> bool {
        let follows = !self.checked || self.next.is_none_or(|next| next == version.0);
        self.next = version.0.checked_add_signed(self.step);
        follows
    }
}

/// The times that can be told, in microseconds since 1970.
const TIMES: RangeInclusive<i64> =
    DateTime::<Utc>::MIN_UTC.timestamp_micros()..=DateTime::<Utc>::MAX_UTC.timestamp_micros();

/// A row's values, or what is wrong with them.
fn decode<'a>(
    position: Position,
    version: Version,
    row: &'a rusqlite::Row<'_>,
    query: &'a Query,
) -> rusqlite::Result<Result<Row<'a>, String>> {
    let (time, payload) = (row.get_ref(3)?, row.get_ref(4)?);
    // All events of a stream are of that stream, so its id is not read from each.
    let stream = match &query.stream {
        Some(stream) => ValueRef::Text(stream.id().as_bytes()),
        None => row.get_ref(5)?,
    };
    let context = if query.detail == Detail::Full {
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
            position,
            version,
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
