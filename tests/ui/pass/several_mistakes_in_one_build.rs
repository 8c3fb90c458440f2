use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct AccountId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Opened {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Closed {}

#[derive(Debug, Clone, Default, PartialEq, Aggregate)]
#[aggregate(stream = "account", id = AccountId)]
pub struct Account {
    balance: i64,
}

#[apply]
impl Account {
    fn opened(&mut self, _: Opened) {
        self.balance = 0;
    }

    fn closed(&mut self, _: Closed) {}
}

pub fn close(account: &mut Root<Account>) {
    account.record(Closed {});
}

fn main() {}
