use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 0)]
pub struct Opened {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct ClosedV0 {}

fn main() {}
