//! Work that goes on after a call has returned, waiting for its end, and waiting a while.

use std::any::Any;
use std::collections::BinaryHeap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

/// Counts the tasks that were spawned and not yet finished.
#[derive(Debug, Clone, Default)]
pub(crate) struct Background(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    running: AtomicUsize,
    idle: Notify,
}

/// One task under way; ends when dropped, so a panic or an abort counts as the end too.
struct Running(Arc<Inner>);

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.running.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

impl Background {
    /// Starts a task on the current runtime; does nothing where there is none.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        self.0.running.fetch_add(1, Ordering::AcqRel);
        let running = Running(Arc::clone(&self.0));
        runtime.spawn(async move {
            task.await;
            drop(running);
        });
    }

    /// Waits until nothing runs.
    pub(crate) async fn idle(&self) {
        loop {
            let idle = self.0.idle.notified();
            tokio::pin!(idle);
            // Registered before the count is read, so that an end in between is not missed.
            idle.as_mut().enable();
            if self.0.running.load(Ordering::Acquire) == 0 {
                return;
            }
            idle.await;
        }
    }
}

/// Waits on any executor: a runtime may have been built without a timer.
pub(crate) async fn sleep(pause: Duration) {
    if let Some(over) = Timer::after(pause) {
        let _ = over.await;
    }
}

/// The end of whichever ends first.
pub(crate) async fn either(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    std::future::poll_fn(|context| {
        let one = one.as_mut().poll(context);
        if one.is_ready() {
            return one;
        }
        other.as_mut().poll(context)
    })
    .await;
}

/// What comes of the work, or what it said when it panicked. It must know by itself what it cannot go on with.
pub(crate) async fn unless_it_panics<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let mut work = pin!(work);
    std::future::poll_fn(|context| {
        // It is not polled again after a panic.
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(said(panic.as_ref()))),
        }
    })
    .await
}

fn said(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
    said.unwrap_or("it did not say why").to_owned()
}

/// One thread that wakes all who sleep.
struct Timer {
    sleepers: Mutex<BinaryHeap<Sleeper>>,
    changed: Condvar,
}

struct Sleeper {
    until: Instant,
    over: oneshot::Sender<()>,
}

/// The one who sleeps shortest is the greatest.
impl Ord for Sleeper {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.until.cmp(&self.until)
    }
}

impl PartialOrd for Sleeper {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Sleeper {
    fn eq(&self, other: &Self) -> bool {
        self.until == other.until
    }
}

impl Eq for Sleeper {}

impl Timer {
    /// Told once the pause is over; none where no thread can be had.
    fn after(pause: Duration) -> Option<oneshot::Receiver<()>> {
        static TIMER: OnceLock<Option<&'static Timer>> = OnceLock::new();
        let timer = (*TIMER.get_or_init(Self::start))?;
        // What a clock cannot tell is longer than any process lives.
        let until = Instant::now().checked_add(pause)?;
        let (over, waiting) = oneshot::channel();
        timer.sleepers().push(Sleeper { until, over });
        timer.changed.notify_one();
        Some(waiting)
    }

    fn start() -> Option<&'static Self> {
        let timer: &'static Self = Box::leak(Box::new(Self {
            sleepers: Mutex::default(),
            changed: Condvar::new(),
        }));
        let thread = std::thread::Builder::new().name("recount-timer".to_owned());
        thread.spawn(move || timer.run()).ok().map(|_| timer)
    }

    fn sleepers(&self) -> MutexGuard<'_, BinaryHeap<Sleeper>> {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut sleepers = self.sleepers();
        loop {
            let now = Instant::now();
            while sleepers.peek().is_some_and(|next| next.until <= now) {
                if let Some(sleeper) = sleepers.pop() {
                    // Nobody waits any more when the future was dropped.
                    let _ = sleeper.over.send(());
                }
            }
            let pause = sleepers
                .peek()
                .map(|next| next.until.saturating_duration_since(now));
            sleepers = if let Some(pause) = pause {
                let woken = self.changed.wait_timeout(sleepers, pause);
                woken.unwrap_or_else(PoisonError::into_inner).0
            } else {
                let woken = self.changed.wait(sleepers);
                woken.unwrap_or_else(PoisonError::into_inner)
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_sleeps_shorter_wakes_first_whoever_came_first() {
        let begun = Instant::now();
        let order = Mutex::new(Vec::new());
        let nap = async |ms| {
            sleep(Duration::from_millis(ms)).await;
            order.lock().unwrap().push(ms);
        };
        either(
            async {
                tokio::join!(nap(60), nap(20), nap(40));
            },
            sleep(Duration::from_secs(20)),
        )
        .await;
        assert_eq!(*order.lock().unwrap(), [20, 40, 60]);
        assert!(begun.elapsed() >= Duration::from_millis(60));
    }
}
