//! How long an event takes from the clock of who records it to who follows the log, while others append as fast as they can.

use std::time::Duration;

use recount::log::{Expected, Query, StreamId};
use recount::prelude::*;
use recount::store::Subscription;
use tokio::runtime::Runtime;

use crate::read::new_event;

const WRITERS: u64 = 8;
const EACH: u64 = 1_000;

/// Prints the delays of one store after the other.
pub fn run() {
    println!(
        "{:<43}{:>9}{:>9}{:>9}{:>9}{:>9}",
        format!("from recorded to seen, {WRITERS} writers"),
        "p50",
        "p90",
        "p99",
        "p99.9",
        "longest"
    );
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}", folder.path().join("log.db").display());
    runtime.block_on(async {
        let store = Store::connect(&url).await.expect("a file");
        report("SQLite, one process", &store, &store).await;
        // Another handle knows nothing of this one's appends: as if it were another process.
        let other = Store::connect(&url).await.expect("a file");
        report("SQLite, another process", &store, &other).await;
    });
    #[cfg(feature = "postgres")]
    {
        let database = crate::postgres::Database::make(&runtime);
        runtime.block_on(async {
            let store = Store::connect(&database.url).await.expect("a server");
            report("PostgreSQL, one process", &store, &store).await;
            let other = Store::connect(&database.url).await.expect("a server");
            report("PostgreSQL, another process", &store, &other).await;
            for store in [store, other] {
                store.close().await.expect("a store that is open");
            }
        });
    }
}

async fn report(what: &str, writing: &Store, reading: &Store) {
    let head = reading.head().await.expect("a store");
    let subscription = reading.subscribe(Query::all().after(head).limit(WRITERS * EACH));
    let following = tokio::spawn(follow(subscription));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = writing.clone();
            tokio::spawn(async move {
                let stream = StreamId::new("live", uuid(writer)).expect("a name");
                for version in 0..EACH {
                    let expected = Expected::Version(Version(version));
                    let appended = store.append(&stream, expected, [new_event(version)]).await;
                    appended.expect("nobody else writes the stream");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("no writer fails");
    }
    let mut delays = following.await.expect("nothing fails");
    delays.sort_unstable();
    let at = |thousandth: usize| {
        let delay = delays[(delays.len() * thousandth / 1000).min(delays.len() - 1)];
        format!("{:.2} ms", delay.as_secs_f64() * 1000.0)
    };
    println!(
        "{what:<43}{:>9}{:>9}{:>9}{:>9}{:>9}",
        at(500),
        at(900),
        at(990),
        at(999),
        at(1000)
    );
}

/// How old each event is when it comes.
async fn follow(mut subscription: Subscription) -> Vec<Duration> {
    let mut delays = Vec::new();
    while let Some(page) = subscription.next_page().await.expect("a store") {
        let now = Utc::now();
        delays.extend(
            page.iter()
                .map(|record| (now - record.recorded_at()).to_std().unwrap_or_default()),
        );
    }
    delays
}

fn uuid(writer: u64) -> String {
    format!("{writer}-{}", recount::uuid::Uuid::now_v7().simple())
}
