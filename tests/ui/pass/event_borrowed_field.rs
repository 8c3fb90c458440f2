use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Opened {
    pub holder: String,
    pub scan: Vec<u8>,
}

fn main() {}
