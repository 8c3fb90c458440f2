use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Event)]
pub enum AccountEvent {
    Opened(String, u32),
    #[event(name = "Shut")]
    Closed(Closed),
    #[event(version = 2)]
    Renamed { to: String },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Closed {}

fn main() {}
