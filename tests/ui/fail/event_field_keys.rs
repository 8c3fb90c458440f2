use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Moved {
    #[event(opaque = "Point")]
    pub to: (f64, f64),
    #[event(shapes = u8)]
    pub by: u8,
}

fn main() {}
