//! Only the compiler knows what an alias is.

use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Completed {
    pub minutes: u16,
    pub coach: Name,
    pub note: Option<String>,
}

pub type Name = Option<String>;

fn main() {}
