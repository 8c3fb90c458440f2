//! What a domain relies on, on every store: the repository, snapshots, projections, units of work.

mod acts;
mod aside;
mod bank;
mod bus;
mod cached;
mod errors;
mod faults;
mod homes;
mod leases;
mod metrics;
mod neighbours;
mod projections;
mod reactors;
mod repository;
mod runner;
mod seen;
#[path = "../support/postgres.rs"]
mod server;
mod snapshots;
mod stores;
mod subscriptions;
mod tables;
mod tenants;
mod told;
mod units_of_work;

use recount::aggregate::Apply;
use recount::prelude::*;

/// As it is by default; `cached` has another.
fn repository_of<A: Apply + Clone>(store: &Store) -> Repository<A> {
    Repository::new(store)
}
