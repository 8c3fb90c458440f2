use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Id)]
pub struct AccountId;

#[derive(Debug, Clone, PartialEq, Id)]
pub enum OrderId {
    One,
}

fn main() {}
