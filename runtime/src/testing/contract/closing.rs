//! What a store that was closed answers.

use super::checkpoints::{KEY, checkpoint};
use super::snapshots::{SHAPE, snapshot};
use super::{events, stream};
use crate::log::{AppendError, Batch, Expected, Query, ReadError};
use crate::store::CheckpointError;

cases! {
    closing as __store_contract_closing;

    async fn a_closed_store_answers_each_call_with_an_error(store: Store) {
        store.append(&stream("a"), Expected::NoStream, events(3)).await.unwrap();
        let mut reader = store.read(Query::all().page_size(1));
        reader.next_page().await.unwrap();
        store.clone().close().await.unwrap();

        for batch in [Batch::new().append(stream("a"), Expected::Any, events(1)), Batch::new().check(stream("a"), Expected::Any)] {
            let refused = store.append_batch(batch).await.unwrap_err();
            assert!(matches!(refused, AppendError::Unavailable { .. }), "{refused}");
        }
        reader.next_page().await.unwrap_err();
        for query in [Query::all(), Query::stream(&stream("a")), Query::all().category("account").backwards()] {
            let refused = store.read(query).next_page().await.map(|_| ()).unwrap_err();
            assert!(matches!(refused, ReadError::Unavailable { .. }), "{refused}");
        }
        store.version(&stream("a")).await.unwrap_err();
        store.head().await.unwrap_err();
        store.stats().await.unwrap_err();
        store.delete_snapshots(None).await.unwrap_err();
        let (backend, a) = (store.backend(), store.bind(&stream("a")).unwrap());
        backend.snapshot(&a, SHAPE).await.unwrap_err();
        backend.save_snapshot(&a, snapshot(1, SHAPE)).await.unwrap_err();
        backend.checkpoint(store.tenant(), KEY).await.unwrap_err();
        let refused = backend.save_checkpoint(store.tenant(), KEY, checkpoint(0, 1)).await.unwrap_err();
        assert!(matches!(refused, CheckpointError::Store(_)), "{refused}");
    }

    async fn a_store_may_be_closed_again(store: Store) {
        store.append(&stream("a"), Expected::NoStream, events(1)).await.unwrap();
        store.clone().close().await.unwrap();
        store.close().await.unwrap();
    }

    async fn what_is_under_way_when_a_store_is_closed_ends_and_is_told_the_truth(store: Store) {
        let appends: Vec<_> = (0..40).map(|number: usize| {
            let store = store.clone();
            tokio::spawn(async move { store.append(&stream(&format!("{}", number % 4)), Expected::Any, events(3)).await })
        }).collect();
        let read = tokio::spawn(store.read(Query::all().page_size(1)).collect());
        store.clone().close().await.unwrap();
        let mut versions = Vec::new();
        for append in appends {
            match append.await.unwrap() {
                Ok(appended) => versions.push((appended.streams[0].stream.clone(), appended.version())),
                Err(AppendError::Unavailable { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        // No two were told that they wrote the same.
        let acknowledged = versions.len();
        versions.sort();
        versions.dedup();
        assert_eq!(versions.len(), acknowledged);
        drop(read.await.unwrap());
        store.head().await.unwrap_err();
    }
}
