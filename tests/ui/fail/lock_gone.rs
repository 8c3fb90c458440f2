//! An aggregate that is locked, and no lock.

use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct WorkoutId(String);

#[derive(Debug, Clone, Default, PartialEq, Aggregate)]
#[aggregate(stream = "workout", id = WorkoutId, locked)]
pub struct Workout {
    pub minutes: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Completed {
    pub minutes: u32,
}

#[apply]
impl Workout {
    fn completed(&mut self, event: Completed) {
        self.minutes = event.minutes;
    }
}

fn main() {}
