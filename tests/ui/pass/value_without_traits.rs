use recount::prelude::*;

#[derive(Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub struct Cents(i64);

#[derive(Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub struct Grams(i64);

fn main() {}
