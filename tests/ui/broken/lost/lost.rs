//! A contract is missing.

use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Completed {
    pub minutes: u16,
    pub note: Option<String>,
}

fn main() {}
