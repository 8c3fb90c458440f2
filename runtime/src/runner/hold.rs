//! The lease of a projection, as its task has it.
//!
//! It is asked for anew when a third of its time is over, so that a store that cannot be reached for a while does not lose it. When
//! its holder dies, another process has it once that time is over. What makes it safe is not the time: whoever lost it cannot save,
//! see [`Lease`].

use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::Store;
use crate::background::sleep;
use crate::log::Position;
use crate::store::{Lease, ProjectionKey, StoreError};

/// How often those who wait for a lease ask, in shares of its time.
const ASKS: u32 = 6;

/// The lease of one projection.
#[derive(Debug)]
pub(super) struct Hold {
    store: Store,
    /// None for what lives with the process and needs no lease.
    key: Option<ProjectionKey<'static>>,
    holder: Uuid,
    time: Duration,
    /// What was answered last, and when it was asked.
    last: Option<(Lease, Instant)>,
}

impl Hold {
    pub(super) fn new(store: &Store, key: Option<ProjectionKey<'static>>, time: Duration) -> Self {
        Self {
            store: store.clone(),
            key,
            holder: Uuid::now_v7(),
            time,
            last: None,
        }
    }

    /// How long it may be had without asking.
    fn fresh(&self) -> Duration {
        self.time / 3
    }

    /// The longest time to wait before it is asked for again.
    pub(super) async fn pause(&self) {
        match &self.last {
            None => std::future::pending().await,
            Some((lease, at)) if lease.is_held => {
                sleep(self.fresh().saturating_sub(at.elapsed())).await;
            }
            Some(_) => sleep(self.time / ASKS).await,
        }
    }

    /// Asks for it, unless it was given not long ago, or none is needed: then there is nothing new.
    pub(super) async fn ask(&mut self) -> Result<Option<Lease>, StoreError> {
        let Some(key) = self.key else {
            return Ok(None);
        };
        if let Some((lease, at)) = self.last
            && lease.is_held
            && at.elapsed() < self.fresh()
        {
            return Ok(None);
        }
        // Taken before it is asked for: the store's time begins later.
        let now = Instant::now();
        let (backend, tenant) = (self.store.backend(), self.store.tenant());
        let lease = backend.lease(tenant, key, self.holder, self.time).await?;
        let had = self.last.is_some_and(|(last, _)| last.is_held);
        if had != lease.is_held {
            let position = lease.position;
            if lease.is_held {
                tracing::info!(projection = key.name, %position, "this process runs it now");
            } else if had {
                tracing::warn!(projection = key.name, %position, "another process runs it now");
            }
        }
        self.last = Some((lease, now));
        Ok(Some(lease))
    }

    /// Whether it was had when it was asked for last.
    pub(super) fn is_held(&self) -> bool {
        self.key.is_none() || self.last.is_some_and(|(lease, _)| lease.is_held)
    }

    /// The next time it is asked for, whatever was answered.
    pub(super) fn doubt(&mut self) {
        if let Some((_, at)) = &mut self.last {
            *at = at.checked_sub(self.time).unwrap_or(*at);
        }
    }

    /// Asks for it from time to time, until another process has it.
    pub(super) async fn until_lost(&mut self) {
        loop {
            self.pause().await;
            match self.ask().await {
                Ok(Some(lease)) if !lease.is_held => return,
                Ok(_) => {}
                // It is lost only when somebody else has it, which the store will tell.
                Err(error) => {
                    tracing::debug!(%error, "a lease could not be renewed");
                    sleep(self.time / ASKS).await;
                }
            }
        }
    }

    /// Lets another process have it.
    pub(super) async fn release(&mut self) {
        let Some(key) = self.key.filter(|_| self.is_held()) else {
            return;
        };
        let (backend, tenant) = (self.store.backend(), self.store.tenant());
        let released = backend
            .lease(tenant, key, self.holder, Duration::ZERO)
            .await;
        if let Err(error) = released {
            tracing::debug!(%error, "a lease could not be given back; it ends by itself");
        }
        self.last = None;
    }

    /// Where the checkpoint stood when it was asked for last.
    pub(super) fn position(&self) -> Position {
        self.last
            .map_or(Position::START, |(lease, _)| lease.position)
    }
}
