use recount::prelude::*;

#[derive(Debug, Default, Aggregate)]
#[aggregate(stream = "account")]
pub struct Account {
    pub balance: i64,
}

fn main() {}
