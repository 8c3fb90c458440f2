use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub struct Name<'a> {
    pub first: &'a str,
}

fn main() {}
