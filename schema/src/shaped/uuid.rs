//! The type of the crate `uuid`, which writes hyphens and reads every form.

use crate::{Format, Shape, Shaped};

impl Shaped for uuid::Uuid {
    const SHAPE: &'static Shape = &Shape::String(Format::Uuid);
}
