//! An id holds more, and has the same digits.

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
    pub struct PlanId(u64);

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

fn main() {}
