use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Opened {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = Opened, with = convert)]
pub struct Begun {}

pub fn convert(_: Opened) -> Begun {
    Begun {}
}

fn main() {}
