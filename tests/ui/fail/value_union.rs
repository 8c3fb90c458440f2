use recount::prelude::*;

#[derive(Clone, Copy, ValueObject)]
pub union Either {
    a: u8,
    b: i8,
}

fn main() {}
