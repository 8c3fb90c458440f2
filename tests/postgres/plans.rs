//! Reads keep to their indexes, whatever the planner knows of the table.

use recount::log::{Batch, Expected, NewEvent, Query};
use recount::{Position, Store};
use tokio_postgres::Client;

use crate::server::Schema;
use crate::{event, stream};

/// How often the table of events was read through, and how many of its rows were fetched by an index, after all sessions of a store
/// have told.
async fn reads(client: &Client, schema: &Schema) -> (i64, i64) {
    let open = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
    while client
        .query_one(open, &[&schema.name])
        .await
        .unwrap()
        .get::<_, i64>(0)
        > 0
    {}
    let counts = "SELECT seq_scan, coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables WHERE schemaname = $1 AND relname = 'events'";
    let row = client.query_one(counts, &[&schema.name]).await.unwrap();
    (row.get(0), row.get(1))
}

/// A store whose sessions can be told from others.
async fn open(schema: &Schema) -> Store {
    let url = format!("{}&application_name={}", schema.url(), schema.name);
    Store::connect(&url).await.unwrap()
}

#[tokio::test]
async fn a_rare_kind_and_a_stream_are_read_without_the_rest_of_the_log_analysed_or_not() {
    const COMMON: i64 = 3_000;
    let Some(schema) = Schema::new().await else {
        return;
    };
    let client = schema.client().await;
    let store = open(&schema).await;
    for part in 0..3 {
        let common = (0..COMMON / 30).map(|_| event("Common"));
        let mut batch = Batch::new();
        for number in 0..10 {
            let target = stream(&format!("{part}-{number}"));
            batch = batch.append(target, Expected::Any, common.clone());
        }
        let rare = batch.append(
            stream("rare"),
            Expected::Any,
            [event("Rare"), event("Rarer")],
        );
        store.append_batch(rare).await.unwrap();
    }
    store.close().await.unwrap();
    for analysed in [false, true] {
        if analysed {
            client.batch_execute("ANALYZE events").await.unwrap();
        }
        let before = reads(&client, &schema).await;
        let store = open(&schema).await;
        let rare = Query::all().category("account").names(["Rare", "Rarer"]);
        assert_eq!(store.read(rare).collect().await.unwrap().len(), 6);
        let one = store.read(Query::stream(&stream("1-1"))).collect().await;
        assert_eq!(one.unwrap().len(), 100);
        store.version(&stream("2-2")).await.unwrap();
        store.close().await.unwrap();
        let after = reads(&client, &schema).await;
        assert_eq!(after.0, before.0, "the table was read through");
        // Those that were asked for, and a few to look where the log ends.
        assert!(after.1 - before.1 < 150, "{} rows", after.1 - before.1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kinds_that_are_most_of_the_log_for_a_while_are_read_whole_before_and_after_that() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let store = schema.open().await;
    // Of ten events so many are asked for, a thousand at a time.
    let mut wanted = Vec::new();
    let mut position = 0;
    for share in [10, 1, 9, 0, 0, 5, 10, 0, 1, 10] {
        let events = (0..1000).map(|number| match number % 10 < share {
            true if number % 2 == 0 => event("Even"),
            true => event("Odd"),
            false => event("Other"),
        });
        let events: Vec<NewEvent> = events.collect();
        for event in &events {
            position += 1;
            if event.name != "Other" {
                wanted.push(position);
            }
        }
        let appended = store.append(&stream("a"), Expected::Any, events).await;
        assert_eq!(appended.unwrap().position.0, position);
    }
    let query = || Query::all().category("account").names(["Even", "Odd"]);
    // What was read before is remembered, whatever it was.
    for (page, limit) in [
        (4096, None),
        (7, None),
        (300, Some(2500)),
        (1000, None),
        (50, Some(1)),
    ] {
        for after in [0, 999, 1500, 3000, 5999, 9_990] {
            let mut query = query().after(Position(after)).page_size(page);
            query.limit = limit;
            let read = store.read(query).collect().await.unwrap();
            let read: Vec<u64> = read.iter().map(|event| event.position.0).collect();
            let left = wanted.iter().copied().filter(|position| *position > after);
            let expected: Vec<u64> = left
                .take(usize::try_from(limit.unwrap_or(u64::MAX)).unwrap())
                .collect();
            assert!(
                read == expected,
                "pages of {page}, at most {limit:?}, after {after}: {} of {}",
                read.len(),
                expected.len()
            );
        }
        let backwards = store
            .read(query().backwards().page_size(page))
            .collect()
            .await
            .unwrap();
        assert!(
            backwards
                .iter()
                .map(|event| event.position.0)
                .eq(wanted.iter().rev().copied())
        );
    }
}
