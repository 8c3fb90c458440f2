use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point(f64, f64);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub struct Place {
    #[value(opaque = "geo::Point@1")]
    pub at: Point,
    #[value(opaque = "geo::Point@1")]
    pub to: Point,
    #[value(opaque = "geo::Point@1")]
    pub over: Point,
    #[value(shape = (f64, f64))]
    pub under: Point,
}

fn main() {}
