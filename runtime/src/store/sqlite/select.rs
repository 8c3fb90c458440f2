//! From a query to one SQL statement.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use rusqlite::types::Value;

use super::kinds::{Chosen, Kinds};
use crate::log::{Direction, Query, StreamId};

/// The columns of a row; those that nobody asks for are not even read.
fn columns(query: &Query) -> &'static str {
    match (query.stream.is_some(), query.with_context) {
        (false, true) => {
            "position, version, kind, recorded_at, payload, stream_id, event_id, metadata"
        }
        (false, false) => "position, version, kind, recorded_at, payload, stream_id",
        (true, true) => "position, version, kind, recorded_at, payload, NULL, event_id, metadata",
        (true, false) => "position, version, kind, recorded_at, payload",
    }
}

/// Up to this many kinds are read each by its index and merged; more are picked out of a scan.
const MERGED: usize = 24;

/// A statement for one page, and the values of its parameters.
#[derive(Debug)]
pub(super) struct Select {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

/// What a statement is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A page of events.
    Page,
    /// A page of a stream whose order by version cannot be relied upon, since a row is damaged.
    ByPosition,
    /// Only the position of the first row, found without touching the row itself.
    Probe,
}

/// The statement for a page of at most `limit` events, `None` when nothing can fit; and whether that depends on which kinds
/// there are.
///
/// It asks for one row more, which tells whether anything follows.
pub(super) fn select(
    query: &Query,
    kinds: &Kinds,
    limit: usize,
    purpose: Purpose,
) -> (Option<Select>, bool) {
    let elsewhere =
        |stream: &StreamId| query.tenant.is_some() && stream.tenant() != query.tenant.as_ref();
    if query.stream.as_ref().is_some_and(elsewhere) {
        return (None, false);
    }
    match kinds.choose(query) {
        Chosen::These(these) if these.is_empty() => (None, true),
        chosen => {
            let by_kind = !matches!(chosen, Chosen::Any);
            let select = Statement::new(query, limit, purpose).finish(chosen);
            (Some(select), by_kind)
        }
    }
}

/// The parameters, in the order of their numbers; a text refers to one by its number, so it may do so more than once.
struct Statement<'a> {
    query: &'a Query,
    purpose: Purpose,
    limit: usize,
    values: Vec<Value>,
    /// All conditions but the kind's and the stream's.
    conditions: String,
}

impl<'a> Statement<'a> {
    fn new(query: &'a Query, limit: usize, purpose: Purpose) -> Self {
        let mut statement = Self {
            query,
            purpose,
            limit,
            values: Vec::with_capacity(8),
            conditions: String::new(),
        };
        statement.condition("position >", number(query.after.0));
        if let Some(up_to) = query.up_to {
            statement.condition("position <=", number(up_to.0));
        }
        // Without a bound, also a damaged version is found.
        if query.from_version.0 > 1 {
            statement.condition("version >=", number(query.from_version.0));
        }
        if let Some(to_version) = query.to_version {
            statement.condition("version <=", number(to_version.0));
        }
        if purpose != Purpose::Probe {
            if let Some(since) = query.since {
                statement.condition("recorded_at >=", microseconds(since));
            }
            if let Some(before) = query.before {
                statement.condition("recorded_at <", microseconds(before));
            }
        }
        statement
    }

    fn parameter(&mut self, value: impl Into<Value>) -> usize {
        self.values.push(value.into());
        self.values.len()
    }

    fn condition(&mut self, comparison: &str, value: i64) {
        let number = self.parameter(value);
        // Writing to a string cannot fail.
        let _ = write!(self.conditions, " AND {comparison} ?{number}");
    }

    fn finish(mut self, chosen: Chosen) -> Select {
        let columns = if self.purpose == Purpose::Probe {
            "position"
        } else {
            columns(self.query)
        };
        let order = match self.query.direction {
            Direction::Forwards => "",
            Direction::Backwards => " DESC",
        };
        let limit = i64::try_from(self.limit)
            .unwrap_or(i64::MAX)
            .saturating_add(1);
        let limit = self.parameter(limit);
        let mut sql = String::with_capacity(512);
        if let Some(stream) = &self.query.stream {
            let tenant = match stream.tenant() {
                Some(tenant) => {
                    let tenant = self.parameter(tenant.as_str().to_owned());
                    format!("(SELECT tenant FROM tenants WHERE name = ?{tenant})")
                }
                None => super::names::NO_TENANT.to_string(),
            };
            let category = self.parameter(stream.category().as_str().to_owned());
            let id = self.parameter(stream.id().to_owned());
            let conditions = &self.conditions;
            let _ = write!(
                sql,
                "SELECT {columns} FROM events INDEXED BY events_by_stream
                 WHERE stream = (SELECT stream FROM streams
                     WHERE tenant = {tenant} AND category = ?{category} AND id = ?{id}){conditions}"
            );
            if let Chosen::These(kinds) = chosen
                && self.purpose != Purpose::Probe
            {
                let _ = write!(sql, " AND kind IN ({})", list(&kinds));
            }
            let by = if self.purpose == Purpose::ByPosition {
                "+position"
            } else {
                "version"
            };
            let _ = write!(sql, " ORDER BY {by}{order} LIMIT ?{limit}");
        } else {
            let conditions = &self.conditions;
            match chosen {
                Chosen::Any | Chosen::All => {
                    let _ = write!(
                        sql,
                        "SELECT {columns} FROM events NOT INDEXED WHERE true{conditions}"
                    );
                }
                Chosen::These(kinds) if kinds.len() > MERGED => {
                    let _ = write!(
                        sql,
                        "SELECT {columns} FROM events NOT INDEXED
                         WHERE kind IN ({}){conditions}",
                        list(&kinds)
                    );
                }
                Chosen::These(kinds) => {
                    for (index, kind) in kinds.iter().enumerate() {
                        let union = if index == 0 { "" } else { " UNION ALL " };
                        let _ = write!(
                            sql,
                            "{union}SELECT {columns} FROM events INDEXED BY events_by_kind
                             WHERE kind = {kind}{conditions}"
                        );
                    }
                }
            }
            let _ = write!(sql, " ORDER BY position{order} LIMIT ?{limit}");
        }
        Select {
            sql,
            values: self.values,
        }
    }
}

fn list(kinds: &[i64]) -> String {
    let mut list = String::new();
    for kind in kinds {
        let comma = if list.is_empty() { "" } else { "," };
        let _ = write!(list, "{comma}{kind}");
    }
    list
}

/// A position or version as SQLite compares it; none is ever as great as the greatest that SQLite can hold.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The first stored time that is not before this one; stored times have no parts of a microsecond.
fn microseconds(time: DateTime<Utc>) -> i64 {
    let part = time.timestamp_subsec_nanos() % 1000;
    time.timestamp_micros().saturating_add(i64::from(part > 0))
}
