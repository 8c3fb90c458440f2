//! The command lines `recount schema …` and `recount catalogue …`, also with `cargo` in front.
//!
//! `schema` keeps the files under `schema/`: which versions of which events were released, in which shape, with which payloads. What the
//! code is it does not read from the source but asks the code itself: the macros write a test for each event and each
//! aggregate under a lock, and these tests answer (`project`, `ask`, `code`). What may change and what may not is decided by the
//! rules of `recount-schema`.
//!
//! `catalogue` writes down what there is, from the same answers: commands, events in all versions, who emits and who handles them.
//!
//! The exit code is 0 when all is well, 1 when something was found, and 2 when nothing could be found out.

mod args;
mod ask;
mod base;
mod catalogue;
mod code;
mod codes;
mod commands;
mod grown;
mod judge;
mod outcome;
mod project;
mod streams;
mod taken;
mod witness;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

/// Runs a command line, the program's name included, and prints what came of it.
///
/// ```
/// // As `recount schema explain RC1011` on a terminal.
/// recount_cli::run(["recount", "schema", "explain", "RC1011"]);
/// ```
pub fn run<I, T>(arguments: I) -> ExitCode
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let command = match args::Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments.command,
        Err(error) => {
            // When not even that can be printed there is nobody to tell.
            let _ = error.print();
            if error.use_stderr() {
                return ExitCode::from(2);
            }
            return ExitCode::SUCCESS;
        }
    };
    match command {
        args::Command::Schema(schema) => outcome::print(commands::run(&schema), schema.format),
        args::Command::Catalogue(wanted) => {
            outcome::print(catalogue::run(&wanted), args::Format::Text)
        }
    }
}
