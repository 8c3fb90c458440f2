use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub enum Either {
    A(u8),
    B(i8),
}

fn main() {}
