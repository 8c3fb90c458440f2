use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point(f64, f64);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[value(opague = "place@1")]
pub struct Place {
    #[value(opaque = "geo::Point")]
    pub at: Point,
    #[value(opaque = "geo::Point@0")]
    pub to: Point,
    #[value(opaque = "geo::Point@1", shape = u8)]
    pub over: Point,
    #[value(shape)]
    pub under: Point,
}

fn main() {}
