use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct AccountId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Deposited {
    pub amount: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = Deposited)]
pub struct DepositedV2 {
    pub amount: i64,
}

impl From<Deposited> for DepositedV2 {
    fn from(old: Deposited) -> Self {
        Self { amount: old.amount }
    }
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

fn main() {}
