use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Opened {
    pub holder: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct OpenedV2 {
    pub holder: String,
    pub country: String,
}

impl From<Opened> for OpenedV2 {
    fn from(old: Opened) -> Self {
        Self {
            holder: old.holder,
            country: String::new(),
        }
    }
}

fn main() {}
