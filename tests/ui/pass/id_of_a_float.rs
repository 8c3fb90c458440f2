use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Id)]
pub struct AccountId(String);

fn main() {}
