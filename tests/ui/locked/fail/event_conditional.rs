//! A released event depends on the build: this one leaves its variant out.

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
    pub place: Address,
    pub target: Target,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Completed {
    pub minutes: u16,
    pub note: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
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

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub enum Change {
    Moved(MovedV2),
    #[cfg(any())]
    Completed(Completed),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct WorkoutId(String);

#[derive(Debug, Clone, Default, PartialEq, Aggregate)]
#[aggregate(stream = "workout", id = WorkoutId, locked)]
pub struct Workout {
    pub minutes: u32,
}

#[apply]
impl Workout {
    fn scheduled(&mut self, _: Scheduled) {}
    fn change(&mut self, _: Change) {}
}

fn main() {}
