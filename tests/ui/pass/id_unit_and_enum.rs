use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Id)]
pub struct AccountId(String);

#[derive(Debug, Clone, PartialEq, Id)]
pub struct OrderId(String);

fn main() {}
