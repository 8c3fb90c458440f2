//! `cargo recount schema …`: cargo puts its own name for the command in front of the arguments.

use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1).enumerate();
    let arguments = arguments.filter(|(at, argument)| *at != 0 || argument != "recount");
    // As it is called in what is said of its usage.
    let name = std::iter::once(OsString::from("cargo recount"));
    recount_cli::run(name.chain(arguments.map(|(_, argument)| argument)))
}
