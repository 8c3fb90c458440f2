//! The domain that is measured: three events, a state, and the same by hand.

use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct AccountId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Opened {
    pub holder: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Deposited {
    pub amount: i64,
    pub description: String,
    pub balance_after: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Withdrawn {
    pub amount: i64,
    pub description: String,
    pub balance_after: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(stream = "account", id = AccountId, error = Refused, snapshots)]
pub struct Account {
    pub holder: String,
    pub balance: i64,
}

#[apply]
impl Account {
    fn opened(&mut self, event: Opened) {
        self.holder = event.holder;
    }

    fn deposited(&mut self, event: Deposited) {
        self.balance += event.amount;
    }

    fn withdrawn(&mut self, event: Withdrawn) {
        self.balance -= event.amount;
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} cents cannot be deposited")]
pub struct Refused(i64);

impl Account {
    pub fn deposit(&self, amount: i64) -> Result<Deposited, Refused> {
        if amount <= 0 {
            return Err(Refused(amount));
        }
        let description = format!("a deposit of {amount} cents, by card, at the desk");
        Ok(Deposited {
            amount,
            description,
            balance_after: self.balance + amount,
        })
    }
}

/// The sum over all accounts.
#[derive(Debug, Default)]
pub struct Total {
    pub balance: i64,
}

#[projection(name = "total", of(Account))]
impl Total {
    fn deposited(&mut self, event: Deposited) {
        self.balance += event.amount;
    }

    fn withdrawn(&mut self, event: Withdrawn) {
        self.balance -= event.amount;
    }

    fn opened(&mut self, _: Opened) {}
}

/// What a person would write who has no framework.
pub fn fold_by_hand(account: &mut Account, name: &str, payload: &[u8]) {
    match name {
        "Opened" => {
            account.holder = serde_json::from_slice::<Opened>(payload)
                .expect("it was written here")
                .holder;
        }
        "Deposited" => {
            account.balance += serde_json::from_slice::<Deposited>(payload)
                .expect("it was written here")
                .amount;
        }
        "Withdrawn" => {
            account.balance -= serde_json::from_slice::<Withdrawn>(payload)
                .expect("it was written here")
                .amount;
        }
        other => panic!("unknown event {other}"),
    }
}

/// The name and payload of a stream's event, by its version from 1; about 100 bytes.
pub fn event(version: u64) -> (&'static str, Vec<u8>) {
    let index = version - 1;
    let (amount, balance_after) = (
        index.cast_signed() % 90 + 10,
        1_000_000 + index.cast_signed(),
    );
    let description = format!("payment number {index} of this account, by card");
    match index % 3 {
        _ if index == 0 => (
            "Opened",
            json(&Opened {
                holder: "John Doe".into(),
            }),
        ),
        0 => (
            "Withdrawn",
            json(&Withdrawn {
                amount,
                description,
                balance_after,
            }),
        ),
        _ => (
            "Deposited",
            json(&Deposited {
                amount,
                description,
                balance_after,
            }),
        ),
    }
}

pub fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain structs have a form in JSON")
}

/// The balance of each account, in a table.
#[derive(Debug, Clone, Copy)]
pub struct Balances;

#[projection(name = "balances", of(Account))]
impl Balances {
    const TABLES: &[&str] = &[
        "CREATE TABLE {balances} (account text PRIMARY KEY, balance bigint NOT NULL, changes bigint NOT NULL)",
    ];

    fn deposited(&self, event: Deposited, at: &Envelope, sql: &mut Sql) {
        change(at.stream.id(), event.amount, sql);
    }

    fn withdrawn(&self, event: Withdrawn, at: &Envelope, sql: &mut Sql) {
        change(at.stream.id(), -event.amount, sql);
    }
}

fn change(account: &str, amount: i64, sql: &mut Sql) {
    sql.run(
        "INSERT INTO {balances} AS b VALUES ($1, $2, 1)
         ON CONFLICT (account) DO UPDATE SET balance = b.balance + $2, changes = b.changes + 1",
        (account, amount),
    );
}

/// The amount by which an event changes a balance, if it does.
pub fn change_by_hand(name: &str, payload: &[u8]) -> Option<i64> {
    match name {
        "Deposited" => Some(
            serde_json::from_slice::<Deposited>(payload)
                .expect("it was written here")
                .amount,
        ),
        "Withdrawn" => Some(
            -serde_json::from_slice::<Withdrawn>(payload)
                .expect("it was written here")
                .amount,
        ),
        _ => None,
    }
}
