//! What the benchmark asks of a log, ours or made by hand. Both answer with what came out, so that it can be compared.

mod floor;
mod memory;
mod ours;
#[cfg(feature = "postgres")]
pub mod postgres;
mod sqlite;

use std::time::Duration;

pub use floor::{Bare, Floor};
pub use memory::Memory;
pub use ours::Ours;
pub use sqlite::{Indexes, Sqlite};

/// Events of an account behind a version: their numbers are `after + 1 ..= after + count`.
#[derive(Debug, Clone)]
pub struct Run {
    pub stream: String,
    pub after: u64,
    pub count: u64,
}

impl Run {
    pub fn new(stream: impl Into<String>, after: u64, count: u64) -> Self {
        Self {
            stream: stream.into(),
            after,
            count,
        }
    }
}

/// Whether a caller is the only one. By hand that takes another way, ours finds it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callers {
    One,
    Many,
}

/// What is compared. Every write is on disk when it returns, where there is a disk.
pub trait Log: Clone + Send + Sync + 'static {
    /// Appends a run to its stream, whose version is what the run comes after.
    fn append(&self, run: Run, callers: Callers) -> impl Future<Output = ()> + Send;

    /// Appends runs of several streams as one.
    fn fill(&self, runs: Vec<Run>) -> impl Future<Output = ()> + Send;

    /// Loads an account, decides on a deposit and appends it, again and again until nobody was faster; returns how often it decided.
    fn deposit(&self, account: &str, callers: Callers) -> impl Future<Output = u64> + Send;

    /// Folds all events of an account; returns its balance.
    fn load(&self, account: &str) -> impl Future<Output = i64> + Send;

    /// Keeps an account's state as it is now.
    fn take_snapshot(&self, account: &str) -> impl Future<Output = ()> + Send;

    /// Folds what came after the snapshot; returns the balance.
    fn load_with_snapshot(&self, account: &str) -> impl Future<Output = i64> + Send;

    /// Folds all accounts into a sum.
    fn catch_up(&self) -> impl Future<Output = i64> + Send;

    /// Makes the table of balances anew; returns how many accounts it has.
    fn rebuild_table(&self) -> impl Future<Output = i64> + Send;

    /// Appends payments as they would have been stored by three releases, a third each.
    fn fill_purses(&self, events: u64) -> impl Future<Output = ()> + Send;

    /// Folds all payments, of whatever release, into a sum.
    fn rebuild_purses(&self) -> impl Future<Output = i64> + Send;

    /// Follows the log from now on, in a task of its own, until so many events came; returns how old each was when it came.
    fn follow(
        &self,
        events: u64,
    ) -> impl Future<Output = tokio::task::JoinHandle<Vec<Duration>>> + Send;

    /// The same log, through a handle that knows nothing of this one: as if in another process.
    fn another(&self) -> impl Future<Output = Self> + Send;

    fn close(self) -> impl Future<Output = ()> + Send;
}
