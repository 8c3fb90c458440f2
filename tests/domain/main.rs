//! What a domain relies on, on every store: the repository, snapshots, projections, units of work.

mod bank;
mod errors;
mod faults;
mod projections;
mod repository;
mod snapshots;
mod stores;
mod tenants;
mod units_of_work;
