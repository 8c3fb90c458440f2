//! From a query to one SQL statement.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use tokio_postgres::types::ToSql;

use super::call::stream_key;
use super::sql::within;
use crate::log::{Direction, Query};

/// A statement for some rows of a page, and the values of its parameters.
pub(super) struct Select {
    pub(super) sql: String,
    values: Vec<Box<dyn ToSql + Sync + Send>>,
}

/// The part of a query that is still to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rest {
    pub(super) after: i64,
    pub(super) up_to: i64,
    pub(super) from_version: i64,
    pub(super) to_version: i64,
}

impl Rest {
    pub(super) fn of(query: &Query) -> Self {
        Self {
            after: number(query.after.0),
            up_to: query.up_to.map_or(i64::MAX, |last| number(last.0)),
            from_version: number(query.from_version.0),
            to_version: query.to_version.map_or(i64::MAX, |last| number(last.0)),
        }
    }

    /// What is left after a row.
    pub(super) fn pass(&mut self, direction: Direction, position: i64, version: i64, stream: bool) {
        match direction {
            Direction::Forwards => self.after = position,
            Direction::Backwards => self.up_to = position - 1,
        }
        match direction {
            _ if !stream => {}
            Direction::Forwards => self.from_version = version + 1,
            Direction::Backwards => self.to_version = version - 1,
        }
    }
}

/// A position or version as the server compares it; none is ever as great as the greatest that it can hold.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The first stored time that is not before this one; stored times have no parts of a microsecond and no leap seconds.
fn microseconds(time: DateTime<Utc>) -> i64 {
    let nanoseconds = time.timestamp_subsec_nanos().min(1_000_000_000);
    time.timestamp() * 1_000_000 + i64::from(nanoseconds.div_ceil(1000))
}

/// All conditions but the kind's and the stream's. They are always there, so that there are few different statements.
const CONDITIONS: &str = "position > $1 AND position <= $2 AND version >= $3 AND version <= $4
    AND recorded_at >= $5 AND recorded_at < $6";

/// Up to this many kinds are merged by their index; for more, all events are gone through.
const MERGED: usize = 64;

/// How the rows of some kinds are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By the index of kinds, merged: whatever lies between them costs nothing.
    ByKind,
    /// One after another, those of other kinds left out: faster where there are few of those.
    InOrder,
}

/// The statement for the next rows of a query, at most this many; of these kinds when it is not about a stream.
///
/// The columns are position, version, kind, `recorded_at` and payload, then the stream's id unless it is known, then the event's
/// id and metadata if they are asked for.
pub(super) fn select(
    query: &Query,
    schema: &str,
    rest: Rest,
    kinds: Option<&[i64]>,
    way: Way,
    limit: i64,
) -> Select {
    let mut values: Vec<Box<dyn ToSql + Sync + Send>> = vec![
        Box::new(rest.after),
        Box::new(rest.up_to),
        Box::new(rest.from_version),
        Box::new(rest.to_version),
        Box::new(query.since.map_or(i64::MIN, microseconds)),
        Box::new(query.before.map_or(i64::MAX, microseconds)),
        Box::new(limit),
    ];
    let stream_id = if query.stream.is_some() {
        ""
    } else {
        ", stream_id"
    };
    let context = if query.with_context {
        ", event_id, metadata"
    } else {
        ""
    };
    let columns = format!("position, version, kind, recorded_at, payload{stream_id}{context}");
    let descending = match query.direction {
        Direction::Forwards => "",
        Direction::Backwards => " DESC",
    };
    let sql = match (&query.stream, kinds) {
        (Some(stream), _) => {
            values.push(Box::new(stream_key(stream)));
            format!(
                "SELECT {columns} FROM recount.events
                 WHERE stream = $8 AND {CONDITIONS} ORDER BY version{descending} LIMIT $7"
            )
        }
        (None, Some(kinds)) if kinds.len() <= MERGED && way == Way::ByKind => {
            let mut sql = String::with_capacity(kinds.len() * 256);
            sql.push_str("SELECT * FROM (");
            for (index, kind) in kinds.iter().enumerate() {
                let union = if index == 0 { "" } else { " UNION ALL " };
                let parameter = index + 8;
                // Writing to a string cannot fail.
                let _ = write!(
                    sql,
                    "{union}(SELECT {columns} FROM recount.events
                      WHERE kind = ${parameter} AND {CONDITIONS} ORDER BY position{descending})"
                );
                values.push(Box::new(i32::try_from(*kind).unwrap_or(i32::MAX)));
            }
            let _ = write!(sql, ") AS merged ORDER BY position{descending} LIMIT $7");
            sql
        }
        (None, kinds) => {
            let of_kinds = match kinds {
                Some(kinds) => {
                    values.push(Box::new(kinds.to_vec()));
                    "AND kind::bigint = ANY ($8)"
                }
                None => "",
            };
            format!(
                "SELECT {columns} FROM recount.events
                 WHERE {CONDITIONS} {of_kinds} ORDER BY position{descending} LIMIT $7"
            )
        }
    };
    Select {
        sql: within(schema, &sql),
        values,
    }
}

impl Select {
    pub(super) fn params(&self) -> impl ExactSizeIterator<Item = &(dyn ToSql + Sync)> {
        self.values
            .iter()
            .map(|value| &**value as &(dyn ToSql + Sync))
    }
}
