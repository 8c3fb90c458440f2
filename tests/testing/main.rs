//! The kit for tests: what it accepts, what it refuses, and what a failure prints. Here is the domain that it is tried on.

mod faults;
mod given;
mod given_log;
mod stored;

use std::panic::{AssertUnwindSafe, catch_unwind};

use recount::event::PayloadError;
use recount::log::{Expected, NewEvent, Query, StreamId};
use recount::prelude::*;
use recount::testing::{
    Fault, Faults, Operation, given, given_log, golden, pattern, sample, stored, upcast,
};
use serde_json::json;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
struct AccountId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Opened {
    holder: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Deposited {
    amount: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = Deposited)]
struct DepositedV2 {
    cents: i64,
    tags: Vec<String>,
}

/// Of a negative amount nobody knows what it meant.
#[derive(Debug, thiserror::Error)]
#[error("{0} is negative")]
struct Negative(i64);

impl TryFrom<Deposited> for DepositedV2 {
    type Error = Negative;

    fn try_from(old: Deposited) -> Result<Self, Negative> {
        if old.amount < 0 {
            return Err(Negative(old.amount));
        }
        Ok(Self {
            cents: old.amount * 100,
            tags: Vec::new(),
        })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Closed {}

/// Half of it is not stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Noted {
    text: String,
    #[serde(skip)]
    lost: String,
}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
enum AccountError {
    #[error("the account is closed")]
    Closed,
    #[error("{cents} cents are too many")]
    TooMany { cents: i64 },
}

#[derive(Debug, Clone, PartialEq, Aggregate)]
#[aggregate(stream = "account", id = AccountId, error = AccountError, retired("Frozen"))]
struct Account {
    holder: String,
    balance: i64,
    closed_at: Option<DateTime<Utc>>,
    by: Option<String>,
    note: String,
}

#[apply]
impl Account {
    fn opened(event: Opened) -> Self {
        Self {
            holder: event.holder,
            balance: 0,
            closed_at: None,
            by: None,
            note: String::new(),
        }
    }

    fn deposited(&mut self, event: DepositedV2) {
        self.balance += event.cents;
    }

    fn closed(&mut self, _: Closed, at: &EventContext) {
        self.closed_at = Some(at.recorded_at);
        self.by.clone_from(&at.metadata.actor);
    }

    fn noted(&mut self, event: Noted) {
        self.note = event.lost;
    }
}

impl Account {
    fn deposit(&self, cents: i64) -> Result<(DepositedV2, Option<Closed>), AccountError> {
        if self.closed_at.is_some() {
            return Err(AccountError::Closed);
        }
        if cents > 1000 {
            return Err(AccountError::TooMany { cents });
        }
        Ok((deposited(cents), (cents == 1000).then_some(Closed {})))
    }
}

fn opened() -> Opened {
    Opened {
        holder: "John".into(),
    }
}

fn deposited(cents: i64) -> DepositedV2 {
    DepositedV2 {
        cents,
        tags: vec!["cash".into()],
    }
}

fn account(balance: i64) -> Account {
    Account {
        holder: "John".into(),
        balance,
        closed_at: None,
        by: None,
        note: String::new(),
    }
}

/// An aggregate whose commands refuse with any error, and which starts from `Default`.
#[derive(Debug, Clone, Default, PartialEq, Aggregate)]
#[aggregate(stream = "tally", id = AccountId)]
struct Tally {
    sum: i64,
}

#[apply]
impl Tally {
    fn deposited(&mut self, event: DepositedV2) {
        self.sum += event.cents;
    }
}

/// What a failing check printed.
fn failure(check: impl FnOnce()) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(check)) else {
        panic!("nothing failed");
    };
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => (*panic.downcast_ref::<&str>().unwrap()).to_owned(),
    }
}
