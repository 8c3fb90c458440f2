use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Opened {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 2, with = convert)]
pub struct Begun {}

pub fn convert(_: Opened) -> Begun {
    Begun {}
}

fn main() {}
