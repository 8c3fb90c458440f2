use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "Opened")]
pub struct AccountOpened {}

fn main() {}
