//! A log made by hand: what a person writes who needs one and has no library. How it reaches its table is the `Table`'s.
//!
//! Appends that wait are committed together. There is no metadata, no recognition of retries and no check of what is stored.

pub mod postgres;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex};

use serde_json::from_slice;
use tokio::sync::oneshot;

use crate::{Account, Command, Contender, Event, Place, Refused};

/// An event as it is inserted.
#[derive(Debug, Clone)]
pub struct Row {
    pub stream: String,
    pub version: i64,
    pub name: &'static str,
    pub payload: String,
}

/// The version is there already.
#[derive(Debug, Clone, Copy)]
pub struct Conflict;

fn row(account: &str, version: u64, event: &Event) -> Row {
    let (name, payload) = match event {
        Event::Opened(event) => ("Opened", serde_json::to_string(event)),
        Event::Deposited(event) => ("Deposited", serde_json::to_string(event)),
        Event::Withdrawn(event) => ("Withdrawn", serde_json::to_string(event)),
    };
    Row {
        stream: account.to_owned(),
        version: version as i64,
        name,
        payload: payload.expect("plain structs have a form in JSON"),
    }
}

pub trait Table: Send + Sync + 'static {
    const NAME: &'static str;
    const PLACE: Place;
    const DRIVER: &'static str;

    fn open(url: &str) -> impl Future<Output = Self> + Send;

    /// All or nothing, in one commit. One caller at a time.
    fn insert(&self, rows: &[Row]) -> impl Future<Output = Result<(), Conflict>> + Send;

    /// Name and payload of all events in order, or of a stream's.
    fn read(
        &self,
        stream: Option<&str>,
        each: impl FnMut(&str, &[u8]) + Send,
    ) -> impl Future<Output = ()> + Send;
}

pub struct ByHand<T>(Arc<Log<T>>);

struct Log<T> {
    table: T,
    waiting: Mutex<Vec<Append>>,
    writing: tokio::sync::Mutex<()>,
    /// Commands on one stream take turns: without that nine attempts in ten are for nothing.
    turns: Vec<tokio::sync::Mutex<()>>,
    hasher: RandomState,
}

struct Append {
    rows: Vec<Row>,
    told: oneshot::Sender<Result<(), Conflict>>,
}

impl<T> Clone for ByHand<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

const WHOLE: &str = "nobody panics while holding it";
const WRITTEN: &str = "it was written here";

impl<T: Table> ByHand<T> {
    /// Who gets to write takes all who wait.
    async fn commit(&self, rows: Vec<Row>) -> Result<(), Conflict> {
        let Log {
            table,
            waiting,
            writing,
            ..
        } = &*self.0;
        let (told, mut outcome) = oneshot::channel();
        waiting.lock().expect(WHOLE).push(Append { rows, told });
        let turn = tokio::select! {
            biased;
            outcome = &mut outcome => return outcome.expect("who writes tells"),
            turn = writing.lock() => turn,
        };
        let mut group = std::mem::take(&mut *waiting.lock().expect(WHOLE));
        let together: Vec<Row> = group
            .iter_mut()
            .flat_map(|append| append.rows.clone())
            .collect();
        let all = if together.is_empty() {
            Ok(())
        } else {
            table.insert(&together).await
        };
        for Append { rows, told } in group {
            // Who stands in the way is found out by trying each.
            let outcome = if all.is_ok() {
                Ok(())
            } else {
                table.insert(&rows).await
            };
            told.send(outcome).expect("who appends waits");
        }
        drop(turn);
        outcome.await.expect("who writes tells")
    }

    async fn fold(&self, stream: Option<&str>) -> Account {
        let mut account = Account::default();
        let apply = |name: &str, payload: &[u8]| {
            account.apply(&match name {
                "Opened" => Event::Opened(from_slice(payload).expect(WRITTEN)),
                "Deposited" => Event::Deposited(from_slice(payload).expect(WRITTEN)),
                "Withdrawn" => Event::Withdrawn(from_slice(payload).expect(WRITTEN)),
                other => panic!("unknown event {other}"),
            });
        };
        self.0.table.read(stream, apply).await;
        account
    }
}

impl<T: Table> Contender for ByHand<T> {
    const NAME: &'static str = T::NAME;
    const PLACE: Place = T::PLACE;
    const CRATES: &'static [&'static str] = &[T::DRIVER];
    const NOTE: &'static str = "hand-written: a table, prepared statements, waiting appends committed together; no metadata, no \
        recognition of retries, no positions that a reader could rely on";

    async fn open(url: &str) -> Self {
        let turns = std::iter::repeat_with(Default::default)
            .take(4096)
            .collect();
        Self(Arc::new(Log {
            table: T::open(url).await,
            waiting: Mutex::default(),
            writing: Default::default(),
            turns,
            hasher: RandomState::new(),
        }))
    }

    async fn execute(&self, account: &str, command: Command) -> Result<u64, Refused> {
        let turn = self.0.hasher.hash_one(account) as usize % self.0.turns.len();
        let _turn = self.0.turns[turn].lock().await;
        for attempt in 1.. {
            let state = self.load(account).await;
            let events = state.decide(command)?.into_iter();
            let rows = (state.events + 1..)
                .zip(events)
                .map(|(version, event)| row(account, version, &event));
            if self.commit(rows.collect()).await.is_ok() {
                return Ok(attempt);
            }
        }
        unreachable!("attempts are counted without end")
    }

    async fn append(&self, account: &str, state: Account, event: Event) {
        let appended = self.commit(vec![row(account, state.events + 1, &event)]);
        appended.await.expect("nobody else writes to the account");
    }

    async fn load(&self, account: &str) -> Account {
        self.fold(Some(account)).await
    }

    async fn catch_up(&self) -> Option<Account> {
        Some(self.fold(None).await)
    }
}
