//! Snapshots, checkpoints and counts.

use super::call::stream_key;
use super::connection::Connection;
use super::error::{Cause, unusable};
use super::server::Server;
use crate::log::{Position, Stats, StreamId, TenantId, Version};
use crate::store::{Checkpoint, CheckpointError, ProjectionKey, StoredSnapshot};

/// A number above what the server can hold stands for the greatest; none is ever reached.
pub(super) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn loaded(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

impl Server {
    pub(super) async fn snapshot(
        &self,
        connection: &Connection<'_>,
        stream: &StreamId,
        fingerprint: u64,
    ) -> Result<Option<StoredSnapshot>, Cause> {
        let key = (stream_key(stream), fingerprint.cast_signed());
        let row = connection
            .query_opt(&self.sql.snapshot, &[&key.0, &key.1])
            .await?;
        row.map(|row| {
            Ok(StoredSnapshot {
                version: Version(loaded(row.try_get(0)?)),
                fingerprint,
                state: row.try_get(1)?,
            })
        })
        .transpose()
    }

    pub(super) async fn save_snapshot(
        &self,
        connection: &Connection<'_>,
        stream: &StreamId,
        snapshot: StoredSnapshot,
    ) -> Result<(), Cause> {
        let names = &self.names;
        let tenant = names
            .use_tenant(stream.tenant(), connection, &self.sql)
            .await?;
        connection
            .execute(
                &self.sql.save_snapshot,
                &[
                    &stream_key(stream),
                    &tenant,
                    &stream.category().as_str(),
                    &stream.id(),
                    &stored(snapshot.version.0),
                    &snapshot.fingerprint.cast_signed(),
                    &snapshot.state,
                ],
            )
            .await?;
        Ok(())
    }

    pub(super) async fn delete_snapshots(
        &self,
        connection: &Connection<'_>,
        tenant: Option<&TenantId>,
        category: Option<&str>,
    ) -> Result<u64, Cause> {
        let number = match tenant {
            None => None,
            tenant => {
                match self
                    .names
                    .find_tenant(tenant, connection, &self.sql)
                    .await?
                {
                    None => return Ok(0),
                    number => number,
                }
            }
        };
        Ok(connection
            .execute(&self.sql.delete_snapshots, &[&number, &category])
            .await?)
    }

    pub(super) async fn checkpoint(
        &self,
        connection: &Connection<'_>,
        tenant: Option<&TenantId>,
        projection: ProjectionKey<'_>,
    ) -> Result<Option<Checkpoint>, Cause> {
        let names = &self.names;
        let Some(tenant) = names.find_tenant(tenant, connection, &self.sql).await? else {
            return Ok(None);
        };
        let fingerprint = projection.fingerprint.cast_signed();
        let row = connection
            .query_opt(
                &self.sql.checkpoint,
                &[&tenant, &projection.name, &fingerprint],
            )
            .await?;
        row.map(|row| {
            Ok(Checkpoint {
                revision: loaded(row.try_get(0)?),
                position: Position(loaded(row.try_get(1)?)),
                state: row.try_get(2)?,
            })
        })
        .transpose()
    }

    pub(super) async fn save_checkpoint(
        &self,
        connection: &Connection<'_>,
        tenant: Option<&TenantId>,
        projection: ProjectionKey<'_>,
        checkpoint: Checkpoint,
    ) -> Result<u64, CheckpointError> {
        let expected = checkpoint.revision;
        match self
            .try_checkpoint(connection, tenant, projection, checkpoint)
            .await
        {
            Ok(true) => Ok(expected + 1),
            Ok(false) => {
                let kept = self.checkpoint(connection, tenant, projection).await;
                let kept = kept.map_err(|cause| unusable(&self.url, cause))?;
                Err(CheckpointError::Moved {
                    projection: projection.to_string(),
                    expected,
                    actual: kept.map_or(0, |kept| kept.revision),
                })
            }
            Err(cause) => Err(unusable(&self.url, cause).into()),
        }
    }

    /// The tenant's number, a new one if need be; that is not made within a transaction of the caller's, which may be undone.
    pub(super) async fn use_tenant(
        &self,
        tenant: Option<&TenantId>,
        connection: &Connection<'_>,
    ) -> Result<i32, Cause> {
        let names = &self.names;
        if connection.is_callers() {
            let connection = self.lease().await?;
            return Ok(names.use_tenant(tenant, &connection, &self.sql).await?);
        }
        Ok(names.use_tenant(tenant, connection, &self.sql).await?)
    }

    /// Saves it, unless the kept one has another revision.
    async fn try_checkpoint(
        &self,
        connection: &Connection<'_>,
        tenant: Option<&TenantId>,
        projection: ProjectionKey<'_>,
        checkpoint: Checkpoint,
    ) -> Result<bool, Cause> {
        let names = &self.names;
        let (sql, tenant) = if checkpoint.revision == 0 {
            (
                &self.sql.first_checkpoint,
                self.use_tenant(tenant, connection).await?,
            )
        } else {
            match names.find_tenant(tenant, connection, &self.sql).await? {
                Some(tenant) => (&self.sql.next_checkpoint, tenant),
                None => return Ok(false),
            }
        };
        let saved = connection
            .execute(
                sql,
                &[
                    &tenant,
                    &projection.name,
                    &projection.fingerprint.cast_signed(),
                    &stored(checkpoint.revision),
                    &stored(checkpoint.position.0),
                    &checkpoint.state,
                ],
            )
            .await?;
        Ok(saved > 0)
    }

    /// 0 when the stream has no events.
    pub(super) async fn version(
        &self,
        connection: &Connection<'_>,
        stream: &StreamId,
    ) -> Result<Version, Cause> {
        let row = connection
            .query_opt(&self.sql.version, &[&stream_key(stream)])
            .await?;
        let version = row.map(|row| row.try_get(0)).transpose()?;
        Ok(Version(version.map_or(0, loaded)))
    }

    pub(super) async fn head(
        &self,
        connection: &Connection<'_>,
        tenant: Option<&TenantId>,
    ) -> Result<Position, Cause> {
        let tenant = tenant.map(TenantId::as_str);
        let row = connection.query_one(&self.sql.head, &[&tenant]).await?;
        let head: Option<i64> = row.try_get(0)?;
        Ok(Position(head.map_or(0, loaded)))
    }

    pub(super) async fn stats(
        &self,
        connection: &Connection<'_>,
        tenant: Option<&TenantId>,
    ) -> Result<Stats, Cause> {
        let name = tenant.map(TenantId::as_str);
        let mut stats = Stats::default();
        for row in connection.query(&self.sql.stats, &[&name]).await? {
            let number = loaded(row.try_get(1)?);
            match row.try_get::<_, Option<String>>(0)? {
                None => stats.streams = number,
                Some(name) if number > 0 => {
                    stats.events += number;
                    *stats.events_by_name.entry(name).or_default() += number;
                }
                Some(_) => {}
            }
        }
        if tenant.is_none() {
            let row = connection
                .query_one(&self.sql.bytes, &[&self.sql.schema])
                .await?;
            stats.bytes = row.try_get::<_, Option<i64>>(0)?.map(loaded);
        }
        Ok(stats)
    }
}
