use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct AccountId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Deposited {
    pub amount: i64,
}

pub struct Plain {
    pub amount: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Aggregate)]
#[aggregate(stream = "account", id = AccountId)]
pub struct Account {
    balance: i64,
}

#[apply]
impl Account {
    fn deposited(&mut self, event: Plain) {
        self.balance += event.amount;
    }
}

fn main() {}
