use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Opened {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = Opened)]
pub struct OpenedV3 {}

impl From<Opened> for OpenedV3 {
    fn from(_: Opened) -> Self {
        Self {}
    }
}

fn main() {}
