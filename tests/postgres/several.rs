//! Several stores on one log, as several processes have them, while others pause, undo and end.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use recount::log::{AppendError, Batch, Expected, NewEvent, Position, Query};

use crate::server::Schema;
use crate::{event, stream};

/// Transactions by hand: each draws some positions, stays open for a while, and is committed or undone.
async fn open_and_undo(schema: &Schema, writing: Arc<AtomicUsize>, rounds: usize) {
    let client = schema.client().await;
    for round in 0..rounds {
        let draw = "BEGIN; INSERT INTO events SELECT FROM events WHERE false; SELECT nextval('positions') FROM generate_series(1, 3)";
        client.batch_execute(draw).await.unwrap();
        for _ in 0..round % 7 {
            client.batch_execute("SELECT 1").await.unwrap();
        }
        client
            .batch_execute(["COMMIT", "ROLLBACK"][round % 2])
            .await
            .unwrap();
    }
    writing.fetch_sub(1, Ordering::Release);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_reader_sees_every_event_once_in_the_order_of_its_stream() {
    const STORES: usize = 3;
    let Some(schema) = Schema::new().await else {
        return;
    };
    let writing = Arc::new(AtomicUsize::new(STORES * 4 + 1));
    let mut tasks = Vec::new();
    for number in 0..STORES {
        let store = recount::Store::new(schema.options().connections(3).open().await.unwrap());
        for writer in 0..4 {
            let (store, writing) = (store.clone(), Arc::clone(&writing));
            tasks.push(tokio::spawn(async move {
                for round in 0..60_usize {
                    let events = |count: usize| {
                        (0..count)
                            .map(|_| event("Counted"))
                            .collect::<Vec<NewEvent>>()
                    };
                    // Shared streams, in either order, so that the stores meet.
                    let (one, two) = (
                        format!("{}", (number + round) % 3),
                        format!("{}", (writer + round) % 3),
                    );
                    let batch = Batch::new()
                        .append(stream(&one), Expected::Any, events(1 + round % 5))
                        .append(stream(&two), Expected::Any, events(2));
                    store.append_batch(batch).await.unwrap();
                    // One that is refused beside them.
                    let refused = store
                        .append(&stream(&one), Expected::NoStream, events(1))
                        .await
                        .unwrap_err();
                    assert!(matches!(refused, AppendError::Conflict { .. }), "{refused}");
                }
                writing.fetch_sub(1, Ordering::Release);
                Vec::new()
            }));
        }
    }
    for size in [7, 1024] {
        let (store, writing) = (schema.open().await, Arc::clone(&writing));
        tasks.push(tokio::spawn(async move {
            let (mut last, mut read) = (Position::START, Vec::new());
            loop {
                let done = writing.load(Ordering::Acquire) == 0;
                let mut reader = store.read(Query::all().after(last).page_size(size));
                while let Some(page) = reader.next_page().await.unwrap() {
                    for record in page.iter() {
                        assert!(record.position() > last);
                        last = record.position();
                        read.push((record.stream().to_owned(), record.version().0, record.id()));
                    }
                }
                if done {
                    return read;
                }
            }
        }));
    }
    open_and_undo(&schema, Arc::clone(&writing), 200).await;
    let mut reads = Vec::new();
    for task in tasks {
        reads.push(task.await.unwrap());
    }
    let wanted = STORES * 4 * (0..60).map(|round| 1 + round % 5 + 2).sum::<usize>();
    for read in reads.iter().filter(|read| !read.is_empty()) {
        assert_eq!(read.len(), wanted);
        assert_eq!(
            read.iter()
                .map(|(_, _, id)| id)
                .collect::<HashSet<_>>()
                .len(),
            wanted
        );
        for id in ["0", "1", "2"] {
            let versions = read
                .iter()
                .filter(|(stream, ..)| stream == id)
                .map(|(_, version, _)| *version);
            assert!(
                versions.eq(1..=read.iter().filter(|(stream, ..)| stream == id).count() as u64)
            );
        }
    }
    assert_eq!(reads.iter().filter(|read| !read.is_empty()).count(), 2);
}
