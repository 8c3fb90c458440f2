//! A field that stored events do not have may be missing, or has a default.

use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Completed {
    pub minutes: u16,
    pub coach: Option<String>,
    #[serde(default)]
    pub watts: u16,
    pub note: Option<String>,
}

fn main() {}
