use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Id)]
pub struct AccountId {
    pub bank: String,
    pub number: u64,
}

fn main() {}
