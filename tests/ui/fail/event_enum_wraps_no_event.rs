use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Event)]
pub enum AccountEvent {
    Opened(Opened),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Opened {}

fn main() {}
