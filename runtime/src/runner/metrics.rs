//! What a follower does, as metrics: of the crate `metrics`, with the feature of that name.
//!
//! | metric | kind | |
//! |---|---|---|
//! | `recount_events_handled_total` | counter | events that were handled |
//! | `recount_errors_total` | counter | errors that were met |
//! | `recount_position` | gauge | the position up to which everything is handled |
//! | `recount_lag_positions` | gauge | how far the end of the log was ahead when it was looked at last |
//! | `recount_lag_seconds` | gauge | how old the last event was when it was handled; 0 while there is none to handle |
//! | `recount_set_aside` | gauge | events that are set aside, where this process runs it; 0 elsewhere |
//! | `recount_running` | gauge | 1 where this process runs it, 0 where it is paused, stopped, ended, or runs elsewhere |
//!
//! Each has the label `follower`, its name, and `tenant` where its store is bound to one.

use crate::Store;
use crate::log::Position;

/// The metrics of one follower; nothing without the feature.
#[derive(Clone)]
pub(super) struct Metrics {
    #[cfg(feature = "metrics")]
    inner: Inner,
}

#[cfg(feature = "metrics")]
#[derive(Clone)]
struct Inner {
    handled: metrics::Counter,
    errors: metrics::Counter,
    position: metrics::Gauge,
    lag: metrics::Gauge,
    age: metrics::Gauge,
    set_aside: metrics::Gauge,
    running: metrics::Gauge,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

#[cfg(feature = "metrics")]
#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float, and a position beyond 2^53 is still told well"
)]
impl Metrics {
    pub(super) fn new(name: &'static str, store: &Store) -> Self {
        let mut labels = vec![metrics::Label::new("follower", name)];
        if let Some(tenant) = store.tenant() {
            labels.push(metrics::Label::new("tenant", tenant.as_str().to_owned()));
        }
        let counter = |name: &'static str| metrics::counter!(name, labels.clone());
        let gauge = |name: &'static str| metrics::gauge!(name, labels.clone());
        let inner = Inner {
            handled: counter("recount_events_handled_total"),
            errors: counter("recount_errors_total"),
            position: gauge("recount_position"),
            lag: gauge("recount_lag_positions"),
            age: gauge("recount_lag_seconds"),
            set_aside: gauge("recount_set_aside"),
            running: gauge("recount_running"),
        };
        Self { inner }
    }

    pub(super) fn handled(&self, events: u64) {
        self.inner.handled.increment(events);
    }

    pub(super) fn failed(&self) {
        self.inner.errors.increment(1);
    }

    pub(super) fn is_at(&self, position: Position, end: Position) {
        self.inner.position.set(position.0 as f64);
        self.inner.lag.set(end.0.saturating_sub(position.0) as f64);
    }

    pub(super) fn is_behind(&self, age: std::time::Duration) {
        self.inner.age.set(age.as_secs_f64());
    }

    pub(super) fn set_aside(&self, events: u64) {
        self.inner.set_aside.set(events as f64);
    }

    pub(super) fn runs(&self, runs: bool) {
        self.inner.running.set(f64::from(u8::from(runs)));
    }
}

#[cfg(not(feature = "metrics"))]
#[expect(clippy::unused_self, reason = "as with the feature")]
impl Metrics {
    pub(super) fn new(_: &'static str, _: &Store) -> Self {
        Self {}
    }

    pub(super) fn handled(&self, _: u64) {}

    pub(super) fn failed(&self) {}

    pub(super) fn is_at(&self, _: Position, _: Position) {}

    pub(super) fn is_behind(&self, _: std::time::Duration) {}

    pub(super) fn set_aside(&self, _: u64) {}

    pub(super) fn runs(&self, _: bool) {}
}
