use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct AccountId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Deposited {
    pub amount: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Closed {}

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

    fn closed(&mut self, _: Closed) {
        self.balance = 0;
    }
}

#[derive(Debug, Default)]
pub struct Mail;

#[reaction(name = "mail", of(Account))]
impl Mail {
    async fn deposited(&self, event: Deposited) {
        println!("{}", event.amount);
    }
}

fn main() {}
