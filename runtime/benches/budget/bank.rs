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

#[derive(Debug, Clone, Default, PartialEq, Aggregate)]
#[aggregate(stream = "account", id = AccountId)]
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

/// The name and payload of a stream's event; about 100 bytes.
pub fn event(index: u64) -> (&'static str, Vec<u8>) {
    let json = |value: &dyn erased::Json| value.json();
    let (amount, balance_after) = (index as i64 % 90 + 10, 1_000_000 + index as i64);
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

mod erased {
    /// What serializes, as JSON.
    pub trait Json {
        fn json(&self) -> Vec<u8>;
    }

    impl<T: serde::Serialize> Json for T {
        fn json(&self) -> Vec<u8> {
            serde_json::to_vec(self).expect("plain structs have a form in JSON")
        }
    }
}
