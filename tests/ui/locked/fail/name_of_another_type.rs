//! The stored name stands only at the type that it is upcast from.

use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "Moved")]
pub struct Shifted {
    pub by_days: i32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = Shifted, version = 2)]
pub struct ShiftedAgain {
    pub by_hours: i64,
}

impl From<Shifted> for ShiftedAgain {
    fn from(old: Shifted) -> Self {
        Self {
            by_hours: i64::from(old.by_days) * 24,
        }
    }
}

fn main() {}
