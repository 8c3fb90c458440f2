//! `recount schema …`.

use std::process::ExitCode;

fn main() -> ExitCode {
    recount_cli::run(std::env::args_os())
}
