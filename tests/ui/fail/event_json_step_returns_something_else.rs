use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 2, upcast_json(1 => text))]
pub struct Opened {}

fn text(json: recount::serde_json::Value) -> String {
    json.to_string()
}

fn main() {}
