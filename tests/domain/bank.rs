//! The domain of these tests: an account whose fold adds, so that an event applied twice shows.

use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct AccountId(String);

pub fn id(text: &str) -> AccountId {
    AccountId::new(text).unwrap()
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Opened {
    pub holder: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Deposited {
    pub amount: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Withdrawn {
    pub amount: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Measured {
    pub value: f64,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{balance} is less than {amount}")]
pub struct Insufficient {
    pub balance: i64,
    pub amount: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(stream = "account", id = AccountId, error = Insufficient, snapshot_every = 10)]
pub struct Account {
    pub holder: String,
    pub balance: i64,
    pub events: u64,
    pub changed_at: DateTime<Utc>,
    pub last_actor: Option<String>,
}

#[apply]
impl Account {
    fn opened(event: Opened, at: &EventContext) -> Self {
        Self {
            holder: event.holder,
            balance: 0,
            events: 1,
            changed_at: at.recorded_at,
            last_actor: at.metadata.actor.clone(),
        }
    }

    fn deposited(&mut self, event: Deposited, at: &EventContext) {
        self.balance += event.amount;
        self.changed(at);
    }

    fn withdrawn(&mut self, event: &Withdrawn, at: &EventContext) {
        self.balance -= event.amount;
        self.changed(at);
    }

    fn measured(&mut self, _: Measured, at: &EventContext) {
        self.changed(at);
    }
}

impl Account {
    fn changed(&mut self, at: &EventContext) {
        self.events += 1;
        self.changed_at = at.recorded_at;
        self.last_actor.clone_from(&at.metadata.actor);
    }

    pub fn open(holder: &str) -> Opened {
        Opened {
            holder: holder.into(),
        }
    }

    #[expect(
        clippy::unused_self,
        reason = "a decision on an account, even if no rule asks for more"
    )]
    pub fn deposit(&self, amount: i64) -> Deposited {
        Deposited { amount }
    }

    pub fn withdraw(&self, amount: i64) -> Result<Withdrawn, Insufficient> {
        if amount > self.balance {
            Err(Insufficient {
                balance: self.balance,
                amount,
            })
        } else {
            Ok(Withdrawn { amount })
        }
    }
}

/// Starts from `Default`, and may share a stored name with the account.
#[derive(Debug, Clone, Default, PartialEq, Aggregate)]
#[aggregate(stream = "meter", id = AccountId)]
pub struct Meter {
    pub sum: i64,
}

/// Another aggregate's event of the same stored name, with a compatible shape.
pub mod meter {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    pub struct Deposited {
        pub amount: i64,
    }
}

#[apply]
impl Meter {
    fn deposited(&mut self, event: meter::Deposited) {
        self.sum += event.amount;
    }
}
