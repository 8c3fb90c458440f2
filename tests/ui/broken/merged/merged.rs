//! A merge left its markers: that is all that is wrong, though two aggregates are locked and a version was dropped perhaps.

use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Completed {
    pub minutes: u16,
    pub note: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct NamedV2 {
    pub title: String,
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
    fn completed(&mut self, event: Completed) {
        self.minutes = event.minutes.into();
    }
}

#[derive(Debug, Clone, Default, PartialEq, Aggregate)]
#[aggregate(stream = "plan", id = WorkoutId, locked)]
pub struct Plan {
    pub title: String,
}

#[apply]
impl Plan {
    fn named(&mut self, event: NamedV2) {
        self.title = event.title;
    }
}

fn main() {}
