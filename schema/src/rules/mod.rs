//! The rules by which a shape may change, all of them `const`.

mod advice;
mod compare;
mod describe;
mod key;
mod lint;
mod path;
mod released;
mod report;
mod rule;
mod structs;
mod variants;

pub use advice::Advice;
pub use compare::compare;
pub use key::StreamKey;
pub use lint::{lint, lint_event};
pub use released::{Read, Released};
pub use report::{Breaks, Problem, Report};
pub use rule::{Guard, Level, Rule};

pub(crate) use describe::name as format_name;
