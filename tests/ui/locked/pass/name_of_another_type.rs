//! The stored name stands at both types.

use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "Moved")]
pub struct Shifted {
    pub by_days: i32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = Shifted, name = "Moved", version = 2)]
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
