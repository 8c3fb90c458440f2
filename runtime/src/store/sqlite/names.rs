//! The numbers that stand for tenants, kinds and streams in the rows, as the writer remembers them.
//!
//! These tables only grow, so a number that was committed once is right for ever; after a rollback everything is forgotten.
//! How far a stream is, is right until somebody else writes to the file.

use hashbrown::{Equivalent, HashMap};
use rusqlite::{Connection, OptionalExtension, params};

use crate::log::{StreamId, TenantId};

/// The number for "no tenant".
pub(super) const NO_TENANT: i64 = 0;

#[derive(Debug, Default)]
pub(super) struct Names {
    tenants: HashMap<TenantId, i64>,
    kinds: HashMap<Kind, i64>,
    /// The number and the last version of streams that were written lately.
    streams: HashMap<StreamId, (i64, i64)>,
    /// What SQLite calls the state of the file that others left it in.
    data_version: i64,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Kind {
    tenant: i64,
    category: Box<str>,
    name: Box<str>,
    schema_version: u32,
}

/// The same, of an event; its hash must be the same, too.
#[derive(Debug, Hash)]
struct KindOf<'a> {
    tenant: i64,
    category: &'a str,
    name: &'a str,
    schema_version: u32,
}

impl Equivalent<Kind> for KindOf<'_> {
    fn equivalent(&self, kind: &Kind) -> bool {
        self.tenant == kind.tenant
            && self.schema_version == kind.schema_version
            && *self.name == *kind.name
            && *self.category == *kind.category
    }
}

/// The most streams that are remembered.
const STREAMS: usize = 10_000;

impl Names {
    pub(super) fn clear(&mut self) {
        self.tenants.clear();
        self.kinds.clear();
        self.streams.clear();
    }

    /// Forgets how far streams are if another connection has written; asked within each transaction.
    pub(super) fn refresh(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let now: i64 = connection
            .prepare_cached("PRAGMA data_version")?
            .query_row([], |row| row.get(0))?;
        if now != self.data_version {
            self.data_version = now;
            self.streams.clear();
        }
        Ok(())
    }

    /// The number and the last version of a stream, if it was written lately.
    pub(super) fn stream(&self, stream: &StreamId) -> Option<(i64, i64)> {
        self.streams.get(stream).copied()
    }

    /// Remembers how far a stream is.
    pub(super) fn set_stream(&mut self, stream: &StreamId, number: i64, version: i64) {
        if let Some(known) = self.streams.get_mut(stream) {
            *known = (number, version);
            return;
        }
        if self.streams.len() >= STREAMS {
            self.streams.clear();
        }
        self.streams.insert(stream.clone(), (number, version));
    }

    /// The tenant's number; `None` when it was never used.
    pub(super) fn tenant(
        &mut self,
        connection: &Connection,
        tenant: Option<&TenantId>,
    ) -> rusqlite::Result<Option<i64>> {
        let Some(tenant) = tenant else {
            return Ok(Some(NO_TENANT));
        };
        if let Some(number) = self.tenants.get(tenant) {
            return Ok(Some(*number));
        }
        let number = connection
            .prepare_cached("SELECT tenant FROM tenants WHERE name = ?1")?
            .query_row([tenant.as_str()], |row| row.get(0))
            .optional()?;
        if let Some(number) = number {
            self.tenants.insert(tenant.clone(), number);
        }
        Ok(number)
    }

    /// The tenant's number, a new one if need be; also whether it is new.
    pub(super) fn use_tenant(
        &mut self,
        connection: &Connection,
        tenant: Option<&TenantId>,
    ) -> rusqlite::Result<(i64, bool)> {
        match (self.tenant(connection, tenant)?, tenant) {
            (Some(number), _) => Ok((number, false)),
            (None, None) => Ok((NO_TENANT, false)),
            (None, Some(tenant)) => {
                let number = connection
                    .prepare_cached("INSERT OR FAIL INTO tenants (name) VALUES (?1)")?
                    .insert([tenant.as_str()])?;
                self.tenants.insert(tenant.clone(), number);
                Ok((number, true))
            }
        }
    }

    /// The number of a kind, a new one if need be; also whether it is new.
    pub(super) fn use_kind(
        &mut self,
        connection: &Connection,
        tenant: i64,
        stream: &StreamId,
        name: &str,
        schema_version: u32,
    ) -> rusqlite::Result<(i64, bool)> {
        let category = stream.category().as_str();
        let kind = KindOf {
            tenant,
            category,
            name,
            schema_version,
        };
        if let Some(kind) = self.kinds.get(&kind) {
            return Ok((*kind, false));
        }
        let known = connection
            .prepare_cached(
                "SELECT kind FROM kinds
                 WHERE tenant = ?1 AND category = ?2 AND name = ?3 AND schema_version = ?4",
            )?
            .query_row(params![tenant, category, name, schema_version], |row| {
                row.get(0)
            })
            .optional()?;
        let number = match known {
            Some(kind) => kind,
            None => connection
                .prepare_cached(
                    "INSERT OR FAIL INTO kinds (tenant, category, name, schema_version)
                     VALUES (?1, ?2, ?3, ?4)",
                )?
                .insert(params![tenant, category, name, schema_version])?,
        };
        let kind = Kind {
            tenant,
            category: category.into(),
            name: name.into(),
            schema_version,
        };
        self.kinds.insert(kind, number);
        Ok((number, known.is_none()))
    }
}
