//! What a domain relies on, on every store: the repository, snapshots, projections, units of work.

mod acts;
mod bank;
mod bus;
mod errors;
mod faults;
mod homes;
mod leases;
mod metrics;
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
mod units_of_work;
