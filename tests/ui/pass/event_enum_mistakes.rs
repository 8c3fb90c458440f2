use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Event)]
pub enum AccountEvent {
    Opened { holder: String, age: u32 },
    Closed(Closed),
    #[event(version = 2, upcast_json(1 => same))]
    Renamed { to: String },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "Shut")]
pub struct Closed {}

fn same(json: recount::serde_json::Value) -> recount::serde_json::Value {
    json
}

fn main() {}
