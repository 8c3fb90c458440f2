use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub struct Lap {
    #[serde(with = "text")]
    pub number: u64,
    #[serde(default, deserialize_with = "text::deserialize")]
    pub seconds: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub enum Signal {
    #[serde(with = "text")]
    Count(u64),
}

mod text {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        u64::deserialize(deserializer)
    }
}

fn main() {}
