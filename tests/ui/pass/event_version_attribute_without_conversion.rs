use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 2, upcast_json(1 => same))]
pub struct Opened {}

fn same(json: recount::serde_json::Value) -> recount::serde_json::Value {
    json
}

fn main() {}
