//! The kinds of events that there are, as the readers remember them.

use std::sync::Arc;

use rusqlite::Connection;

use crate::log::{Category, Kind, Query, TenantId};

/// All kinds up to the newest one that was there. Kinds are never changed or deleted, so the newest one's number tells
/// whether this is still all there is.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    /// The kind with number *n* at index *n*; numbers begin at 1 and have no gaps.
    by_number: Vec<Option<Arc<Kind>>>,
    newest: i64,
    count: usize,
}

/// The highest number that is believed: SQLite counts, so a higher one is damage.
const MOST: usize = 1 << 20;

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
            kinds.newest = row.get(0)?;
            kinds.count += 1;
            let Some(number) = usize::try_from(kinds.newest).ok().filter(|n| *n <= MOST) else {
                continue;
            };
            kinds.by_number.resize(number + 1, None);
            // A damaged one is left out, and each of its events is reported.
            if let Some(slot) = kinds.by_number.last_mut() {
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
        let these: Vec<i64> = (0_i64..)
            .zip(&self.by_number)
            .filter_map(|(number, kind)| fits(kind.as_ref()?).then_some(number))
            .collect();
        if these.len() == self.count && !these.is_empty() {
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
