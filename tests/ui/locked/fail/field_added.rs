//! A field that stored events do not have.

use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Completed {
    pub minutes: u16,
    pub coach: String,
    pub note: Option<String>,
}

fn main() {}
