//! The JSON shapes of stored events, the rules by which they may change, and the files that lock them.
//!
//! Once an event has been released, a change that makes its stored payloads unreadable must not compile. This crate
//! is the part that knows what a type writes and reads ([`Shape`]), when one shape can read what another one wrote
//! ([`compare`]), and where released shapes are kept (`lock`, with the feature of that name). All rules are `const`, so
//! that the macros can have the compiler decide, with the types as they are after aliases, generics and other crates.
//!
//! ```
//! use recount_schema::{Breaks, Field, Rule, Shape, Struct, compare};
//!
//! const RELEASED: Shape = Shape::Struct(Struct::new(&[Field::of::<u16>("reps")]));
//! const NOW: Shape = Shape::Struct(Struct::new(&[Field::of::<u8>("reps"), Field::of::<Option<String>>("note")]));
//!
//! let report = compare(&RELEASED, &NOW);
//! let [problem] = report.problems() else { panic!("{report}") };
//! assert_eq!(problem.rule, Rule::IntegerRange);
//! assert_eq!(problem.breaks, Breaks::BACKWARD);
//! assert_eq!(problem.to_string(), "[RC1011] .reps: u16 0..=65535 -> u8 0..=255 (backward)");
//! ```
//!
//! # Features
//!
//! | feature | brings |
//! |---|---|
//! | `chrono`, `uuid`, `serde_json` | the shapes of their types |
//! | `lock` | the module `lock`: the files under `schema/` |
//! | `json` | of that module what is JSON, contracts and samples, without the index and digests |
//! | `values` | the module `values`: payloads judged by a shape, and payloads made from one |

mod closest;
mod digest;
#[cfg(feature = "json")]
pub mod lock;
mod probe;
mod rules;
mod shape;
mod shaped;
mod text;
#[cfg(feature = "values")]
pub mod values;

pub use digest::digest;
pub use rules::{
    Advice, Breaks, Guard, Level, Problem, Read, Released, Report, Rule, StreamKey, compare, lint,
    lint_event,
};
pub use shape::{
    Body, Element, Enum, Field, Float, Format, Int, Map, Reads, Seq, Shape, Struct, Tagging,
    Variant, Written,
};
pub use shaped::Shaped;
pub use text::Text;

/// What generated code calls. No part of the public interface.
#[doc(hidden)]
pub mod private {
    pub mod terms;

    pub use crate::closest::closest;
    pub use crate::digest::digest_of_released;
    pub use crate::probe::{Fallback, Probe};
    pub use crate::shaped::ShapedWithin;
}
