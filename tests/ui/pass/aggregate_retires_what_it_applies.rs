//! An event is retired, and applied by a method all the same.

use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Opened {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Closed {}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct AccountId(String);

#[derive(Debug, Clone, Default, PartialEq, Aggregate)]
#[aggregate(stream = "account", id = AccountId, retired("Frozen"))]
pub struct Account {}

#[apply]
impl Account {
    fn opened(&mut self, _: Opened) {}
    fn closed(&mut self, _: Closed) {}
}

fn main() {}
