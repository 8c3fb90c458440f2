//! Durable stores when their processes are killed and when many race, held to their promises by an oracle that knows what
//! each caller asked for and was told.
//!
//! `history` is what callers saw, `oracle` says whether a log explains it, `writers` and `readers` are the callers,
//! `child` runs them in a process of their own, `crash` kills those over a SQLite file, `races` lets them compete on every store,
//! `ended` kills them and ends their connections while they compete on a server, `followers` kills and stops those that run
//! projections and reactions.
//!
//! | variable | what it does | without it |
//! |---|---|---|
//! | `RECOUNT_KILLS` | how many processes are killed; a fifth of them in each test of followers | 200 |
//! | `RECOUNT_RACE_SECONDS` | how long each kind of race takes | 5 |
//! | `RECOUNT_SEED` | repeats the choices of a run that failed, as far as its timing allows | another each time |

mod child;
mod crash;
mod dice;
mod domain;
mod draws;
mod ended;
mod faults;
mod followers;
mod history;
mod oracle;
mod races;
mod readers;
#[path = "../support/postgres.rs"]
mod server;
mod writers;

/// A number from the environment.
fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")),
    )
}

/// The seed to repeat, or a new one; tell it, since it is shown when the test fails.
fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    let seed = setting("RECOUNT_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    println!("RECOUNT_SEED={seed}");
    seed
}
