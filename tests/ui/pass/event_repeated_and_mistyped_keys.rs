use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "Opened", version = 1, formerly = "Begun")]
pub struct AccountOpened {}

fn main() {}
