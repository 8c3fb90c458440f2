use recount::prelude::*;

#[derive(ValueObject)]
pub struct Cents(i64);

#[derive(Clone, Serialize, Deserialize, ValueObject)]
pub struct Grams(i64);

fn main() {}
