use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point(f64, f64);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub struct Place {
    pub name: String,
    pub at: Point,
    pub stops: Vec<Point>,
}

fn main() {}
