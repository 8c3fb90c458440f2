//! The command line as its users meet it: a package in a folder of its own, changed, built and asked.

mod accept;
mod bump;
mod damaged;
mod end;
mod life;
mod names;
mod outcome;
mod packed;
mod postgres;
mod project;
mod streams;
mod unapplied;
mod workspace;
