//! Each key that the type does not have would be an error.

use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[serde(deny_unknown_fields)]
pub struct Completed {
    pub minutes: u16,
}

fn main() {}
