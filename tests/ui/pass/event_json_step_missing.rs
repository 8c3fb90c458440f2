use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 3, upcast_json(1 => same, 2 => same))]
pub struct Opened {}

fn same(json: recount::serde_json::Value) -> recount::serde_json::Value {
    json
}

fn main() {}
