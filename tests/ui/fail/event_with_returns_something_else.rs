use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Opened {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = Opened, with = convert)]
pub struct OpenedV2 {}

pub fn convert(_: Opened) -> String {
    String::new()
}

fn main() {}
