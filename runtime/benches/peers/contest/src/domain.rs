//! An account: what happens to it, and its rules. Libraries that want types of their own have them in their files.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    Opened(Opened),
    Deposited(Deposited),
    Withdrawn(Withdrawn),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    pub holder: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deposited {
    pub amount: i64,
    pub description: String,
    pub balance_after: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Withdrawn {
    pub amount: i64,
    pub description: String,
    pub balance_after: i64,
}

#[derive(Debug, Clone, Copy)]
pub enum Command {
    Open,
    /// So many deposits at once.
    Deposit {
        amount: i64,
        times: u64,
    },
    Withdraw {
        amount: i64,
    },
}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refused {
    #[error("the account is open already")]
    Open,
    #[error("the account is not open")]
    NotOpen,
    #[error("{balance} cents are there, {amount} were asked for")]
    Overdrawn { balance: i64, amount: i64 },
}

/// Its events are counted, so that one that is lost or applied twice shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub is_open: bool,
    pub balance: i64,
    pub events: u64,
}

impl Account {
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Opened(_) => self.opened(),
            Event::Deposited(event) => self.changed(event.amount),
            Event::Withdrawn(event) => self.changed(-event.amount),
        }
    }

    pub fn opened(&mut self) {
        self.is_open = true;
        self.events += 1;
    }

    pub fn changed(&mut self, amount: i64) {
        self.balance += amount;
        self.events += 1;
    }

    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Refused> {
        match command {
            Command::Open => self.open().map(|event| vec![Event::Opened(event)]),
            Command::Deposit { amount, times } => self
                .deposit(amount, times)
                .map(|events| events.into_iter().map(Event::Deposited).collect()),
            Command::Withdraw { amount } => self
                .withdraw(amount)
                .map(|event| vec![Event::Withdrawn(event)]),
        }
    }

    pub fn open(&self) -> Result<Opened, Refused> {
        if self.is_open {
            return Err(Refused::Open);
        }
        let holder = "John Doe, a customer of this bank since the year in which it was founded, of legal age and sound mind".to_owned();
        Ok(Opened { holder })
    }

    pub fn deposit(&self, amount: i64, times: u64) -> Result<Vec<Deposited>, Refused> {
        if !self.is_open {
            return Err(Refused::NotOpen);
        }
        let deposits = (0..times).scan(self.balance, |balance, _| {
            *balance += amount;
            let description = format!("a deposit of {amount} cents, by card, at the desk");
            let balance_after = *balance;
            Some(Deposited {
                amount,
                description,
                balance_after,
            })
        });
        Ok(deposits.collect())
    }

    pub fn withdraw(&self, amount: i64) -> Result<Withdrawn, Refused> {
        let balance = self.balance;
        if !self.is_open {
            return Err(Refused::NotOpen);
        }
        if amount > balance {
            return Err(Refused::Overdrawn { balance, amount });
        }
        let description = format!("{amount} cents withdrawn, by card, at the machine");
        Ok(Withdrawn {
            amount,
            description,
            balance_after: balance - amount,
        })
    }
}
