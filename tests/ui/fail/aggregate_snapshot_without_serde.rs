use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct AccountId(String);

#[derive(Debug, Default, Aggregate)]
#[aggregate(stream = "account", id = AccountId, snapshot_every = 100)]
pub struct Account {
    pub balance: i64,
}

fn main() {}
