use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Change {
    Kept,
    Removed,
    Set(String),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct NicknameChanged {
    pub nickname: Change,
}

fn main() {}
