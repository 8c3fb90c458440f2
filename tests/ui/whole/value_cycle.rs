use recount::prelude::*;
use recount::schema::{Shape, Shaped};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub struct Block {
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub struct Step {
    #[value(opaque = "Block@1")]
    pub repeated: Option<Block>,
}

const _: &Shape = Block::SHAPE;

fn main() {}
