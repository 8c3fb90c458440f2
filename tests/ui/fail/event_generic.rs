use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Changed<T> {
    pub to: T,
}

fn main() {}
