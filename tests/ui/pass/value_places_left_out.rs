use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub struct Pair(#[serde(skip)] Option<u8>, u8);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub enum Either {
    Left {
        #[serde(skip_deserializing)]
        left: u8,
    },
}

fn main() {}
