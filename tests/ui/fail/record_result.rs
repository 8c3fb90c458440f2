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

impl Account {
    pub fn deposit(&self, amount: i64) -> Result<Deposited, String> {
        Ok(Deposited { amount })
    }
}

pub fn deposit(account: &mut Root<Account>) -> Result<(), String> {
    account.record(account.deposit(10));
    Ok(())
}

fn main() {}
