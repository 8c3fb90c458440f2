//! The next version of an event has nothing to do with that of another category's event of its name.

pub mod shoe {
    use recount::prelude::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    pub struct Checked {
        pub sole: u8,
    }

    /// Another category has a version 2.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(upcast_from = Checked)]
    pub struct CheckedV2 {
        pub sole: u8,
        pub laces: u8,
    }

    impl From<Checked> for CheckedV2 {
        fn from(old: Checked) -> Self {
            Self {
                sole: old.sole,
                laces: 0,
            }
        }
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
        fn checked(&mut self, event: CheckedV2) {
            self.sole = event.sole;
        }
    }
}

fn main() {}
