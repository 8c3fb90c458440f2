//! The types of the crate `serde_json` that hold any JSON.

use crate::{Shape, Shaped};

impl Shaped for serde_json::Value {
    const SHAPE: &'static Shape = &Shape::Any;
}

impl Shaped for serde_json::Map<String, serde_json::Value> {
    const SHAPE: &'static Shape = &Shape::map(&Shape::STRING, &Shape::Any);
}
