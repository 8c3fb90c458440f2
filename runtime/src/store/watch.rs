//! Being woken when something was appended, instead of asking again and again.

use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::sync::watch;

use super::poller::{Every, Poller};

/// Waits for appends: what [`Store::watch`](super::Store::watch) returns.
///
/// It says *that* there may be something new, not what: whoever is woken reads on from where it stood. It is made before the
/// first read, so that what is appended while that read is under way wakes too.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use recount::log::{Expected, NewEvent, Position, Query, StreamId};
///
/// let store = recount::Store::connect("memory:").await?;
/// let mut watch = store.watch();
/// # let writer = store.clone();
/// # tokio::spawn(async move {
/// #     writer.append(&StreamId::new("note", "1").unwrap(), Expected::Any, [NewEvent::json("Noted", 1, &"hello").unwrap()]).await
/// # });
///
/// let mut seen = Position::START;
/// loop {
///     for event in store.read(Query::all().after(seen)).collect().await? {
///         seen = event.position;
///         println!("{} {}", event.position, event.name);
///     }
///     # if seen > Position::START { break; }
///     watch.changed().await;
/// }
/// # Ok(()) }
/// ```
///
/// A clone waits by itself, for what its original has not been woken by yet.
#[derive(Debug, Clone)]
pub struct Watch {
    // Dropped before `attention`, which looks whether it was the last one.
    wakes_seen: watch::Receiver<u64>,
    attention: Attention,
}

impl Watch {
    /// Whether the store was closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.attention.0.is_closed()
    }

    /// Returns when the store was closed.
    pub(crate) async fn closed(&self) {
        let mut closed = self.attention.0.0.closed.subscribe();
        // The sender is there as long as `attention`.
        let _ = closed.wait_for(|closed| *closed).await;
    }

    /// Returns when something may have been appended since this watch was made or since this returned the last time, by this
    /// process or by any other: within milliseconds as a rule.
    ///
    /// It may return for nothing: because of another tenant's events, because several appends were told one by one and read
    /// together, or to look whether a signal was lost, which stores do that cannot rely on theirs. It never fails. A store
    /// that is closed wakes everybody who waits; from then on this returns every now and then, so that whoever reads is told.
    ///
    /// # Cancel safety
    /// A future that is dropped loses nothing: what would have woken it wakes the next one.
    pub async fn changed(&mut self) {
        let wakes = &self.attention.0;
        if wakes.is_closed() && !self.wakes_seen.has_changed().unwrap_or(false) {
            // Nobody tells anything any more.
            return Box::pin(Wakes::by_polling_alone().watch().changed()).await;
        }
        let _waiting = Waiting::begin(wakes);
        // It ends without a change only when the sender is gone, which `attention` holds.
        let _ = self.wakes_seen.changed().await;
    }
}

/// A watch's hold on what wakes it.
#[derive(Debug, Clone)]
struct Attention(Wakes);

impl Drop for Attention {
    fn drop(&mut self) {
        if self.0.is_unwatched()
            && let Some(beyond) = &self.0.0.beyond
        {
            beyond.unwatched();
        }
    }
}

/// Somebody within [`Watch::changed`].
struct Waiting<'a>(&'a Wakes);

impl<'a> Waiting<'a> {
    fn begin(wakes: &'a Wakes) -> Self {
        if let Some(beyond) = &wakes.0.beyond {
            Arc::clone(beyond).attend(wakes);
        }
        Self(wakes)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(beyond) = &self.0.0.beyond {
            beyond.leave();
        }
    }
}

/// What tells of appends that were made elsewhere.
pub(super) trait Beyond: Send + Sync {
    /// Somebody waits from now on: begins to listen, unless it does. What was appended before it can hear is made good by one
    /// wake-up when it begins. One that ends by itself wakes everybody, and is begun anew by the next who waits.
    fn attend(self: Arc<Self>, wakes: &Wakes);

    /// One of those who waited does not any more.
    fn leave(&self) {}

    /// There is no watch any more, or the store is closed: it ends soon.
    fn unwatched(&self) {}

    /// Something was appended here, which others may want to know.
    fn tell(self: Arc<Self>) {}
}

/// Whom a store wakes: each [`Backend`](super::Backend) has one of these, and wakes it after each append.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use recount::store::Wakes;
///
/// let wakes = Wakes::new();
/// let mut watch = wakes.watch();
/// wakes.wake();
/// watch.changed().await; // returns at once
/// # }
/// ```
#[derive(Clone)]
pub struct Wakes(Arc<Inner>);

struct Inner {
    /// How often all were woken.
    count: watch::Sender<u64>,
    closed: watch::Sender<bool>,
    beyond: Option<Arc<dyn Beyond>>,
}

impl fmt::Debug for Wakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wakes").finish_non_exhaustive()
    }
}

impl Default for Wakes {
    fn default() -> Self {
        Self::new()
    }
}

impl Wakes {
    /// The pause between two wake-ups by a backend that says nothing of its own.
    const POLL: Duration = Duration::from_millis(50);

    /// For a log to which only this process appends, and wakes after each time.
    pub fn new() -> Self {
        Self::with(None)
    }

    /// For a log to which others append too, without a way to tell it: wakes all who wait after each pause. Whoever appends
    /// here can [`wake`](Self::wake) besides, which is faster.
    ///
    /// A thread does it, which is there while somebody watches, and sleeps while nobody waits.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use std::time::Duration;
    /// use recount::store::Wakes;
    ///
    /// Wakes::polling(Duration::from_millis(1)).watch().changed().await; // after a millisecond
    /// # }
    /// ```
    pub fn polling(pause: Duration) -> Self {
        Self::with(Some(Arc::new(Poller::new(move || Every::new(pause)))))
    }

    /// What a backend has that says nothing of its own: one for all of them, hence one thread.
    pub(super) fn by_polling_alone() -> &'static Self {
        static SHARED: LazyLock<Wakes> = LazyLock::new(|| Wakes::polling(Wakes::POLL));
        &SHARED
    }

    pub(super) fn with(beyond: Option<Arc<dyn Beyond>>) -> Self {
        Self(Arc::new(Inner {
            count: watch::Sender::new(0),
            closed: watch::Sender::new(false),
            beyond,
        }))
    }

    /// Wakes all who watch the log, here and elsewhere: after events can be read that could not be before.
    pub fn wake(&self) {
        self.wake_here();
        if let Some(beyond) = &self.0.beyond {
            Arc::clone(beyond).tell();
        }
    }

    /// Wakes who watches in this process.
    pub(super) fn wake_here(&self) {
        self.0.count.send_modify(|count| *count += 1);
    }

    /// A watch that sees what happens from now on.
    pub fn watch(&self) -> Watch {
        Watch {
            wakes_seen: self.0.count.subscribe(),
            attention: Attention(self.clone()),
        }
    }

    /// Wakes all a last time, and stops listening: for a store that is closed.
    pub fn close(&self) {
        self.0.closed.send_replace(true);
        self.wake_here();
        if let Some(beyond) = &self.0.beyond {
            beyond.unwatched();
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        *self.0.closed.borrow()
    }

    pub(super) fn is_unwatched(&self) -> bool {
        self.0.count.receiver_count() == 0
    }

    /// Waits until nobody watches any more, or the store is closed.
    #[cfg(feature = "postgres")]
    pub(super) async fn unwatched(&self) {
        let mut closed = self.0.closed.subscribe();
        let closed = std::pin::pin!(closed.wait_for(|closed| *closed));
        let unwatched = std::pin::pin!(self.0.count.closed());
        futures_util::future::select(closed, unwatched).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Waker};

    use super::{Beyond, Wakes, Watch};

    fn is_ready(watch: &mut Watch) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        let changed = std::pin::pin!(watch.changed());
        changed.poll(&mut context).is_ready()
    }

    #[test]
    fn each_watch_is_woken_by_what_came_after_it_and_once() {
        let wakes = Wakes::new();
        wakes.wake();
        let mut watch = wakes.watch();
        assert!(!is_ready(&mut watch));
        wakes.wake();
        wakes.wake();
        let mut clone = watch.clone();
        for watch in [&mut watch, &mut clone] {
            assert!(is_ready(watch));
            assert!(!is_ready(watch));
        }
    }

    #[test]
    fn a_wait_that_was_given_up_loses_no_wake_up() {
        let wakes = Wakes::new();
        let mut watch = wakes.watch();
        let mut context = Context::from_waker(Waker::noop());
        {
            let mut changed = Box::pin(watch.changed());
            assert!(changed.as_mut().poll(&mut context).is_pending());
            wakes.wake();
        }
        assert!(is_ready(&mut watch));
    }

    #[tokio::test]
    async fn after_closing_it_returns_at_once_and_then_now_and_then() {
        let wakes = Wakes::new();
        let mut watch = wakes.watch();
        wakes.close();
        assert!(is_ready(&mut watch));
        assert!(!is_ready(&mut watch));
        watch.changed().await;
        wakes.watch().changed().await;
    }

    /// Counts what it is told.
    #[derive(Default)]
    struct Told {
        waiting: AtomicUsize,
        unwatched: AtomicUsize,
        told: AtomicUsize,
    }

    impl Beyond for Told {
        fn attend(self: Arc<Self>, _: &Wakes) {
            self.waiting.fetch_add(1, Ordering::Relaxed);
        }

        fn leave(&self) {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }

        fn unwatched(&self) {
            self.unwatched.fetch_add(1, Ordering::Relaxed);
        }

        fn tell(self: Arc<Self>) {
            self.told.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn what_listens_elsewhere_knows_who_waits_and_when_the_last_watch_is_gone() {
        let told = Arc::new(Told::default());
        let count = |of: &AtomicUsize| of.load(Ordering::Relaxed);
        let wakes = Wakes::with(Some(Arc::clone(&told) as Arc<dyn Beyond>));
        let (mut one, two) = (wakes.watch(), wakes.watch());
        {
            let mut context = Context::from_waker(Waker::noop());
            let mut changed = Box::pin(one.changed());
            assert!(changed.as_mut().poll(&mut context).is_pending());
            assert_eq!(count(&told.waiting), 1);
        }
        assert_eq!(count(&told.waiting), 0);
        drop(one);
        assert_eq!(count(&told.unwatched), 0);
        drop(two);
        assert_eq!(count(&told.unwatched), 1);
        wakes.wake_here();
        assert_eq!(count(&told.told), 0);
        wakes.wake();
        assert_eq!(count(&told.told), 1);
    }
}
