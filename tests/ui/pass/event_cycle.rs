use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = Opened)]
pub struct OpenedV2 {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Opened {}

impl From<Opened> for OpenedV2 {
    fn from(_: Opened) -> Self {
        Self {}
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = OpenedV2)]
pub struct OpenedV3 {}

impl From<OpenedV2> for OpenedV3 {
    fn from(_: OpenedV2) -> Self {
        Self {}
    }
}

fn main() {}
