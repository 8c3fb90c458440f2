//! A new event has a stored name of its own.

use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "Shelved")]
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
