//! The JSON shapes that the derives write down: equal to what a person would write, and true.

mod fingerprints;
mod stored;
mod types;
