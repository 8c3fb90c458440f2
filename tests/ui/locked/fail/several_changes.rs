//! All independent mistakes are told in one build.

use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub struct Zip(pub u32);

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
    pub place: Address,
    pub target: Target,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Completed {
    pub minutes: bool,
    pub note: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Moved {
    pub by_days: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = Moved)]
pub struct MovedV2 {
    pub by_hours: i64,
}

impl From<Moved> for MovedV2 {
    fn from(old: Moved) -> Self {
        Self {
            by_hours: i64::from(old.by_days) * 24,
        }
    }
}

fn main() {}
