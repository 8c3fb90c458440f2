//! A contest between libraries that keep events: what each does, and how it is measured.
//!
//! Each measurement is a process of its own, so that nobody pays for what another has left running.

pub mod by_hand;
mod domain;
mod program;
mod work;

pub use domain::{Account, Command, Deposited, Event, Opened, Refused, Withdrawn};
pub use program::{About, Entry, Place, Program, entry, main, version};
pub use work::{Effort, Figure, Job, Work};

/// A library as its own documentation says that it is used.
pub trait Contender: Clone + Send + Sync + 'static {
    const NAME: &'static str;
    const PLACE: Place;
    /// The crates whose versions are told.
    const CRATES: &'static [&'static str];
    /// What is not equal, as far as its documentation and its code say.
    const NOTE: &'static str;
    /// The oldest PostgreSQL that it starts on.
    const POSTGRES: u32 = 13;

    /// Connects, and makes the tables where there are none. Commits are to be on the disk.
    fn open(url: &str) -> impl Future<Output = Self> + Send;

    /// Loads an account, decides, and appends what was decided, again and again until nobody was faster; how often it was tried.
    fn execute(
        &self,
        account: &str,
        command: Command,
    ) -> impl Future<Output = Result<u64, Refused>> + Send;

    /// Appends an event to an account whose state the caller knows, so that nothing is loaded. Nobody else writes to it.
    fn append(
        &self,
        account: &str,
        state: Account,
        event: Event,
    ) -> impl Future<Output = ()> + Send;

    /// The account as its events say.
    fn load(&self, account: &str) -> impl Future<Output = Account> + Send;

    /// The sum of all accounts by a projection that reads the log from its beginning; none where the library has no such.
    fn catch_up(&self) -> impl Future<Output = Option<Account>> + Send;
}
