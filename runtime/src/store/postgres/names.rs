//! The numbers that stand for tenants and kinds in the rows.
//!
//! They are made in transactions of their own, before the rows that use them, and only what was committed is remembered. These
//! tables only grow, so a number stays right, whoever else makes new ones. Only another server behind the same address, as after a
//! failover that lost some, could mean something else by it; so everything is forgotten when a connection is made.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::connection::Connection;
use super::error::Cause;
use super::server::Server;
use super::sql::Sql;
use crate::log::{Batch, NewEvent, StreamId, TenantId};

/// The number for "no tenant".
pub(super) const NO_TENANT: i32 = 0;

#[derive(Debug, Default)]
pub(super) struct Names(Mutex<Known>);

#[derive(Debug, Default)]
pub(super) struct Known {
    tenants: HashMap<TenantId, i32>,
    /// By tenant's number, schema version, category and name, with NUL between the names, which cannot hold it.
    kinds: HashMap<Box<[u8]>, i32>,
    connections: u64,
}

impl Known {
    /// The tenant's number, if it has one that is known.
    pub(super) fn tenant(&self, tenant: Option<&TenantId>) -> Option<i32> {
        match tenant {
            None => Some(NO_TENANT),
            Some(tenant) => self.tenants.get(tenant).copied(),
        }
    }

    /// The kind's number, if it has one that is known.
    pub(super) fn kind(
        &self,
        key: &mut Vec<u8>,
        tenant: i32,
        stream: &StreamId,
        event: &NewEvent,
    ) -> Option<i32> {
        write_key(key, tenant, stream, event);
        self.kinds.get(key.as_slice()).copied()
    }
}

fn write_key(key: &mut Vec<u8>, tenant: i32, stream: &StreamId, event: &NewEvent) {
    let category = stream.category().as_str();
    key.clear();
    key.reserve(9 + category.len() + event.name.len());
    key.extend_from_slice(&tenant.to_be_bytes());
    key.extend_from_slice(&event.schema_version.to_be_bytes());
    key.extend_from_slice(category.as_bytes());
    key.push(0);
    key.extend_from_slice(event.name.as_bytes());
}

impl Names {
    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection was made: what others told may not be true of the server behind it.
    pub(super) fn forget(&self) {
        let mut known = self.known();
        let connections = known.connections + 1;
        *known = Known {
            connections,
            ..Known::default()
        };
    }

    /// Remembers what was told since there were so many connections, unless one was made in the meantime.
    fn remember(&self, connections: u64, told: impl FnOnce(&mut Known)) {
        let mut known = self.known();
        if known.connections == connections {
            told(&mut known);
        }
    }

    /// Gets a number for each tenant and kind of some batches that none is known for; not within a transaction of the caller's,
    /// which may be undone.
    pub(super) async fn learn(
        &self,
        batches: &[&Batch],
        connection: &Connection<'_>,
        server: &Server,
    ) -> Result<(), Cause> {
        if connection.is_callers() {
            let lease = server.lease().await?;
            return Ok(self.get(batches, &lease, &server.sql).await?);
        }
        Ok(self.get(batches, connection, &server.sql).await?)
    }

    async fn get(
        &self,
        batches: &[&Batch],
        connection: &Connection<'_>,
        sql: &Sql,
    ) -> Result<(), tokio_postgres::Error> {
        let mut tenants = HashMap::new();
        for (stream, _) in batches.iter().flat_map(|batch| batch.events()) {
            if let Entry::Vacant(tenant) = tenants.entry(stream.tenant()) {
                tenant.insert(self.use_tenant(stream.tenant(), connection, sql).await?);
            }
        }
        self.use_kinds(batches, &tenants, connection, sql).await
    }

    /// The tenant's number, if it was ever used.
    pub(super) async fn find_tenant(
        &self,
        tenant: Option<&TenantId>,
        connection: &Connection<'_>,
        sql: &Sql,
    ) -> Result<Option<i32>, tokio_postgres::Error> {
        if let Some(number) = self.known().tenant(tenant) {
            return Ok(Some(number));
        }
        let Some(tenant) = tenant else {
            return Ok(Some(NO_TENANT));
        };
        let connections = self.known().connections;
        let row = connection
            .query_opt(&sql.find_tenant, &[&tenant.as_str()])
            .await?;
        let number = row.map(|row| row.try_get(0)).transpose()?;
        // A transaction of the caller's may have made it, and be undone.
        if let Some(number) = number.filter(|_| !connection.is_callers()) {
            self.remember(connections, |known| {
                known.tenants.insert(tenant.clone(), number);
            });
        }
        Ok(number)
    }

    /// The tenant's number, a new one if need be.
    pub(super) async fn use_tenant(
        &self,
        tenant: Option<&TenantId>,
        connection: &Connection<'_>,
        sql: &Sql,
    ) -> Result<i32, tokio_postgres::Error> {
        loop {
            if let Some(number) = self.find_tenant(tenant, connection, sql).await? {
                return Ok(number);
            }
            let name = tenant.map(TenantId::as_str);
            connection.execute(&sql.add_tenant, &[&name]).await?;
        }
    }

    async fn use_kinds(
        &self,
        batches: &[&Batch],
        numbers: &HashMap<Option<&TenantId>, i32>,
        connection: &Connection<'_>,
        sql: &Sql,
    ) -> Result<(), tokio_postgres::Error> {
        let (mut keys, mut tenants) = (Vec::<Box<[u8]>>::new(), Vec::new());
        let (mut categories, mut names, mut versions) = (Vec::new(), Vec::new(), Vec::new());
        let connections = {
            let (known, mut key, mut seen) = (self.known(), Vec::new(), HashSet::new());
            for (stream, event) in batches.iter().flat_map(|batch| batch.events()) {
                let Some(&tenant) = numbers.get(&stream.tenant()) else {
                    continue;
                };
                if known.kind(&mut key, tenant, stream, event).is_none() && seen.insert(key.clone())
                {
                    keys.push(key.as_slice().into());
                    tenants.push(tenant);
                    categories.push(stream.category().as_str());
                    names.push(&*event.name);
                    versions.push(i64::from(event.schema_version));
                }
            }
            known.connections
        };
        if keys.is_empty() {
            return Ok(());
        }
        let numbers: Vec<i32> = connection
            .query_one(&sql.use_kinds, &[&tenants, &categories, &names, &versions])
            .await?
            .try_get(0)?;
        self.remember(connections, |known| {
            known.kinds.extend(keys.into_iter().zip(numbers));
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_whose_parts_run_together_to_the_same_text_have_keys_of_their_own() {
        let kinds = [
            (0, "ab", "c", 1),
            (0, "a", "bc", 1),
            (0, "a", "bc", 256),
            (1, "a", "bc", 0),
            (256, "a", "bc", 1),
        ];
        let mut keys = HashSet::new();
        for (tenant, category, name, schema_version) in kinds {
            let stream = StreamId::new(category, "1").unwrap();
            let mut event = NewEvent::json(name, 1, &()).unwrap();
            event.schema_version = schema_version;
            let mut key = b"of another".to_vec();
            write_key(&mut key, tenant, &stream, &event);
            assert!(
                keys.insert(key),
                "{tenant} {category} {name} {schema_version}"
            );
        }
    }
}
