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

/// How often the one who has it asks, so that a store that cannot be reached for a while does not lose it.
const RENEWS: u32 = 3;

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
    /// An answer that the follower does not know yet.
    news: Option<Lease>,
    /// The answer may not be true any more.
    in_doubt: bool,
}

impl Hold {
    pub(super) fn new(store: &Store, key: Option<ProjectionKey<'static>>, time: Duration) -> Self {
        Self {
            store: store.clone(),
            key,
            holder: Uuid::now_v7(),
            time,
            last: None,
            news: None,
            in_doubt: false,
        }
    }

    /// How long an answer is taken for true.
    fn fresh(&self, lease: Lease) -> Duration {
        self.time / if lease.is_held { RENEWS } else { ASKS }
    }

    /// The longest time to wait before it is asked for again.
    pub(super) async fn pause(&self) {
        match &self.last {
            None => std::future::pending().await,
            Some((lease, at)) => sleep(self.fresh(*lease).saturating_sub(at.elapsed())).await,
        }
    }

    /// Asks for it, unless it was answered not long ago, or none is needed. What is new is told by [`news`](Self::news).
    pub(super) async fn ask(&mut self) -> Result<(), StoreError> {
        let Some(key) = self.key else {
            return Ok(());
        };
        if let Some((lease, at)) = self.last
            && !self.in_doubt
            && at.elapsed() < self.fresh(lease)
        {
            return Ok(());
        }
        // Taken before it is asked for: the store's time begins later.
        let now = Instant::now();
        let (backend, tenant) = (self.store.backend(), self.store.tenant());
        let lease = backend.lease(tenant, key, self.holder, self.time).await?;
        let had = self.last.is_some_and(|(last, _)| last.is_held);
        if had != lease.is_held {
            let position = lease.position;
            if lease.is_held {
                tracing::info!(follower = key.name, %position, "this process runs it now");
            } else if had {
                tracing::warn!(follower = key.name, %position, "another process runs it now");
            }
        }
        (self.last, self.news, self.in_doubt) = (Some((lease, now)), Some(lease), false);
        Ok(())
    }

    /// Asks for it where it is had: one that does nothing keeps it, but takes it from nobody who could go on instead.
    pub(super) async fn keep(&mut self) -> Result<(), StoreError> {
        if self.key.is_some() && !self.is_held() {
            return Ok(());
        }
        self.ask().await
    }

    /// What was answered since this was called last.
    pub(super) fn news(&mut self) -> Option<Lease> {
        self.news.take()
    }

    /// Where the checkpoint stands now: cheaper than to ask for the lease.
    pub(super) async fn look(&mut self) -> Result<Position, StoreError> {
        let Some((key, (lease, _))) = self.key.zip(self.last.as_mut()) else {
            return Ok(Position::START);
        };
        let kept = self.store.backend().checkpoint(self.store.tenant(), key);
        if let Some(kept) = kept.await? {
            lease.position = kept.position;
        }
        Ok(lease.position)
    }

    /// Whether it was had when it was asked for last.
    pub(super) fn is_held(&self) -> bool {
        self.key.is_none() || self.last.is_some_and(|(lease, _)| lease.is_held)
    }

    /// The next time it is asked for, whatever was answered.
    pub(super) fn doubt(&mut self) {
        self.in_doubt = true;
    }

    /// Asks for it from time to time, until another process has it.
    pub(super) async fn until_lost(&mut self) {
        loop {
            self.pause().await;
            match self.ask().await {
                Ok(()) if !self.is_held() => return,
                // The work goes on, which knows a newer revision: what it saved meanwhile has raised it.
                Ok(()) => self.news = None,
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
}
