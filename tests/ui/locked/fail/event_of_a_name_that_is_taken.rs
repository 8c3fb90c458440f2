//! A new event has the name of one that another category has released.

use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Moved {
    pub shelf: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct PumpId(String);

#[derive(Debug, Clone, Default, PartialEq, Aggregate)]
#[aggregate(stream = "pump", id = PumpId, locked)]
pub struct Pump {
    pub shelf: String,
}

#[apply]
impl Pump {
    fn moved(&mut self, event: Moved) {
        self.shelf = event.shelf;
    }
}

fn main() {}
