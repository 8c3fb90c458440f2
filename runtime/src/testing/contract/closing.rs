//! What a store that was closed answers.

use super::checkpoints::{KEY, checkpoint};
use super::snapshots::{SHAPE, snapshot};
use super::verdict::{Answer, otherwise, same};
use super::{events, joined, stream};
use crate::log::{AppendError, Batch, Expected, Query, ReadError};
use crate::store::{CheckpointError, Effects};

const CLOSED: &str = "the store is closed";

/// Whether a closed store refused a read as it should.
#[track_caller]
fn unreadable<T: std::fmt::Debug>(answer: Result<T, ReadError>) {
    match answer.fails(CLOSED) {
        ReadError::Unavailable { .. } => {}
        error => otherwise("`Unavailable`", CLOSED, &error),
    }
}

cases! {
    closing as __store_contract_closing;

    async fn a_closed_store_answers_each_call_with_an_error(store: Store) {
        store.append(&stream("a"), Expected::NoStream, events(3)).await.succeeds();
        let mut reader = store.read(Query::all().page_size(1));
        reader.next_page().await.succeeds();
        store.clone().close().await.succeeds();

        for batch in [Batch::new().append(stream("a"), Expected::Any, events(1)), Batch::new().check(stream("a"), Expected::Any)] {
            match store.append_batch(batch).await.fails(CLOSED) {
                AppendError::Unavailable { .. } => {}
                error => otherwise("`Unavailable`", CLOSED, &error),
            }
        }
        unreadable(reader.next_page().await);
        for query in [Query::all(), Query::stream(&stream("a")), Query::all().category("account").backwards()] {
            unreadable(store.read(query).next_page().await);
        }
        unreadable(store.version(&stream("a")).await);
        unreadable(store.head().await);
        store.stats().await.fails(CLOSED);
        store.delete_snapshots(None).await.fails(CLOSED);
        let (backend, a) = (store.backend(), store.bind(&stream("a")).unwrap());
        backend.snapshot(&a, SHAPE).await.fails(CLOSED);
        backend.save_snapshot(&a, snapshot(1, SHAPE)).await.fails(CLOSED);
        backend.checkpoint(store.tenant(), KEY).await.fails(CLOSED);
        match backend.save_checkpoint(store.tenant(), KEY, checkpoint(0, 1), Effects::default()).await.fails(CLOSED) {
            CheckpointError::Store(_) => {}
            error => otherwise("`Store`", CLOSED, &error),
        }
    }

    async fn a_store_may_be_closed_again(store: Store) {
        store.append(&stream("a"), Expected::NoStream, events(1)).await.succeeds();
        store.clone().close().await.succeeds();
        store.close().await.succeeds();
    }

    async fn what_is_under_way_when_a_store_is_closed_ends_and_is_told_the_truth(store: Store) {
        let appends: Vec<_> = (0..40).map(|number: usize| {
            let store = store.clone();
            tokio::spawn(async move { store.append(&stream(&format!("{}", number % 4)), Expected::Any, events(3)).await })
        }).collect();
        let read = tokio::spawn(store.read(Query::all().page_size(1)).collect());
        store.clone().close().await.succeeds();
        let mut versions = Vec::new();
        for append in appends {
            match joined(append).await {
                Ok(appended) => versions.push((appended.streams[0].stream.clone(), appended.version())),
                Err(AppendError::Unavailable { .. }) => {}
                Err(error) => otherwise("`Unavailable`", CLOSED, &error),
            }
        }
        let acknowledged = versions.len();
        versions.sort();
        versions.dedup();
        same("no two appends are told that they wrote the same version", versions.len(), acknowledged);
        // It may have been read in time.
        drop(joined(read).await);
        unreadable(store.head().await);
    }
}
