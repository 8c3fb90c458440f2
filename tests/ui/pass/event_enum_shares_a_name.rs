use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Event)]
pub enum AccountEvent {
    Opened { holder: String },
    Begun,
}

fn main() {}
