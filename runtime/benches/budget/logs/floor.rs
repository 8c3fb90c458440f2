//! A log made by hand: what a person writes who needs one and has no framework. How it reaches its tables is the `Bare`'s.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use recount::prelude::{DateTime, Utc};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use super::{Callers, Log, Run};
use crate::domain::{Account, event, fold_by_hand, json};
use crate::versions::{STORED, paid_by_hand, payload};

/// An event as it is inserted.
#[derive(Debug, Clone)]
pub struct Record {
    pub stream: String,
    pub version: i64,
    pub name: &'static str,
    pub payload: Vec<u8>,
}

/// The version is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict;

/// Tables on a bare driver. Positions grow with each commit; one task or thread commits those who append among others.
pub trait Bare: Send + Sync + 'static {
    /// All or nothing, by a caller who is alone.
    fn append(&self, records: Vec<Record>) -> impl Future<Output = Result<(), Conflict>> + Send;

    /// Together with all who wait.
    fn append_among(&self, record: Record) -> impl Future<Output = Result<(), Conflict>> + Send;

    /// The events of a stream behind a version, in order: version, name, payload.
    fn stream<S: Send>(
        &self,
        stream: &str,
        after: i64,
        state: S,
        fold: Fold<S>,
    ) -> impl Future<Output = S> + Send;

    /// All events in order: position, name, payload.
    fn all<S: Send>(&self, state: S, fold: Fold<S>) -> impl Future<Output = S> + Send;

    /// Positions and times, in microseconds since 1970, of all events behind a position; they are read with all they hold.
    fn since(&self, position: i64) -> impl Future<Output = Vec<(i64, i64)>> + Send;

    /// The position of the last event that was committed among others.
    fn committed(&self) -> watch::Receiver<i64>;

    fn save_snapshot(
        &self,
        stream: &str,
        version: i64,
        state: Vec<u8>,
    ) -> impl Future<Output = ()> + Send;

    fn snapshot(&self, stream: &str) -> impl Future<Output = (i64, Vec<u8>)> + Send;

    /// Makes the table of balances anew, a page of events in each transaction; returns how many it has.
    fn rebuild_table(&self) -> impl Future<Output = i64> + Send;

    fn another(&self) -> impl Future<Output = Self> + Send;
}

/// What is done with an event: state, version or position, name, payload.
pub type Fold<S> = fn(&mut S, i64, &str, &[u8]);

/// Events in a transaction of a projection, as ours has.
pub const PAGE: usize = 1000;

#[derive(Debug)]
pub struct Floor<B>(Arc<Shared<B>>);

#[derive(Debug)]
struct Shared<B> {
    bare: B,
    /// Commands on one stream take turns: without that nine attempts in ten are for nothing.
    turns: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl<B> Clone for Floor<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B: Bare> Floor<B> {
    pub fn new(bare: B) -> Self {
        let turns = std::iter::repeat_with(Mutex::default).take(4096).collect();
        Self(Arc::new(Shared {
            bare,
            turns,
            hasher: RandomState::new(),
        }))
    }

    async fn loaded(&self, account: &str, after: i64, state: Account) -> (Account, i64) {
        let fold: Fold<(Account, i64)> = |(account, version), number, name, payload| {
            fold_by_hand(account, name, payload);
            *version = number;
        };
        self.0
            .bare
            .stream(account, after, (state, after), fold)
            .await
    }

    async fn decide_and_append(&self, account: &str, callers: Callers) -> Result<(), Conflict> {
        let (state, version) = self.loaded(account, 0, Account::default()).await;
        let deposited = state.deposit(10).expect("it is allowed");
        let payload = json(&deposited);
        let record = Record {
            stream: account.to_owned(),
            version: version + 1,
            name: "Deposited",
            payload,
        };
        match callers {
            Callers::One => self.0.bare.append(vec![record]).await,
            Callers::Many => self.0.bare.append_among(record).await,
        }
    }
}

fn records(run: Run) -> impl Iterator<Item = Record> {
    (run.after + 1..=run.after + run.count).map(move |version| {
        let (name, payload) = event(version);
        Record {
            stream: run.stream.clone(),
            version: version as i64,
            name,
            payload,
        }
    })
}

impl<B: Bare> Log for Floor<B> {
    async fn append(&self, run: Run, callers: Callers) {
        match callers {
            Callers::One => self
                .0
                .bare
                .append(records(run).collect())
                .await
                .expect("nobody else writes"),
            Callers::Many => {
                for record in records(run) {
                    self.0
                        .bare
                        .append_among(record)
                        .await
                        .expect("nobody else writes");
                }
            }
        }
    }

    async fn fill(&self, runs: Vec<Run>) {
        let records = runs.into_iter().flat_map(records).collect();
        self.0
            .bare
            .append(records)
            .await
            .expect("nobody else writes");
    }

    async fn deposit(&self, account: &str, callers: Callers) -> u64 {
        let stripe = self.0.hasher.hash_one(account) as usize % self.0.turns.len();
        let _turn = self.0.turns[stripe].lock().await;
        let mut decided = 1;
        while self.decide_and_append(account, callers).await.is_err() {
            let share = self.0.hasher.hash_one((account, decided)) as f64 / u64::MAX as f64;
            tokio::time::sleep(Duration::from_millis(1 << decided.min(6)).mul_f64(share)).await;
            decided += 1;
        }
        decided
    }

    async fn load(&self, account: &str) -> i64 {
        self.loaded(account, 0, Account::default()).await.0.balance
    }

    async fn take_snapshot(&self, account: &str) {
        let (state, version) = self.loaded(account, 0, Account::default()).await;
        self.0
            .bare
            .save_snapshot(account, version, json(&state))
            .await;
    }

    async fn load_with_snapshot(&self, account: &str) -> i64 {
        let (version, state) = self.0.bare.snapshot(account).await;
        let state = serde_json::from_slice(&state).expect("it was written here");
        self.loaded(account, version, state).await.0.balance
    }

    async fn catch_up(&self) -> i64 {
        let fold: Fold<(Account, i64)> = |(total, position), number, name, payload| {
            fold_by_hand(total, name, payload);
            *position = number;
        };
        self.0
            .bare
            .all((Account::default(), 0), fold)
            .await
            .0
            .balance
    }

    async fn rebuild_table(&self) -> i64 {
        self.0.bare.rebuild_table().await
    }

    async fn fill_purses(&self, events: u64) {
        let record = |index: u64| {
            let version = (index % 3) as usize;
            let payload = payload(version as u32 + 1, index);
            Record {
                stream: "one".to_owned(),
                version: index as i64 + 1,
                name: STORED[version],
                payload,
            }
        };
        for first in (0..events).step_by(1000) {
            let some = (first..events.min(first + 1000)).map(record).collect();
            self.0.bare.append(some).await.expect("nobody else writes");
        }
    }

    async fn rebuild_purses(&self) -> i64 {
        let fold: Fold<(i64, i64)> = |(spent, position), number, name, payload| {
            *spent += paid_by_hand(name, payload).amount.cents;
            *position = number;
        };
        self.0.bare.all((0, 0), fold).await.0
    }

    async fn follow(&self, events: u64) -> JoinHandle<Vec<Duration>> {
        let mut committed = self.0.bare.committed();
        let mut position = *committed.borrow_and_update();
        let floor = self.clone();
        tokio::spawn(async move {
            let mut ages = Vec::new();
            while (ages.len() as u64) < events {
                committed.changed().await.expect("the log is open");
                let found = floor.0.bare.since(position).await;
                let now = Utc::now();
                for (at, micros) in found {
                    position = at;
                    let recorded = DateTime::from_timestamp_micros(micros).expect("a time");
                    ages.push((now - recorded).to_std().unwrap_or_default());
                }
            }
            ages
        })
    }

    async fn another(&self) -> Self {
        Self::new(self.0.bare.another().await)
    }

    async fn close(self) {}
}
