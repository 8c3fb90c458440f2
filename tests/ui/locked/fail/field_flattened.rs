//! What a field holds stands beside the others.

use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub struct Zip(pub String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub struct Address {
    pub street: String,
    pub zip: Zip,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub enum Target {
    Heart { beats: u8 },
    Power(u16),
    Free,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Scheduled {
    pub title: String,
    #[serde(flatten)]
    pub place: Address,
    pub target: Target,
}

fn main() {}
