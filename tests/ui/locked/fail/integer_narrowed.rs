//! Stored numbers may not fit.

use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Completed {
    pub minutes: u8,
    pub note: Option<String>,
}

fn main() {}
