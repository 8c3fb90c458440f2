//! Stored events may hold null.

use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Completed {
    pub minutes: u16,
    pub note: String,
}

fn main() {}
