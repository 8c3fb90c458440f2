//! Another category has an event of this name, of which this would be the next version: the list of events tells the two apart.

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
        pub tires: bool,
    }

    impl From<Checked> for CheckedV2 {
        fn from(old: Checked) -> Self {
            Self {
                by: old.by,
                tires: false,
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

fn main() {}
