//! A backend that forwards to another, so that a test can call it beside the store that owns it.

use std::sync::Arc;
use std::time::Duration;

use recount::Position;
use recount::log::{
    AppendError, Appended, Batch, Page, Query, ReadError, Stats, StreamId, TenantId, Version,
};
use recount::store::{
    Backend, BoxFuture, Checkpoint, CheckpointError, DeadLetter, Effects, Lease, ProjectionKey,
    StoreError, StoredSnapshot, Wakes,
};
use uuid::Uuid;

#[derive(Debug, Clone)]
pub struct Shared(pub Arc<dyn Backend>);

impl Backend for Shared {
    fn url(&self) -> &str {
        self.0.url()
    }

    fn append(&self, batch: Batch) -> BoxFuture<'_, Result<Appended, AppendError>> {
        self.0.append(batch)
    }

    fn read<'a>(
        &'a self,
        query: &'a Query,
        page: &'a mut Page,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        self.0.read(query, page)
    }

    fn version<'a>(&'a self, stream: &'a StreamId) -> BoxFuture<'a, Result<Version, ReadError>> {
        self.0.version(stream)
    }

    fn head<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
    ) -> BoxFuture<'a, Result<Position, ReadError>> {
        self.0.head(tenant)
    }

    fn stats<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
    ) -> BoxFuture<'a, Result<Stats, StoreError>> {
        self.0.stats(tenant)
    }

    fn snapshot<'a>(
        &'a self,
        stream: &'a StreamId,
        fingerprint: u64,
    ) -> BoxFuture<'a, Result<Option<StoredSnapshot>, StoreError>> {
        self.0.snapshot(stream, fingerprint)
    }

    fn save_snapshot<'a>(
        &'a self,
        stream: &'a StreamId,
        snapshot: StoredSnapshot,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.0.save_snapshot(stream, snapshot)
    }

    fn delete_snapshots<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        category: Option<&'a str>,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        self.0.delete_snapshots(tenant, category)
    }

    fn checkpoint<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: ProjectionKey<'a>,
    ) -> BoxFuture<'a, Result<Option<Checkpoint>, StoreError>> {
        self.0.checkpoint(tenant, projection)
    }

    fn save_checkpoint<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: ProjectionKey<'a>,
        checkpoint: Checkpoint,
        effects: Effects,
    ) -> BoxFuture<'a, Result<u64, CheckpointError>> {
        self.0
            .save_checkpoint(tenant, projection, checkpoint, effects)
    }

    fn lease<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: ProjectionKey<'a>,
        holder: Uuid,
        time: Duration,
    ) -> BoxFuture<'a, Result<Lease, StoreError>> {
        self.0.lease(tenant, projection, holder, time)
    }

    fn dead_letters<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
        projection: &'a str,
    ) -> BoxFuture<'a, Result<Vec<DeadLetter>, StoreError>> {
        self.0.dead_letters(tenant, projection)
    }

    fn wakes(&self) -> &Wakes {
        self.0.wakes()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.0.close()
    }
}
