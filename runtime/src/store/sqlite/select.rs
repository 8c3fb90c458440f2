//! From a query to one SQL statement.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use rusqlite::types::Value;

use super::names::NO_TENANT;
use crate::log::{Detail, Direction, Query, StreamId};

/// The columns of a row; those that nobody asks for are not even read.
fn columns(query: &Query, way: Way<'_>) -> &'static str {
    match (way, query.stream.is_some(), query.detail == Detail::Full) {
        (Way::Probe(_), ..) => "position",
        (_, false, true) => {
            "position, version, kind, recorded_at, payload, stream_id, event_id, metadata"
        }
        (_, false, false) => "position, version, kind, recorded_at, payload, stream_id",
        (_, true, true) => {
            "position, version, kind, recorded_at, payload, NULL, event_id, metadata"
        }
        (_, true, false) => "position, version, kind, recorded_at, payload",
    }
}

/// A statement for one page, and the values of its parameters.
#[derive(Debug)]
pub(super) struct Select {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

/// The way to the rows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way<'a> {
    /// All, in the order of the log; of a stream's in the order of its versions.
    Scan,
    /// A stream's in the order of the log, when a row is damaged and versions cannot be relied upon; of any version.
    Sorted,
    /// These kinds', each by its index, merged.
    Merge(&'a [i64]),
    /// Only the position of the first row, found without touching the row itself.
    Probe(Option<&'a [i64]>),
}

/// How many rows lie close to the beginning of a read: (after, up to], and which kinds'.
pub(super) fn sample(kinds: &[i64], after: u64, up_to: u64) -> Select {
    let mut sql =
        "SELECT count(*) FROM events INDEXED BY events_by_kind WHERE kind IN (".to_owned();
    for (index, kind) in kinds.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(sql, "{comma}{kind}");
    }
    sql.push_str(") AND position > ?1 AND position <= ?2");
    Select {
        sql,
        values: vec![number(after).into(), number(up_to).into()],
    }
}

/// The statement that reads what is selected after one position and up to another.
///
/// It does not choose among kinds, unless it merges them: whoever reads the rows does.
pub(super) fn select(
    query: &Query,
    way: Way<'_>,
    after: u64,
    up_to: Option<u64>,
    limit: usize,
) -> Select {
    let mut statement = Statement {
        values: Vec::with_capacity(8),
        conditions: String::new(),
    };
    statement.condition("position >", number(after));
    if let Some(up_to) = up_to {
        statement.condition("position <=", number(up_to));
    }
    // A damaged version is found wherever it is when none is compared.
    if !matches!(way, Way::Sorted) {
        if query.from_version.0 > 1 {
            statement.condition("version >=", number(query.from_version.0));
        }
        if let Some(to_version) = query.to_version {
            statement.condition("version <=", number(to_version.0));
        }
    }
    if !matches!(way, Way::Probe(_)) {
        if let Some(since) = query.since {
            statement.condition("recorded_at >=", microseconds(since));
        }
        if let Some(before) = query.before {
            statement.condition("recorded_at <", microseconds(before));
        }
    }
    let sql = match &query.stream {
        Some(stream) => statement.of_stream(stream, query, way),
        None => statement.of_log(query, way, limit),
    };
    Select {
        sql,
        values: statement.values,
    }
}

/// The parameters, in the order of their numbers; a text refers to one by its number, so it may do so more than once.
struct Statement {
    values: Vec<Value>,
    /// All conditions but the kind's and the stream's.
    conditions: String,
}

impl Statement {
    fn parameter(&mut self, value: impl Into<Value>) -> usize {
        self.values.push(value.into());
        self.values.len()
    }

    fn condition(&mut self, comparison: &str, value: i64) {
        let number = self.parameter(value);
        // Writing to a string cannot fail.
        let _ = write!(self.conditions, " AND {comparison} ?{number}");
    }

    fn of_stream(&mut self, stream: &StreamId, query: &Query, way: Way<'_>) -> String {
        let tenant = match stream.tenant() {
            Some(tenant) => {
                let tenant = self.parameter(tenant.as_str().to_owned());
                format!("(SELECT tenant FROM tenants WHERE name = ?{tenant})")
            }
            None => NO_TENANT.to_string(),
        };
        let category = self.parameter(stream.category().as_str().to_owned());
        let id = self.parameter(stream.id().to_owned());
        let order = match way {
            Way::Sorted => "+position",
            _ => "version",
        };
        let (columns, direction) = (columns(query, way), descending(query.direction));
        let conditions = &self.conditions;
        format!(
            "SELECT {columns} FROM events INDEXED BY events_by_stream
             WHERE stream = (SELECT stream FROM streams
                 WHERE tenant = {tenant} AND category = ?{category} AND id = ?{id}){conditions}
             ORDER BY {order}{direction}"
        )
    }

    fn of_log(&mut self, query: &Query, way: Way<'_>, limit: usize) -> String {
        let (columns, direction) = (columns(query, way), descending(query.direction));
        let (Way::Merge(kinds) | Way::Probe(Some(kinds))) = way else {
            let conditions = &self.conditions;
            return format!(
                "SELECT {columns} FROM events NOT INDEXED
                 WHERE true{conditions} ORDER BY position{direction}"
            );
        };
        // One more than fit tell whether anything follows.
        let limit = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let limit = self.parameter(limit);
        let conditions = &self.conditions;
        let mut sql = String::with_capacity(kinds.len() * 256 + 64);
        for (index, kind) in kinds.iter().enumerate() {
            let union = if index == 0 { "" } else { " UNION ALL " };
            let _ = write!(
                sql,
                "{union}SELECT {columns} FROM events INDEXED BY events_by_kind
                 WHERE kind = {kind}{conditions}"
            );
        }
        let _ = write!(sql, " ORDER BY position{direction} LIMIT ?{limit}");
        sql
    }
}

fn descending(direction: Direction) -> &'static str {
    match direction {
        Direction::Forwards => "",
        Direction::Backwards => " DESC",
    }
}

/// A position or version as SQLite compares it; none is ever as great as the greatest that SQLite can hold.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The first stored time that is not before this one; stored times have no parts of a microsecond and no leap seconds.
fn microseconds(time: DateTime<Utc>) -> i64 {
    let nanoseconds = time.timestamp_subsec_nanos().min(1_000_000_000);
    time.timestamp() * 1_000_000 + i64::from(nanoseconds.div_ceil(1000))
}

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, params_from_iter};

    use super::*;
    use crate::log::{Position, Version};
    use crate::store::sqlite::schema;

    /// How SQLite goes about a statement.
    fn plan(query: &Query, way: Way<'_>) -> String {
        let mut connection = Connection::open_in_memory().expect("a database");
        schema::lay_out(&mut connection).expect("the schema");
        let select = select(query, way, 5, Some(900), 10);
        let mut statement = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {}", select.sql))
            .expect("a statement");
        let steps = statement
            .query_map(params_from_iter(&select.values), |row| {
                row.get::<_, String>(3)
            })
            .expect("a plan");
        steps.map(|step| step.expect("a step") + "\n").collect()
    }

    #[test]
    fn no_page_is_sorted_and_each_is_found_by_its_index() {
        let stream = StreamId::new("account", "a").expect("a name");
        let time = DateTime::UNIX_EPOCH;
        for direction in [Direction::Forwards, Direction::Backwards] {
            let mut log = Query::all().since(time).up_to(Position(7));
            let mut one = Query::stream(&stream).from_version(Version(3)).before(time);
            (log.direction, one.direction) = (direction, direction);
            for (query, way, expected) in [
                (
                    &log,
                    Way::Scan,
                    "SEARCH events USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
                ),
                (
                    &log,
                    Way::Merge(&[3]),
                    "SEARCH events USING INDEX events_by_kind (kind=? AND rowid>? AND rowid<?)",
                ),
                (
                    &log,
                    Way::Merge(&[1, 2, 3, 4]),
                    "SEARCH events USING INDEX events_by_kind (kind=? AND rowid>? AND rowid<?)",
                ),
                (
                    &log,
                    Way::Probe(Some(&[1, 2])),
                    "SEARCH events USING COVERING INDEX events_by_kind (kind=? AND rowid>? AND rowid<?)",
                ),
                (
                    &one,
                    Way::Scan,
                    "SEARCH events USING INDEX events_by_stream (stream=? AND version>?)",
                ),
                (
                    &one,
                    Way::Probe(None),
                    "SEARCH events USING COVERING INDEX events_by_stream (stream=? AND version>?)",
                ),
            ] {
                let plan = plan(query, way);
                assert!(plan.contains(expected), "{way:?}: {plan}");
                assert!(
                    !plan.contains("TEMP B-TREE") && !plan.contains("SCAN events"),
                    "{way:?}: {plan}"
                );
            }
        }
        assert!(plan(&Query::stream(&stream), Way::Sorted).contains("TEMP B-TREE"));
    }
}
