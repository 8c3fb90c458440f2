//! Pages of the log, and the frontier that they stay below.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use futures_util::{TryStreamExt as _, future};
use tokio_postgres::types::{FromSql, Type};
use uuid::Uuid;

use super::call::stream_key;
use super::connection::{self, Connection};
use super::error::{Cause, unreadable};
use super::names::NO_TENANT;
use super::seen::Source;
use super::select::{Rest, Select, Texts, Way};
use super::server::Server;
use crate::log::{
    Category, Detail, Direction, EventId, Kind, Page, Position, Query, ReadError, Row, TenantId,
    Version,
};
use crate::store::kinds::{Chosen, Kinds};

/// What pages are read with.
#[derive(Debug)]
pub(super) struct Readers {
    server: Arc<Server>,
    texts: Texts,
    /// What is remembered is forgotten with each new connection, as [`Seen`](super::seen::Seen) is.
    kinds: RwLock<(Source, Arc<Kinds>)>,
    /// About how many bytes an event takes, by what was read last: so that few rows are asked for that do not fit.
    bytes: AtomicUsize,
    /// Which kinds made up most of the events where they were read last.
    dense: RwLock<HashSet<Box<[i64]>>>,
}

/// One row in so many must be of the kinds that are wanted for rows to be read one after another.
const DENSE: i64 = 2;

/// How many rows are gone through, at most, for each that is asked for.
const WINDOW: i64 = 4;

/// The most sets of kinds that are remembered.
const SETS: usize = 1000;

/// Why a page was not read.
pub(super) enum Unread {
    Cause(Cause),
    /// A row cannot be what it should be.
    Corrupt(ReadError),
}

impl Unread {
    /// As a reader of the store at this URL is told.
    pub(super) fn of(self, url: &str) -> ReadError {
        match self {
            Self::Cause(cause) => unreadable(url, cause),
            Self::Corrupt(error) => error,
        }
    }
}

/// Why a page came to nothing.
enum Stop {
    Cause(Cause),
    /// The row at this position is of a kind that is not known.
    UnknownKind(Position, i64),
    /// There are kinds that were not known when the rows were chosen.
    NewKinds,
}

impl<E: Into<Cause>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Cause(error.into())
    }
}

/// JSON as it is stored.
struct Json<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Json<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::JSON
    }
}

impl Readers {
    pub(super) fn new(server: Arc<Server>) -> Self {
        Self {
            server,
            texts: Texts::default(),
            kinds: RwLock::default(),
            bytes: AtomicUsize::new(256),
            dense: RwLock::default(),
        }
    }

    fn is_dense(&self, kinds: &[i64]) -> bool {
        let dense = self.dense.read().unwrap_or_else(PoisonError::into_inner);
        dense.contains(kinds)
    }

    fn set_dense(&self, kinds: &[i64], is_dense: bool) {
        if self.is_dense(kinds) == is_dense {
            return;
        }
        let mut dense = self.dense.write().unwrap_or_else(PoisonError::into_inner);
        if !is_dense {
            dense.remove(kinds);
        } else if dense.len() < SETS {
            dense.insert(kinds.into());
        }
    }

    fn kinds(&self) -> Arc<Kinds> {
        let (source, kinds) = &*self.kinds.read().unwrap_or_else(PoisonError::into_inner);
        if *source == self.server.seen.source() {
            Arc::clone(kinds)
        } else {
            Arc::default()
        }
    }

    async fn load_kinds(&self, connection: &Connection<'_>) -> Result<Arc<Kinds>, Cause> {
        let (source, mut kinds) = (self.server.seen.source(), Kinds::default());
        let asked = Select::of(&self.server.sql.kinds);
        let mut rows = pin!(connection.rows(asked, usize::MAX).await?.rows);
        while let Some(row) = rows.try_next().await? {
            let number: i32 = row.try_get(0)?;
            kinds.push(number.into(), read_kind(&row));
        }
        let kinds = Arc::new(kinds);
        *self.kinds.write().unwrap_or_else(PoisonError::into_inner) = (source, Arc::clone(&kinds));
        Ok(kinds)
    }

    /// Reads one page.
    pub(super) async fn page(
        &self,
        query: &Query,
        page: &mut Page,
        connection: &Connection<'_>,
    ) -> Result<(), Unread> {
        let (mut looked, mut kinds) = (false, self.kinds());
        loop {
            page.clear();
            match self.fill(query, page, &kinds, connection).await {
                Ok(is_last) => {
                    page.set_last(is_last);
                    return Ok(());
                }
                // Not while rows are on their way: what comes behind them on their connection waits for them.
                Err(Stop::NewKinds) => {
                    kinds = self.load_kinds(connection).await.map_err(Unread::Cause)?;
                }
                Err(Stop::UnknownKind(..)) if !looked => {
                    looked = true;
                    kinds = self.load_kinds(connection).await.map_err(Unread::Cause)?;
                }
                // What was read is right; the next page begins with the damage.
                Err(Stop::UnknownKind(..)) if !page.is_empty() => return Ok(()),
                Err(Stop::UnknownKind(position, number)) => {
                    return Err(Unread::Corrupt(ReadError::Corrupt {
                        store: self.server.url.clone(),
                        position,
                        reason: format!("its kind {number} is not in the table of kinds"),
                    }));
                }
                Err(Stop::Cause(cause)) => return Err(Unread::Cause(cause)),
            }
        }
    }

    /// Fills the page; also says whether nothing follows.
    async fn fill(
        &self,
        query: &Query,
        page: &mut Page,
        kinds: &Arc<Kinds>,
        connection: &Connection<'_>,
    ) -> Result<bool, Stop> {
        let limit = query.limit.map_or(query.page_size, |limit| {
            usize::try_from(limit)
                .unwrap_or(usize::MAX)
                .min(query.page_size)
        });
        let chosen = kinds.choose(query);
        let these = match &chosen {
            Chosen::Any | Chosen::All => None,
            Chosen::These(these) => Some(these.as_slice()),
        };
        let mut reading = Reading {
            readers: self,
            connection,
            query,
            these,
            limit,
            kinds: Arc::clone(kinds),
            rest: Rest::of(query),
            reached: None,
        };
        // Who asks for another's stream has been refused; a query that was made by hand finds nothing.
        let is_of_tenant =
            |tenant: Option<&TenantId>| query.tenant.is_none() || tenant == query.tenant.as_ref();
        if let Some(stream) = &query.stream {
            if !is_of_tenant(stream.tenant()) {
                return Ok(true);
            }
            let source = self.server.seen.source();
            let is_last = reading.rows(None, None, page).await?;
            if let (false, Some(version)) = (connection.is_callers(), reading.reached) {
                let seen = &self.server.seen;
                seen.learn(source, std::iter::once((stream_key(stream), version)));
            }
            return Ok(is_last);
        }
        if query.direction == Direction::Backwards || these.is_some_and(<[i64]>::is_empty) {
            let frontier = reading.frontier(0).await?;
            reading.rest.up_to = reading.rest.up_to.min(frontier);
            if these.is_some_and(<[i64]>::is_empty) {
                return Ok(true);
            }
            return reading.rows(None, None, page).await;
        }
        let source = self.server.seen.source();
        let settled = source.trusts(query.settled);
        if let Some(settled) = settled.filter(|settled| reading.rest.after < *settled) {
            let up_to = reading.rest.up_to;
            reading.rest.up_to = up_to.min(settled);
            page.settled = query.settled;
            let is_last = reading.rows(None, None, page).await?;
            if !is_last || up_to <= settled {
                return Ok(is_last);
            }
            if !page.is_empty() {
                return Ok(false);
            }
            (reading.rest.after, reading.rest.up_to) = (settled, up_to);
        }
        // The two statements go out together and are answered one after the other: the rows are looked for after the frontier.
        // Both are prepared before either goes out. If only the frontier's had to be prepared first, the rows would overtake it,
        // and events be lost that are committed in between.
        let rows = reading.select(page);
        connection.prepare(&self.server.sql.frontier).await?;
        connection.prepare(&rows.select.sql).await?;
        let (frontier, rows) =
            future::join(reading.frontier(reading.rest.after), reading.start(rows)).await;
        let frontier = frontier?;
        if !connection.is_callers() {
            page.settled = source.settled(frontier, &self.server.seen);
        }
        reading.rows(Some(frontier), Some(rows?), page).await
    }
}

/// One page under way.
struct Reading<'a> {
    readers: &'a Readers,
    connection: &'a Connection<'a>,
    query: &'a Query,
    /// The kinds that are wanted, unless all are.
    these: Option<&'a [i64]>,
    limit: usize,
    kinds: Arc<Kinds>,
    rest: Rest,
    /// The version of the last row of a stream.
    reached: Option<i64>,
}

/// A statement for the next rows.
struct Asked {
    select: Select,
    /// How many rows are asked for.
    rows: usize,
    /// The last position that is looked at, if not all are.
    window: Option<i64>,
}

/// Some rows on their way, and how many were asked for up to where.
struct Rows {
    answer: connection::Rows,
    asked: usize,
    window: Option<i64>,
}

impl Reading<'_> {
    /// Where the log ends for now. When there are kinds that were not known, the rows must be chosen again.
    async fn frontier(&self, known: i64) -> Result<i64, Stop> {
        let sql = &self.readers.server.sql.frontier;
        let row = self.connection.query_one(sql, &[&known]).await?;
        let (frontier, newest): (i64, i32) = (row.try_get(0)?, row.try_get(1)?);
        if i64::from(newest) != self.kinds.newest() {
            return Err(Stop::NewKinds);
        }
        Ok(frontier)
    }

    /// The statement for the next rows: one more than fit tells whether anything follows, but not many more than fit a page's
    /// bytes.
    fn select(&self, page: &Page) -> Asked {
        let bytes = self.readers.bytes.load(Ordering::Relaxed).max(1);
        let fit = (2 * Page::MAX_BYTES / bytes).max(8);
        let asked = self
            .limit
            .saturating_sub(page.len())
            .saturating_add(1)
            .min(fit);
        let limit = i64::try_from(asked).unwrap_or(i64::MAX);
        let these = self.these.filter(|_| self.query.stream.is_none());
        let schema = &self.readers.server.sql.schema;
        let (mut rest, mut way, mut window) = (self.rest, Way::ByKind, None);
        let forwards = self.query.direction == Direction::Forwards;
        if forwards && these.is_some_and(|these| self.readers.is_dense(these)) {
            let end = rest.after.saturating_add(limit.saturating_mul(WINDOW));
            way = Way::InOrder;
            window = Some(end).filter(|end| *end < rest.up_to);
            rest.up_to = rest.up_to.min(end);
        }
        Asked {
            select: self
                .readers
                .texts
                .select(self.query, schema, rest, these, way, limit),
            rows: asked,
            window,
        }
    }

    async fn start(&self, asked: Asked) -> Result<Rows, Stop> {
        Ok(Rows {
            answer: self.connection.rows(asked.select, Page::MAX_BYTES).await?,
            asked: asked.rows,
            window: asked.window,
        })
    }

    /// So many rows lay between two positions.
    fn learn(&self, found: usize, from: i64, to: i64) {
        let (Some(these), None) = (self.these, &self.query.stream) else {
            return;
        };
        // A few say nothing.
        if self.query.direction == Direction::Forwards && (found >= 100 || to - from > 1000) {
            let found = i64::try_from(found).unwrap_or(i64::MAX);
            let is_dense = found.saturating_mul(DENSE) >= to - from;
            self.readers.set_dense(these, is_dense);
        }
    }

    /// Takes rows up to the frontier until the page is full or none follow; true when none follow.
    async fn rows(
        &mut self,
        frontier: Option<i64>,
        mut first: Option<Rows>,
        page: &mut Page,
    ) -> Result<bool, Stop> {
        loop {
            let Rows {
                answer,
                asked,
                window,
            } = match first.take() {
                Some(rows) => rows,
                None => self.start(self.select(page)).await?,
            };
            let (mut rows, mut found) = (pin!(answer.rows), 0);
            let from = self.rest.after;
            while let Some(row) = rows.try_next().await? {
                found += 1;
                let position: i64 = row.try_get(0)?;
                if frontier.is_some_and(|frontier| position > frontier) {
                    return Ok(true);
                }
                let number = i64::from(row.try_get::<_, i32>(1)?);
                let Some(kind) = self.kinds.get(number) else {
                    return Err(Stop::UnknownKind(place(position), number));
                };
                let is_stream = self.query.stream.is_some();
                let version = if is_stream || self.query.detail > Detail::Payload {
                    row.try_get(4)?
                } else {
                    0
                };
                self.reached = Some(version);
                // A stream's events are found by version, whatever their kind.
                if !is_stream || self.these.is_none_or(|these| these.contains(&number)) {
                    if page.is_full(self.limit) {
                        self.learn(found, from, self.rest.after);
                        return Ok(false);
                    }
                    self.push(&row, version, kind, page)?;
                }
                self.rest
                    .pass(self.query.direction, position, version, is_stream);
            }
            let is_all = found < asked && answer.is_all;
            match window.filter(|_| is_all) {
                // Up to there everything is settled, and what is behind it was not asked for.
                Some(window) if frontier.is_none_or(|frontier| window < frontier) => {
                    self.learn(found, from, window);
                    self.rest.after = window;
                }
                _ if is_all => return Ok(true),
                _ => self.learn(found, from, self.rest.after),
            }
        }
    }

    fn push(
        &self,
        row: &tokio_postgres::Row,
        version: i64,
        kind: &Arc<Kind>,
        page: &mut Page,
    ) -> Result<(), Stop> {
        let (stream, context) = match &self.query.stream {
            Some(stream) => (stream.id(), 5),
            None if self.query.detail == Detail::Payload => ("", 4),
            None => (row.try_get(5)?, 6),
        };
        let (id, metadata) = if self.query.detail == Detail::Full {
            let metadata: Option<&str> = row.try_get(context + 1)?;
            (row.try_get(context)?, metadata.unwrap_or_default())
        } else {
            (Uuid::nil(), "")
        };
        let Json(payload) = row.try_get(3)?;
        page.push(
            kind,
            Row {
                position: place(row.try_get(0)?),
                version: Version(version.cast_unsigned()),
                id: EventId(id),
                recorded_at: row.try_get(2)?,
                stream,
                metadata,
                payload,
            },
        );
        let bytes = &self.readers.bytes;
        let average = bytes.load(Ordering::Relaxed);
        bytes.store((average * 15 + payload.len()) / 16, Ordering::Relaxed);
        Ok(())
    }
}

fn place(position: i64) -> Position {
    Position(position.cast_unsigned())
}

fn read_kind(row: &tokio_postgres::Row) -> Option<Kind> {
    let tenant: i32 = row.try_get(1).ok()?;
    let tenant = if tenant == NO_TENANT {
        None
    } else {
        Some(TenantId::new(row.try_get::<_, String>(2).ok()?).ok()?)
    };
    Some(Kind {
        tenant,
        category: Category::new(row.try_get::<_, String>(3).ok()?).ok()?,
        name: row.try_get::<_, String>(4).ok()?.into(),
        schema_version: u32::try_from(row.try_get::<_, i64>(5).ok()?).ok()?,
    })
}
