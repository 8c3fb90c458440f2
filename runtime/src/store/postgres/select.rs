//! From a query to one SQL statement.
//!
//! Its text follows from its form, of which there are few: each is written once. The values are found anew for each page.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::call::stream_key;
use super::sql::within;
use crate::log::{Detail, Direction, Query};

/// A statement for some rows of a page, and the values of its parameters.
pub(super) struct Select {
    pub(super) sql: Arc<str>,
    values: Vec<Value>,
}

/// What a parameter is.
enum Value {
    Stream(Uuid),
    Number(i64),
    Kind(i32),
    Kinds(Vec<i32>),
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

/// What a text follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Form {
    /// Of a stream, by version; else of the log, by position.
    of_stream: bool,
    /// Of so many kinds, merged; or of some.
    merged: Option<usize>,
    of_kinds: bool,
    detail: Detail,
    direction: Direction,
    /// Which of the [`CONDITIONS`] are asked, as bits.
    asked: u8,
}

/// What may be asked of each row.
const CONDITIONS: [&str; 6] = [
    "position >",
    "position <=",
    "version >=",
    "version <=",
    "recorded_at >=",
    "recorded_at <",
];

/// The texts that were written, by their forms: as many as a program has kinds of queries.
#[derive(Debug, Default)]
pub(super) struct Texts(RwLock<HashMap<Form, Arc<str>>>);

impl Texts {
    fn of(&self, form: Form, schema: &str) -> Arc<str> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = known.get(&form) {
            return Arc::clone(text);
        }
        drop(known);
        let text = Arc::from(within(schema, &form.text()));
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(form).or_insert(text))
    }

    /// The statement for the next rows of a query, at most this many; of these kinds when it is not about a stream.
    ///
    /// The columns are position, kind, `recorded_at` and payload, and as far as they are asked for version, stream id, event id and
    /// metadata. A stream's rows have their version always, and its id never.
    pub(super) fn select(
        &self,
        query: &Query,
        schema: &str,
        rest: Rest,
        kinds: Option<&[i64]>,
        way: Way,
        limit: i64,
    ) -> Select {
        let of_stream = query.stream.is_some();
        let kinds = kinds.filter(|_| !of_stream);
        let merged = kinds.filter(|kinds| kinds.len() <= MERGED && way == Way::ByKind);
        let bounds = [
            (rest.after, rest.after > 0),
            (rest.up_to, rest.up_to < i64::MAX),
            (rest.from_version, rest.from_version > 1),
            (rest.to_version, rest.to_version < i64::MAX),
            (
                query.since.map_or(i64::MIN, microseconds),
                query.since.is_some(),
            ),
            (
                query.before.map_or(i64::MAX, microseconds),
                query.before.is_some(),
            ),
        ];
        let mut values = Vec::with_capacity(8);
        let mut asked = 0;
        for (place, (bound, says_something)) in bounds.into_iter().enumerate() {
            // Each is asked of each row, so what goes through the log or through a stream asks nothing in vain. By kind all is asked,
            // since a planner that knows nothing of the table yet may take it for as good to go through that.
            let is_order = !of_stream && place < 2;
            if says_something || is_order || merged.is_some() {
                asked |= 1 << place;
                values.push(Value::Number(bound));
            }
        }
        values.push(Value::Number(limit));
        if let Some(stream) = &query.stream {
            values.push(Value::Stream(stream_key(stream)));
        }
        let numbers = |kinds: &[i64]| kinds.iter().map(|kind| stored(*kind)).collect();
        match (merged, kinds) {
            (Some(merged), _) => {
                values.extend(merged.iter().map(|kind| Value::Kind(stored(*kind))));
            }
            (None, Some(kinds)) => values.push(Value::Kinds(numbers(kinds))),
            (None, None) => {}
        }
        let form = Form {
            of_stream,
            merged: merged.map(<[i64]>::len),
            of_kinds: kinds.is_some(),
            detail: query.detail,
            direction: query.direction,
            asked,
        };
        Select {
            sql: self.of(form, schema),
            values,
        }
    }
}

impl Form {
    fn text(self) -> String {
        let mut number = 0;
        let mut parameter = || {
            number += 1;
            number
        };
        let mut conditions = String::new();
        for (place, condition) in CONDITIONS.iter().enumerate() {
            if self.asked & 1 << place != 0 {
                // Writing to a string cannot fail.
                let _ = write!(conditions, " AND {condition} ${}", parameter());
            }
        }
        let (limit, columns) = (parameter(), self.columns());
        let descending = match self.direction {
            Direction::Forwards => "",
            Direction::Backwards => " DESC",
        };
        if self.of_stream {
            let stream = parameter();
            return format!(
                "SELECT {columns} FROM recount.events
                 WHERE stream = ${stream}{conditions} ORDER BY version{descending} LIMIT ${limit}"
            );
        }
        if let Some(merged) = self.merged {
            let mut sql = String::with_capacity(merged * 256);
            sql.push_str("SELECT * FROM (");
            for index in 0..merged {
                let union = if index == 0 { "" } else { " UNION ALL " };
                let kind = parameter();
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
            return sql;
        }
        let of_kinds = if self.of_kinds {
            format!(" AND kind = ANY (${})", parameter())
        } else {
            String::new()
        };
        format!(
            "SELECT {columns} FROM recount.events
             WHERE true{conditions}{of_kinds} ORDER BY position{descending} LIMIT ${limit}"
        )
    }

    fn columns(self) -> &'static str {
        match (self.of_stream, self.detail) {
            (false, Detail::Payload) => "position, kind, recorded_at, payload",
            (false, Detail::Place) => "position, kind, recorded_at, payload, version, stream_id",
            (false, Detail::Full) => {
                "position, kind, recorded_at, payload, version, stream_id, event_id, metadata"
            }
            (true, Detail::Payload | Detail::Place) => {
                "position, kind, recorded_at, payload, version"
            }
            (true, Detail::Full) => {
                "position, kind, recorded_at, payload, version, event_id, metadata"
            }
        }
    }
}

/// The number of a kind as the server has it; there is none as great as the greatest.
fn stored(kind: i64) -> i32 {
    i32::try_from(kind).unwrap_or(i32::MAX)
}

impl Select {
    /// A statement without parameters.
    pub(super) fn of(sql: &str) -> Self {
        Self {
            sql: sql.into(),
            values: Vec::new(),
        }
    }

    pub(super) fn params(&self) -> impl ExactSizeIterator<Item = &(dyn ToSql + Sync)> {
        self.values.iter().map(|value| match value {
            Value::Stream(stream) => stream as &(dyn ToSql + Sync),
            Value::Number(number) => number,
            Value::Kind(kind) => kind,
            Value::Kinds(kinds) => kinds,
        })
    }
}
