//! The speed that this crate promises, measured against hand-written code that does the same work in the same run.
//!
//! `cargo bench --bench budget` runs everything; a part of a name selects: `cargo bench --bench budget -- replay`.
//! Floor and ours take turns, and each round gives one ratio, so that a machine that slows down slows both.
//!
//! `cargo bench --bench budget -- scale` grows one log to ten million events, some five gigabytes on the disk of the temporary
//! folder; it runs only when it is asked for. So does `cargo bench --bench budget --features postgres -- scale-postgres`, which
//! grows one on a PostgreSQL server.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    reason = "counts of a benchmark are far below any limit"
)]

mod append;
mod bank;
mod compile_time;
mod live;
mod paired;
#[cfg(feature = "postgres")]
mod postgres;
mod read;
mod replay;
mod scale;
mod tables;

fn main() {
    // `cargo test --benches` and `cargo bench` pass flags of their own; anything else selects by name.
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let selected = |name: &str| {
        wanted.is_empty() || wanted.iter().any(|wanted| name.contains(wanted.as_str()))
    };
    if wanted.iter().any(|wanted| wanted == "scale") {
        return scale::run();
    }
    #[cfg(feature = "postgres")]
    if wanted.iter().any(|wanted| wanted == "scale-postgres") {
        return scale::run_postgres();
    }
    paired::header("floor", "ours");
    let parts = [
        ("replay", replay::run as fn()),
        ("append", append::run),
        ("read", read::run),
        ("tables", tables::run),
        ("compile-time", compile_time::run),
        #[cfg(feature = "postgres")]
        ("postgres", postgres::run),
        // Without a floor: the others are told how long it takes.
        ("live", live::run),
    ];
    for (name, run) in parts {
        if selected(name) {
            run();
        }
    }
}
