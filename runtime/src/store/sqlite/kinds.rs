//! The kinds of events that there are, as the readers remember them.

use std::sync::Arc;

use rusqlite::Connection;

use crate::log::{Category, Kind, Query, TenantId};

/// All kinds up to the newest one that was there. Kinds are never changed or deleted, so the newest one's number tells
/// whether this is still all there is.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    /// At the place of its number: SQLite counts them from 1.
    by_number: Vec<Option<Arc<Kind>>>,
    /// In the order of their numbers, so that a query's text is the same each time.
    numbers: Vec<i64>,
    newest: i64,
}

/// The highest number that is believed: SQLite counts, so a higher one is damage.
const MOST: usize = 1 << 24;

/// The kinds that a query can meet.
#[derive(Debug)]
pub(super) enum Chosen {
    /// The query does not ask.
    Any,
    /// It asks, and all that there are fit.
    All,
    /// These.
    These(Vec<i64>),
}

impl Kinds {
    /// Reads all kinds.
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut kinds = Self::default();
        let mut statement = connection.prepare_cached(
            "SELECT k.kind, k.tenant, t.name, k.category, k.name, k.schema_version
             FROM kinds AS k LEFT JOIN tenants AS t ON t.tenant = k.tenant ORDER BY k.kind",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let number: i64 = row.get(0)?;
            kinds.newest = number;
            kinds.numbers.push(number);
            // A damaged one is left out, and each of its events is reported.
            let place = usize::try_from(number).unwrap_or(usize::MAX);
            if place > MOST {
                continue;
            }
            if kinds.by_number.len() <= place {
                kinds.by_number.resize(place + 1, None);
            }
            if let Some(slot) = kinds.by_number.get_mut(place) {
                *slot = read(row).map(Arc::new);
            }
        }
        Ok(kinds)
    }

    /// Whether these are still all kinds.
    pub(super) fn are_all(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let newest: Option<i64> = connection
            .prepare_cached("SELECT max(kind) FROM kinds")?
            .query_row([], |row| row.get(0))?;
        Ok(newest.unwrap_or(0) == self.newest)
    }

    pub(super) fn get(&self, number: i64) -> Option<&Arc<Kind>> {
        self.by_number.get(usize::try_from(number).ok()?)?.as_ref()
    }

    pub(super) fn choose(&self, query: &Query) -> Chosen {
        if query.tenant.is_none() && query.selectors.is_empty() {
            return Chosen::Any;
        }
        // A stream has one tenant, whose kinds need no second look.
        if query.stream.is_some() && query.selectors.is_empty() {
            return Chosen::Any;
        }
        let fits = |kind: &Kind| {
            (query.tenant.is_none() || query.tenant == kind.tenant)
                && (query.selectors.is_empty()
                    || query
                        .selectors
                        .iter()
                        .any(|selector| selector.fits(kind.category.as_str(), &kind.name)))
        };
        let these: Vec<i64> = self
            .numbers
            .iter()
            .copied()
            .filter(|number| self.get(*number).is_some_and(|kind| fits(kind)))
            .collect();
        if these.len() == self.numbers.len() && !these.is_empty() {
            Chosen::All
        } else {
            Chosen::These(these)
        }
    }
}

fn read(row: &rusqlite::Row<'_>) -> Option<Kind> {
    let tenant: i64 = row.get(1).ok()?;
    let tenant = if tenant == super::names::NO_TENANT {
        None
    } else {
        Some(TenantId::new(row.get::<_, String>(2).ok()?).ok()?)
    };
    Some(Kind {
        tenant,
        category: Category::new(row.get::<_, String>(3).ok()?).ok()?,
        name: row.get::<_, String>(4).ok()?.into(),
        schema_version: row.get(5).ok()?,
    })
}
