//! Snapshots and checkpoints, as the backend keeps them.

use recount::log::TenantId;
use recount::prelude::*;
use recount::store::sqlite::SqliteOptions;
use recount::store::{
    Backend, Checkpoint, CheckpointError, MemoryBackend, ProjectionKey, StoredSnapshot,
};

use crate::stream;

const KEY: ProjectionKey<'static> = ProjectionKey {
    name: "totals",
    fingerprint: u64::MAX,
};

fn checkpoint(revision: u64, position: u64) -> Checkpoint {
    let state = Some(format!("[{position}]").into_bytes());
    Checkpoint {
        revision,
        position: Position(position),
        state,
    }
}

/// Writes a test for each backend.
macro_rules! every_backend {
    ($(async fn $name:ident($backend:ident: &dyn Backend) $body:block)*) => {$(
        mod $name {
            use super::*;
            async fn case($backend: &dyn Backend) $body
            #[tokio::test]
            async fn in_memory() {
                case(&MemoryBackend::new()).await;
            }
            #[tokio::test]
            async fn on_sqlite() {
                let folder = tempfile::tempdir().unwrap();
                case(&SqliteOptions::new(folder.path().join("log.db")).open().await.unwrap()).await;
            }
        }
    )*};
}

every_backend! {
    async fn a_checkpoint_is_saved_only_by_who_knows_its_last_revision(backend: &dyn Backend) {
        let acme = TenantId::new("acme").unwrap();
        for tenant in [None, Some(&acme)] {
            assert!(backend.checkpoint(tenant, KEY).await.unwrap().is_none());
            assert_eq!(backend.save_checkpoint(tenant, KEY, checkpoint(0, 5)).await.unwrap(), 1);
            let moved = backend.save_checkpoint(tenant, KEY, checkpoint(0, 6)).await.unwrap_err();
            assert!(matches!(moved, CheckpointError::Moved { expected: 0, actual: 1, .. }), "{moved}");
            assert_eq!(backend.save_checkpoint(tenant, KEY, checkpoint(1, 9)).await.unwrap(), 2);
            // A rebuild may stand at the same position, or at an earlier one, and is another revision all the same.
            assert_eq!(backend.save_checkpoint(tenant, KEY, checkpoint(2, 9)).await.unwrap(), 3);
            backend.save_checkpoint(tenant, KEY, checkpoint(2, 10)).await.unwrap_err();
            assert_eq!(backend.checkpoint(tenant, KEY).await.unwrap(), Some(checkpoint(3, 9)));
        }
        let globex = TenantId::new("globex").unwrap();
        assert!(backend.checkpoint(Some(&globex), KEY).await.unwrap().is_none());
    }

    async fn releases_of_a_projection_keep_their_checkpoints_side_by_side(backend: &dyn Backend) {
        let newer = ProjectionKey { fingerprint: 7, ..KEY };
        backend.save_checkpoint(None, KEY, checkpoint(0, 9)).await.unwrap();
        assert!(backend.checkpoint(None, newer).await.unwrap().is_none());
        backend.save_checkpoint(None, newer, checkpoint(0, 1)).await.unwrap();
        assert_eq!(backend.checkpoint(None, KEY).await.unwrap(), Some(checkpoint(1, 9)));
    }

    async fn a_snapshot_is_found_by_its_shape_and_never_replaced_by_an_older_one(backend: &dyn Backend) {
        let stream = stream("a");
        let snapshot = |version, fingerprint| StoredSnapshot { version: Version(version), fingerprint, state: b"{}".to_vec() };
        backend.save_snapshot(&stream, snapshot(10, u64::MAX)).await.unwrap();
        backend.save_snapshot(&stream, snapshot(5, u64::MAX)).await.unwrap();
        assert_eq!(backend.snapshot(&stream, u64::MAX).await.unwrap(), Some(snapshot(10, u64::MAX)));
        assert!(backend.snapshot(&stream, 1).await.unwrap().is_none());
        backend.save_snapshot(&stream, snapshot(20, u64::MAX)).await.unwrap();
        assert_eq!(backend.snapshot(&stream, u64::MAX).await.unwrap(), Some(snapshot(20, u64::MAX)));
        let acme = TenantId::new("acme").unwrap();
        assert_eq!(backend.delete_snapshots(Some(&acme), None).await.unwrap(), 0);
        assert_eq!(backend.delete_snapshots(None, Some("order")).await.unwrap(), 0);
        assert_eq!(backend.delete_snapshots(None, Some("account")).await.unwrap(), 1);
        assert!(backend.snapshot(&stream, u64::MAX).await.unwrap().is_none());
    }
}
