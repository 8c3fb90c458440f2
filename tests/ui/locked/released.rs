//! What the lock beside these cases holds, as it was released; each case changes something of it.

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
    fn moved(&mut self, _: MovedV2) {}
    fn completed(&mut self, event: Completed) {
        self.minutes = event.minutes.into();
    }
}

/// Two categories have an event of one name, and the types are called alike.
pub mod plan {
    use recount::prelude::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    pub struct Closed {
        pub reason: String,
    }

    /// Version 1 was dropped, and its type deleted.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    pub struct NamedV2 {
        pub title: String,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Id)]
    pub struct PlanId(u32);

    #[derive(Debug, Clone, Default, PartialEq, Aggregate)]
    #[aggregate(stream = "plan", id = PlanId, locked)]
    pub struct Plan {
        pub title: String,
    }

    #[apply]
    impl Plan {
        fn named(&mut self, event: NamedV2) {
            self.title = event.title;
        }
        fn closed(&mut self, _: Closed) {}
    }
}

pub mod season {
    use recount::prelude::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    pub struct Closed {
        pub weeks: u8,
    }

    #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
    pub struct SeasonId(String);

    #[derive(Debug, Clone, Default, PartialEq, Aggregate)]
    #[aggregate(stream = "season", id = SeasonId, locked)]
    pub struct Season {
        pub weeks: u8,
    }

    #[apply]
    impl Season {
        fn closed(&mut self, event: Closed) {
            self.weeks = event.weeks;
        }
    }
}

/// Two categories have an event of one name, of which one went on.
pub mod bike {
    use recount::prelude::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    pub struct Checked {
        pub by: String,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(upcast_from = Checked)]
    pub struct CheckedV2 {
        pub by: String,
        pub tyres: bool,
    }

    impl From<Checked> for CheckedV2 {
        fn from(old: Checked) -> Self {
            Self {
                by: old.by,
                tyres: false,
            }
        }
    }

    #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
    pub struct BikeId(String);

    #[derive(Debug, Clone, Default, PartialEq, Aggregate)]
    #[aggregate(stream = "bike", id = BikeId, locked)]
    pub struct Bike {
        pub by: String,
    }

    #[apply]
    impl Bike {
        fn checked(&mut self, event: CheckedV2) {
            self.by = event.by;
        }
    }
}

pub mod shoe {
    use recount::prelude::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    pub struct Checked {
        pub sole: u8,
    }

    #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
    pub struct ShoeId(String);

    #[derive(Debug, Clone, Default, PartialEq, Aggregate)]
    #[aggregate(stream = "shoe", id = ShoeId, locked)]
    pub struct Shoe {
        pub sole: u8,
    }

    #[apply]
    impl Shoe {
        fn checked(&mut self, event: Checked) {
            self.sole = event.sole;
        }
    }
}

pub fn main() {}
