use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Deposited {
    pub amount: i64,
}

#[derive(Debug, Default)]
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
