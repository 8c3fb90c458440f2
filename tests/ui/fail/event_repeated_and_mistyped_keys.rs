use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = Opened, version = "1", version = 1, formerly, upcast_json(f))]
pub struct AccountOpened {}

fn main() {}
