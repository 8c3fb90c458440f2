use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(nane = "Opened", colour = "red")]
pub struct AccountOpened {}

fn main() {}
