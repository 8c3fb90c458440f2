use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub struct Pair(
    #[serde(skip_serializing_if = "Option::is_none")] Option<u8>,
    u8,
);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub enum Either {
    Left(#[serde(skip_deserializing)] u8),
}

fn main() {}
