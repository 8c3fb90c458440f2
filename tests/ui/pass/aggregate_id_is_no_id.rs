use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct AccountId(String);

#[derive(Debug, Clone, Default, PartialEq, Aggregate)]
#[aggregate(stream = "account", id = AccountId)]
pub struct Account {
    pub balance: i64,
}

fn main() {}
