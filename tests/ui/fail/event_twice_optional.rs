use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct NicknameChanged {
    pub nickname: Option<Option<String>>,
}

fn main() {}
