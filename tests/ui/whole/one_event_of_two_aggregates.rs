//! Two aggregates may apply one event, two events may have one name, and a projection tells them apart.
use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct AnyId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Opened {}

pub mod order {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    pub struct Closed {}

    #[derive(Debug, Default, Aggregate)]
    #[aggregate(stream = "order", id = AnyId)]
    pub struct Order {
        pub events: u32,
    }

    #[apply]
    impl Order {
        fn opened(&mut self, _: Opened) {
            self.events += 1;
        }

        fn closed(&mut self, _: Closed) {
            self.events += 1;
        }
    }
}

pub mod account {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    pub struct Closed {}

    #[derive(Debug, Default, Aggregate)]
    #[aggregate(stream = "account", id = AnyId)]
    pub struct Account {
        pub events: u32,
    }

    #[apply]
    impl Account {
        fn opened(&mut self, _: Opened) {
            self.events += 1;
        }

        fn closed(&mut self, _: Closed) {
            self.events += 1;
        }
    }
}

#[derive(Debug, Default)]
pub struct Counts {
    pub opened: u32,
    pub closed: u32,
    pub shipped: u32,
}

#[projection(name = "counts", of(order::Order, account::Account))]
impl Counts {
    fn opened(&mut self, _: Opened) {
        self.opened += 1;
    }

    fn closed(&mut self, _: account::Closed) {
        self.closed += 1;
    }

    fn shipped(&mut self, _: order::Closed) {
        self.shipped += 1;
    }
}

fn main() {
    let selectors = <Counts as Projection>::selectors();
    let of = |category: &str| {
        let found = selectors.iter().find(|it| it.category.as_deref() == Some(category));
        found.map(|it| it.names.clone()).unwrap_or_default()
    };
    assert_eq!(of("order"), ["Opened", "Closed"]);
    assert_eq!(of("account"), ["Opened", "Closed"]);
}

use recount::Projection;
