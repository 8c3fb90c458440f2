//! What is written: streams have numbers, and an event's id says what is in it.
//!
//! So nothing but ids need be remembered or sent between processes to know what must be in the log.

use recount::log::{EventId, NewEvent, Record, StreamId};
use recount::prelude::*;
use uuid::Uuid;

use crate::dice::scramble;
use crate::history::Entry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct AccountId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Counted {
    pub by: i64,
    pub padding: String,
}

/// A fold that shows an event that is missing, counted twice or out of order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Fold {
    events: u64,
    sum: i64,
    order: i64,
}

impl Fold {
    fn take(&mut self, by: i64) {
        self.events += 1;
        self.sum += by;
        self.order = self.order.wrapping_mul(31).wrapping_add(by);
    }

    /// What a projection or an aggregate should have come to.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let mut fold = Self::default();
        for entry in entries {
            fold.take(amount(hash(entry.batch, entry.index)));
        }
        fold
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(stream = "account", id = AccountId, snapshots)]
pub struct Account {
    pub fold: Fold,
}

#[apply]
impl Account {
    fn counted(&mut self, event: Counted) {
        self.fold.take(event.by);
    }
}

/// A projection of all accounts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Accounts {
    pub fold: Fold,
}

#[projection(name = "accounts", of(Account))]
impl Accounts {
    fn counted(&mut self, event: Counted) {
        self.fold.take(event.by);
    }
}

/// Whether a stream is an account's: every second one is, the others are of a category that no aggregate reads.
pub fn is_account(stream: u32) -> bool {
    stream.is_multiple_of(2)
}

pub fn category(account: bool) -> &'static str {
    if account { "account" } else { "meter" }
}

pub fn stream(number: u32) -> StreamId {
    StreamId::new(category(is_account(number)), number.to_string()).expect("a name")
}

pub fn account_id(stream: u32) -> AccountId {
    AccountId::new(stream.to_string()).expect("an id")
}

fn hash(batch: u64, index: u64) -> u64 {
    scramble(batch ^ index.rotate_left(48))
}

fn amount(hash: u64) -> i64 {
    i64::try_from(hash >> 40).expect("24 bits") % 1000
}

/// Most events are small; of a hundred, four have 5 kB and one has 100 kB.
fn content(batch: u64, index: u64) -> Counted {
    let hash = hash(batch, index);
    let length = match hash % 100 {
        0 => 100_000,
        1..=4 => 5_000,
        small => small * 2,
    };
    Counted {
        by: amount(hash),
        padding: "x".repeat(usize::try_from(length).expect("a length")),
    }
}

/// The event of this number in this batch.
pub fn event(batch: u64, index: u64) -> NewEvent {
    NewEvent {
        id: EventId(Uuid::from_u64_pair(batch, index)),
        ..NewEvent::of(&content(batch, index)).expect("it is JSON")
    }
}

impl Entry {
    /// What stands in the log, if its content is what its id says.
    pub fn of(record: &Record<'_>) -> Result<Self, String> {
        let (batch, index) = record.id().0.as_u64_pair();
        let number: u32 = record
            .stream()
            .parse()
            .map_err(|_| format!("a stream called {}", record.stream()))?;
        let expected = event(batch, index);
        if record.category() != category(is_account(number))
            || record.name() != expected.name
            || record.payload() != expected.payload
        {
            return Err(format!(
                "the event at position {} is not what its id {} says",
                record.position(),
                record.id()
            ));
        }
        Ok(Self {
            position: record.position().0,
            stream: number,
            version: record.version().0,
            batch,
            index,
        })
    }
}
