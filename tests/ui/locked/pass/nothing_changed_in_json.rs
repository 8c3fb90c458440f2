//! Newtypes, boxes, aliases, wider integers and the order of fields are no change.

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
    pub place: Box<Address>,
    pub title: Title,
    pub target: Target,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Completed {
    pub minutes: u32,
    pub note: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub struct Title(Box<Name>);

pub type Name = String;

fn main() {}
