use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cents(i64);

fn changed<V: ValueObject>(before: &V, after: &V) -> bool {
    before != after
}

fn main() {
    changed(&Cents(1), &Cents(2));
}
