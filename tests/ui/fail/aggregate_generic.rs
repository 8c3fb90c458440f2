use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct AccountId(String);

#[derive(Debug, Default, Aggregate)]
#[aggregate(stream = "account", id = AccountId)]
pub struct Account<T> {
    pub balance: T,
}

fn main() {}
