//! From a query to one SQL statement.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use tokio_postgres::types::ToSql;

use super::call::stream_key;
use super::sql::within;
use crate::log::{Detail, Direction, Query};

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
/// The columns are position, kind, `recorded_at` and payload, and as far as they are asked for version, stream id, event id and
/// metadata. A stream's rows have their version always, and its id never.
pub(super) fn select(
    query: &Query,
    schema: &str,
    rest: Rest,
    kinds: Option<&[i64]>,
    way: Way,
    limit: i64,
) -> Select {
    let mut statement = Statement {
        values: Vec::with_capacity(8),
        conditions: String::new(),
    };
    statement.condition("position >", rest.after);
    statement.condition("position <=", rest.up_to);
    let since = query.since.map_or(i64::MIN, microseconds);
    let before = query.before.map_or(i64::MAX, microseconds);
    // Each is asked of each row. What goes through the whole log asks nothing in vain; what has an index of its own asks all, since
    // a planner that knows nothing of the table yet may take it for as good to go through that.
    let goes_through = query.stream.is_none() && (way == Way::InOrder || kinds.is_none());
    for (comparison, value, says_something) in [
        ("version >=", rest.from_version, rest.from_version > 1),
        ("version <=", rest.to_version, rest.to_version < i64::MAX),
        ("recorded_at >=", since, query.since.is_some()),
        ("recorded_at <", before, query.before.is_some()),
    ] {
        if says_something || !goes_through {
            statement.condition(comparison, value);
        }
    }
    let limit = statement.parameter(limit);
    let columns = columns(query);
    let descending = match query.direction {
        Direction::Forwards => "",
        Direction::Backwards => " DESC",
    };
    let sql = match (&query.stream, kinds) {
        (Some(stream), _) => {
            let stream = statement.parameter(stream_key(stream));
            let conditions = &statement.conditions;
            format!(
                "SELECT {columns} FROM recount.events
                 WHERE stream = ${stream}{conditions} ORDER BY version{descending} LIMIT ${limit}"
            )
        }
        (None, Some(kinds)) if kinds.len() <= MERGED && way == Way::ByKind => {
            let mut sql = String::with_capacity(kinds.len() * 256);
            sql.push_str("SELECT * FROM (");
            for (index, kind) in kinds.iter().enumerate() {
                let union = if index == 0 { "" } else { " UNION ALL " };
                let kind = statement.parameter(stored(*kind));
                let conditions = &statement.conditions;
                // Writing to a string cannot fail.
                let _ = write!(
                    sql,
                    "{union}(SELECT {columns} FROM recount.events
                      WHERE kind = ${kind}{conditions} ORDER BY position{descending})"
                );
            }
            let _ = write!(
                sql,
                ") AS merged ORDER BY position{descending} LIMIT ${limit}"
            );
            sql
        }
        (None, kinds) => {
            let kinds = kinds.map(|kinds| kinds.iter().map(|kind| stored(*kind)));
            let of_kinds = kinds.map_or_else(String::new, |kinds| {
                let kinds = statement.parameter(kinds.collect::<Vec<i32>>());
                format!(" AND kind = ANY (${kinds})")
            });
            let conditions = &statement.conditions;
            format!(
                "SELECT {columns} FROM recount.events
                 WHERE true{conditions}{of_kinds} ORDER BY position{descending} LIMIT ${limit}"
            )
        }
    };
    Select {
        sql: within(schema, &sql),
        values: statement.values,
    }
}

fn columns(query: &Query) -> &'static str {
    match (query.stream.is_some(), query.detail) {
        (false, Detail::Payload) => "position, kind, recorded_at, payload",
        (false, Detail::Place) => "position, kind, recorded_at, payload, version, stream_id",
        (false, Detail::Full) => {
            "position, kind, recorded_at, payload, version, stream_id, event_id, metadata"
        }
        (true, Detail::Payload | Detail::Place) => "position, kind, recorded_at, payload, version",
        (true, Detail::Full) => "position, kind, recorded_at, payload, version, event_id, metadata",
    }
}

/// The number of a kind as the server has it; there is none as great as the greatest.
fn stored(kind: i64) -> i32 {
    i32::try_from(kind).unwrap_or(i32::MAX)
}

/// The parameters, in the order of their numbers.
struct Statement {
    values: Vec<Box<dyn ToSql + Sync + Send>>,
    /// All conditions but the kind's and the stream's.
    conditions: String,
}

impl Statement {
    /// The number of a new parameter.
    fn parameter(&mut self, value: impl ToSql + Sync + Send + 'static) -> usize {
        self.values.push(Box::new(value));
        self.values.len()
    }

    fn condition(&mut self, comparison: &str, value: i64) {
        let number = self.parameter(value);
        let _ = write!(self.conditions, " AND {comparison} ${number}");
    }
}

impl Select {
    /// A statement without parameters.
    pub(super) fn of(sql: &str) -> Self {
        Self {
            sql: sql.to_owned(),
            values: Vec::new(),
        }
    }

    pub(super) fn params(&self) -> impl ExactSizeIterator<Item = &(dyn ToSql + Sync)> {
        self.values
            .iter()
            .map(|value| &**value as &(dyn ToSql + Sync))
    }
}
