//! Streams that many read at the same moment, on connections that they share.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures_util::future;
use recount::Store;
use recount::log::{Expected, NewEvent, Query, ReadError};
use tokio::time::{sleep, timeout};

use crate::server::Schema;
use crate::{run, stream};

/// One of four connections is shared, and one is had alone.
async fn opened(schema: &Schema) -> Store {
    let store = Store::new(schema.options().connections(4).open().await.unwrap());
    fill(&store, "long", 4000, 2000).await;
    fill(&store, "short", 3, 10).await;
    // All are there, with what is prepared on them.
    for _ in 0..3 {
        for read in future::join_all((0..8).map(|_| read(&store, "short"))).await {
            read.unwrap();
        }
    }
    store
}

/// Appends events that say whose they are.
async fn fill(store: &Store, id: &str, count: u64, length: usize) {
    let payload = format!("{id} {}", "x".repeat(length));
    let events = (0..count).map(|_| NewEvent::json("Noted", 1, &payload).unwrap());
    store
        .append(&stream(id), Expected::NoStream, events.collect::<Vec<_>>())
        .await
        .unwrap();
}

async fn read(store: &Store, id: &str) -> Result<Vec<(u64, String)>, ReadError> {
    let events = store.read(Query::stream(&stream(id))).collect().await?;
    let of = |payload: &[u8]| {
        let text: String = serde_json::from_slice(payload).unwrap();
        text.split(' ').next().unwrap().to_owned()
    };
    Ok(events
        .iter()
        .map(|event| (event.version.0, of(&event.payload)))
        .collect())
}

/// Gives the number of events.
type Reading = Pin<Box<dyn Future<Output = usize> + Send>>;

/// Somebody who has begun to read and does not go on, though the server has answered.
async fn begun(store: &Store, id: &'static str) -> Reading {
    let store = store.clone();
    let mut reading: Reading = Box::pin(async move {
        let mut reader = store.read(Query::stream(&stream(id)));
        reader.next_page().await.unwrap().unwrap().len()
    });
    assert_eq!(future::poll_immediate(&mut reading).await, None);
    sleep(Duration::from_millis(100)).await;
    reading
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_many_readers_gets_its_own_stream() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let store = opened(&schema).await;
    for number in 0..20_u64 {
        fill(&store, &format!("s{number}"), 1 + number * 3, 10).await;
    }
    let readers = (0..64_u64).map(|reader| {
        let store = store.clone();
        tokio::spawn(async move {
            for round in 0..20 {
                let number = (reader * 7 + round) % 20;
                let id = format!("s{number}");
                let all: Vec<_> = (1..=1 + number * 3)
                    .map(|version| (version, id.clone()))
                    .collect();
                assert_eq!(read(&store, &id).await.unwrap(), all);
            }
        })
    });
    for reader in future::join_all(readers).await {
        reader.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_begins_to_read_and_does_not_go_on_holds_up_nobody() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let store = opened(&schema).await;
    let (alone, sharing) = (begun(&store, "long").await, begun(&store, "long").await);
    let others = future::join_all((0..8).map(|_| read(&store, "short")));
    for read in timeout(Duration::from_secs(20), others).await.unwrap() {
        assert_eq!(read.unwrap().len(), 3);
    }
    // They have lost nothing by it.
    let (one, other) = (alone.await, sharing.await);
    assert!(one > 1000 && other > 1000);
    let whole = read(&store, "long").await.unwrap();
    assert_eq!(whole.len(), 4000);
    assert!(
        whole
            .iter()
            .zip(1..)
            .all(|((version, _), at)| *version == at)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_joins_those_whose_connection_broke() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let store = opened(&schema).await;
    let (_alone, _sharing) = (begun(&store, "long").await, begun(&store, "long").await);
    let end = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%{}%' AND pid <> pg_backend_pid()",
        schema.name
    );
    run(&schema.client().await, &end).await;
    for _ in 0..10 {
        assert_eq!(read(&store, "short").await.unwrap().len(), 3);
    }
}

/// Who reads does not hand the only connection on among those who read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_there_is_one_connection_appends_get_it_too() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let store = Store::new(schema.options().connections(1).open().await.unwrap());
    fill(&store, "long", 4000, 100).await;
    let readers: Vec<_> = (0..20)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                loop {
                    read(&store, "long").await.unwrap();
                }
            })
        })
        .collect();
    for number in 0..5 {
        let name = format!("short{number}");
        let appended = fill(&store, &name, 1, 10);
        timeout(Duration::from_secs(20), appended).await.unwrap();
    }
    for reader in readers {
        assert!(!reader.is_finished(), "a reader has failed");
        reader.abort();
    }
}
