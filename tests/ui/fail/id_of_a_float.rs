use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Id)]
pub struct AccountId(f64);

fn main() {}
