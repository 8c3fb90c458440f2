//! What the compiler says to a mistake, and that the help it gives is right.
//!
//! Each case under `ui/fail` holds one mistake (`.stderr` is the whole output), and its twin under `ui/pass` is the same
//! file after doing what `help` says. After a change of a message: `TRYBUILD=overwrite cargo test --test ui`, and read the
//! difference.

#[test]
fn every_mistake_has_its_own_message_and_the_help_compiles() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/fail/*.rs");
    cases.pass("tests/ui/pass/*.rs");
}
