use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Event)]
pub struct Opened {
    pub holder: String,
}

fn main() {}
