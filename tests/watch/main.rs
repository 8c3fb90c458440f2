//! Who watches a log is woken by what other processes append to it.
//!
//! That each append of this process wakes is of the contract, which runs on every store.

mod child;
mod postgres;
#[path = "../support/postgres.rs"]
mod server;
mod sqlite;

use std::future::Future;
use std::task::Poll;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use recount::log::{Expected, NewEvent, Position, Query, StreamId};
use recount::prelude::*;
use recount::store::Watch;

use crate::child::Child;

/// Far longer than anything here takes: what was missed is never made good.
const PATIENCE: Duration = Duration::from_secs(20);

/// What should happen before somebody asks why it does not.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(PATIENCE, future).await;
    done.unwrap_or_else(|_| panic!("not within {PATIENCE:?}: {what}"))
}

fn event() -> NewEvent {
    NewEvent::json("Counted", 1, &1).unwrap()
}

async fn append(store: &Store, id: &str) -> Position {
    let stream = StreamId::new("account", id).unwrap();
    let appended = store.append(&stream, Expected::Any, [event()]);
    appended.await.unwrap().position
}

/// A reader that reads on when it is woken, and at no other time.
struct Follower {
    store: Store,
    watch: Watch,
    last: Position,
    seen: usize,
    /// How often it was woken.
    woken: usize,
}

impl Follower {
    fn new(store: &Store) -> Self {
        Self {
            watch: store.watch(),
            store: store.clone(),
            last: Position::START,
            seen: 0,
            woken: 0,
        }
    }

    async fn read(&mut self) {
        let query = Query::all().after(self.last);
        for event in self.store.read(query).collect().await.unwrap() {
            self.last = event.position;
            self.seen += 1;
        }
    }

    /// Waits until it has seen so many events in all.
    async fn sees(&mut self, events: usize) {
        let what = format!("{events} events are seen");
        soon(&what, async {
            self.read().await;
            while self.seen < events {
                self.watch.changed().await;
                self.woken += 1;
                self.read().await;
            }
        })
        .await;
        assert_eq!(self.seen, events);
    }
}

/// Microseconds since 1970, by the clock that all processes of a machine share.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_micros()).unwrap()
}

/// Has another process append, now and then, and tells how many microseconds after each append it was seen here, in order.
async fn delays(store: &Store, url: &str, appends: usize) -> Vec<u64> {
    let mut child = Child::start(url);
    let mut follower = Follower::new(store);
    follower.read().await;
    let before = follower.seen;
    let mut delays = Vec::new();
    for number in 1..=appends {
        // Not in step with anybody who looks now and then.
        let pause = Duration::from_micros(number as u64 * 7_919 % 23_000);
        tokio::time::sleep(pause).await;
        child.ask();
        follower.sees(before + number).await;
        let seen = now();
        delays.push(seen.saturating_sub(child.appended()));
    }
    delays.sort_unstable();
    let at = |percent: usize| delays[(delays.len() - 1) * percent / 100];
    println!(
        "{} appends of another process were seen after {} µs (half of them), {} µs (99 in 100), {} µs (all)",
        delays.len(),
        at(50),
        at(99),
        at(100)
    );
    delays
}

/// Whether a wait ends without waiting.
async fn is_woken(watch: &mut Watch) -> bool {
    let mut changed = std::pin::pin!(watch.changed());
    std::future::poll_fn(|context| Poll::Ready(changed.as_mut().poll(context).is_ready())).await
}

/// An append of this process has woken it when it returns: nobody has to look, and no notification has to come back.
/// The store is a new one, of which nobody has waited for anything, so that nobody listens.
async fn wakes_at_once(store: &Store) {
    let mut watch = store.watch();
    append(store, "a").await;
    assert!(is_woken(&mut watch).await);
}
