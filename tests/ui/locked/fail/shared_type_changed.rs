//! The next version is there already, and a change in the value object that both share is made for it.

use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub struct Zip(pub String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub struct Address {
    pub street: String,
    pub zip: Zip,
    pub country: String,
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
    pub place: Address,
    pub target: Target,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = Scheduled)]
pub struct ScheduledV2 {
    pub title: String,
    pub place: Address,
    pub target: Target,
}

impl From<Scheduled> for ScheduledV2 {
    fn from(old: Scheduled) -> Self {
        Self {
            title: old.title,
            place: old.place,
            target: old.target,
        }
    }
}

fn main() {}
