use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Changed {
    pub to: String,
}

fn main() {}
