use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 1)]
pub struct MotorV8 {}

fn main() {}
