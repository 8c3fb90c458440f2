use recount::prelude::*;

#[derive(Event)]
pub union Opened {
    pub holder: u32,
}

fn main() {}
