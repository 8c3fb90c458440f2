//! The stored name stands only at the newest version.

use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Shifted {
    pub by_days: i32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = Shifted, formerly = "Moved")]
pub struct ShiftedV2 {
    pub by_hours: i64,
}

impl From<Shifted> for ShiftedV2 {
    fn from(old: Shifted) -> Self {
        Self {
            by_hours: i64::from(old.by_days) * 24,
        }
    }
}

fn main() {}
