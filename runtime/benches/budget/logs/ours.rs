//! This crate, whatever the store.

use std::time::Duration;

use recount::log::{Batch, EventId, Expected, Metadata, NewEvent, Query, StreamId};
use recount::prelude::*;
use recount::repository::ExecuteError;
use recount::repository::snapshot::SnapshotPolicy;
use recount::store::Subscription;
use recount::uuid::Uuid;
use tokio::task::JoinHandle;

use super::{Callers, Log, Run};
use crate::domain::{Account, AccountId, Balances, Total, event};
use crate::versions::{Spent, payload};

#[derive(Debug, Clone)]
pub struct Ours {
    url: String,
    store: Store,
    accounts: Repository<Account>,
    with_snapshots: Repository<Account>,
}

impl Ours {
    pub async fn open(url: &str) -> Self {
        let store = Store::connect(url).await.expect("a store");
        let with_snapshots = Repository::new(&store);
        let accounts = with_snapshots.with_snapshots(SnapshotPolicy::never());
        Self {
            url: url.to_owned(),
            store,
            accounts,
            with_snapshots,
        }
    }

    /// The same log, whose commands keep the roots of all accounts that any work has.
    pub fn with_cache(&self) -> Self {
        Self {
            accounts: self.accounts.with_cache(100_000),
            ..self.clone()
        }
    }

    /// Megabytes that the log takes, where it can be asked.
    pub async fn size(&self) -> Option<f64> {
        let stats = self.store.stats().await.expect("a store");
        stats.bytes.map(|bytes| bytes as f64 / 1e6)
    }
}

fn id(account: &str) -> AccountId {
    AccountId::new(account).expect("a name")
}

fn stream(run: &Run) -> StreamId {
    StreamId::new("account", run.stream.as_str()).expect("a name")
}

fn events(run: &Run) -> Vec<NewEvent> {
    let versions = run.after + 1..=run.after + run.count;
    versions
        .map(|version| {
            let (name, payload) = event(version);
            new_event(name, 1, payload)
        })
        .collect()
}

fn new_event(name: &'static str, schema_version: u32, payload: Vec<u8>) -> NewEvent {
    NewEvent {
        id: EventId(Uuid::now_v7()),
        name: name.into(),
        schema_version,
        recorded_at: Utc::now(),
        metadata: Metadata::default(),
        payload,
    }
}

impl Log for Ours {
    async fn append(&self, run: Run, _: Callers) {
        let expected = Expected::Version(Version(run.after));
        let appended = self
            .store
            .append(&stream(&run), expected, events(&run))
            .await;
        appended.expect("nobody else writes the stream");
    }

    async fn fill(&self, runs: Vec<Run>) {
        let batch = runs.iter().fold(Batch::new(), |batch, run| {
            batch.append(stream(run), Expected::Any, events(run))
        });
        self.store
            .append_batch(batch)
            .await
            .expect("a disk with space");
    }

    async fn deposit(&self, account: &str, _: Callers) -> u64 {
        let (id, mut decided) = (id(account), 0);
        loop {
            let deposited = self.accounts.execute(&id, |account| {
                decided += 1;
                account.deposit(10)
            });
            match deposited.await {
                Ok(_) => return decided,
                Err(ExecuteError::Contended { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    async fn load(&self, account: &str) -> i64 {
        self.accounts
            .load(&id(account))
            .await
            .expect("a stream")
            .balance
    }

    async fn take_snapshot(&self, account: &str) {
        self.with_snapshots
            .take_snapshot(&id(account))
            .await
            .expect("a stream");
    }

    async fn load_with_snapshot(&self, account: &str) -> i64 {
        self.with_snapshots
            .load(&id(account))
            .await
            .expect("a stream")
            .balance
    }

    async fn catch_up(&self) -> i64 {
        let mut total = Projector::<Total>::in_memory(&self.store);
        total.catch_up().await.expect("every event is known");
        total.balance
    }

    async fn rebuild_table(&self) -> i64 {
        let mut balances = TableProjector::new(Balances, &self.store)
            .await
            .expect("a store with tables");
        balances.rebuild().await.expect("every event is known");
        let count = balances
            .row::<(i64,)>("SELECT count(*) FROM {balances}", ())
            .await;
        count.expect("the table").expect("a row").0
    }

    async fn fill_purses(&self, events: u64) {
        let stream = StreamId::new("purse", "one").expect("a name");
        for first in (0..events).step_by(999) {
            let third = |index: u64| {
                let version = 1 + (index % 3) as u32;
                new_event("Paid", version, payload(version, index))
            };
            let some: Vec<NewEvent> = (first..events.min(first + 999)).map(third).collect();
            self.store
                .append(&stream, Expected::Any, some)
                .await
                .expect("a disk with space");
        }
    }

    async fn rebuild_purses(&self) -> i64 {
        let mut spent = Projector::<Spent>::in_memory(&self.store);
        spent.catch_up().await.expect("every event is known");
        spent.cents
    }

    async fn follow(&self, events: u64) -> JoinHandle<Vec<Duration>> {
        let head = self.store.head().await.expect("a store");
        let subscription = self.store.subscribe(Query::all().after(head).limit(events));
        tokio::spawn(ages(subscription))
    }

    async fn another(&self) -> Self {
        Self::open(&self.url).await
    }

    async fn close(self) {
        self.store.close().await.expect("a store that is open");
    }
}

async fn ages(mut subscription: Subscription) -> Vec<Duration> {
    let mut ages = Vec::new();
    while let Some(page) = subscription.next_page().await.expect("a store") {
        let now = Utc::now();
        let age = |at: DateTime<Utc>| (now - at).to_std().unwrap_or_default();
        ages.extend(page.iter().map(|record| age(record.recorded_at())));
    }
    ages
}
