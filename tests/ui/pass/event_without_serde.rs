use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Opened {
    pub holder: String,
}

fn main() {}
