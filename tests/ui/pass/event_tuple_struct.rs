use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Opened {
    pub field_0: String,
    pub field_1: u32,
}

fn main() {}
