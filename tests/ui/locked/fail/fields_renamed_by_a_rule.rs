//! A rule gives fields other names.

use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[serde(rename_all = "camelCase")]
pub struct Moved {
    pub by_days: i32,
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
