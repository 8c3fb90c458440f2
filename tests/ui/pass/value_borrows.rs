use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub struct Name {
    pub first: String,
}

fn main() {}
