use recount::prelude::*;

#[derive(Serialize, Deserialize, Event)]
pub struct Opened {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = Opened)]
pub struct OpenedV2 {}

impl From<Opened> for OpenedV2 {
    fn from(_: Opened) -> Self {
        Self {}
    }
}

fn main() {}
