use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Event)]
pub enum AccountEvent {
    Opened { holder: String },
    #[event(formerly = "Opened")]
    Begun,
}

fn main() {}
