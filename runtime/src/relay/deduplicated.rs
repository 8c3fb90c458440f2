//! A consumer that passes over repetitions.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use super::{ConsumeError, Consumer, Delivery, Receipt};
use crate::log::EventId;
use crate::store::{BackendError, BoxFuture};

/// A consumer that acknowledges by itself, and passes over, events that it saw acknowledged before: made by
/// [`Consumer::deduplicated`].
///
/// It remembers the ids of the last events that were acknowledged through it, in memory. An event whose repetition comes later than
/// that, after a restart, or to another consumer of the group, is delivered again: where that matters, keep the id with the effect
/// in a database of your own, as the [module](super) shows. An event that was delivered and not acknowledged is never passed over.
///
/// ```no_run
/// # async fn example(consumer: impl recount::relay::Consumer) -> Result<(), recount::relay::ConsumeError> {
/// use recount::relay::Consumer;
///
/// let mut consumer = consumer.deduplicated(10_000); // 16 bytes and some each
/// if let Some(delivery) = consumer.next().await? {
///     delivery.ack().await?;
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Deduplicated<C> {
    inner: C,
    seen: Arc<Mutex<Seen>>,
}

impl<C: Consumer> Deduplicated<C> {
    pub(super) fn new(inner: C, window: usize) -> Self {
        let seen = Seen {
            ids: HashSet::new(),
            order: VecDeque::new(),
            window: window.max(1),
        };
        Self {
            inner,
            seen: Arc::new(Mutex::new(seen)),
        }
    }
}

impl<C: Consumer> Consumer for Deduplicated<C> {
    fn url(&self) -> &str {
        self.inner.url()
    }

    async fn next(&mut self) -> Result<Option<Delivery>, ConsumeError> {
        while let Some(delivery) = self.inner.next().await? {
            let id = delivery.event().recorded.id;
            let is_known = lock(&self.seen).ids.contains(&id);
            if !is_known {
                let seen = Arc::clone(&self.seen);
                return Ok(Some(delivery.with_receipt(|inner| Remembering {
                    id,
                    seen,
                    inner,
                })));
            }
            // Dropped before that, it is delivered once more, and known then too.
            delivery.ack().await?;
        }
        Ok(None)
    }
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The ids of the last events that were acknowledged.
#[derive(Debug)]
struct Seen {
    ids: HashSet<EventId>,
    order: VecDeque<EventId>,
    window: usize,
}

impl Seen {
    fn add(&mut self, id: EventId) {
        if !self.ids.insert(id) {
            return;
        }
        self.order.push_back(id);
        if self.order.len() > self.window
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
    }
}

/// Remembers an event when it is acknowledged.
struct Remembering {
    id: EventId,
    seen: Arc<Mutex<Seen>>,
    inner: Box<dyn Receipt>,
}

impl Receipt for Remembering {
    fn ack(&self) -> BoxFuture<'_, Result<(), BackendError>> {
        // Before the broker is told: the event was handled, whether it understands or not.
        lock(&self.seen).add(self.id);
        self.inner.ack()
    }
}
