//! The next version holds a copy of a value object, with a change; the old one keeps the old one.

use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub struct Zip(pub String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub struct Address {
    pub street: String,
    pub zip: Zip,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub struct AddressV2 {
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
    pub place: AddressV2,
    pub target: Target,
}

impl From<Scheduled> for ScheduledV2 {
    fn from(old: Scheduled) -> Self {
        Self {
            title: old.title,
            place: AddressV2 {
                street: old.place.street,
                zip: old.place.zip,
                country: "DE".to_owned(),
            },
            target: old.target,
        }
    }
}

fn main() {}
