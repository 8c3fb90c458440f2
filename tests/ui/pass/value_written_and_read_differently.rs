use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[serde(try_from = "String")]
#[serde(into = "String")]
pub struct Zip(u32);

impl TryFrom<String> for Zip {
    type Error = std::num::ParseIntError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

impl From<Zip> for String {
    fn from(zip: Zip) -> Self {
        zip.0.to_string()
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub struct Renamed {
    #[serde(rename(serialize = "new", deserialize = "old"))]
    #[serde(alias = "new")]
    pub number: u64,
}

fn main() {}
