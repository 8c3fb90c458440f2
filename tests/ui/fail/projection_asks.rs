use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct AccountId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Deposited {
    pub amount: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Aggregate)]
#[aggregate(stream = "account", id = AccountId)]
pub struct Account {
    balance: i64,
}

#[apply]
impl Account {
    fn deposited(&mut self, event: Deposited) {
        self.balance += event.amount;
    }
}

#[derive(Debug, Default)]
pub struct Total {
    sum: i64,
}

#[projection(name = "total", of(Account))]
impl Total {
    fn deposited(&mut self, event: Deposited) {
        self.sum += event.amount;
    }

    pub fn total(&self, of: &str) -> i64 {
        self.sum + of.len() as i64
    }
}

fn main() {}
