use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Event)]
pub struct Opened<'a> {
    pub holder: &'a str,
    pub scan: &'a [u8],
}

fn main() {}
