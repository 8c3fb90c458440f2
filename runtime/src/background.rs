//! Work that goes on after a call has returned, waiting for its end, and waiting a while.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

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

/// Waits on any executor: a runtime may have been built without a timer, and what fails and is tried again is rare enough for a thread
/// each.
pub(crate) async fn sleep(pause: Duration) {
    let (done, waiting) = tokio::sync::oneshot::channel();
    // Dropped together with this future, so that the thread ends with it.
    let (_alive, ends) = std::sync::mpsc::channel::<()>();
    let sleeper = std::thread::Builder::new().spawn(move || {
        let _ = ends.recv_timeout(pause);
        let _ = done.send(());
    });
    if sleeper.is_ok() {
        let _ = waiting.await;
    }
}
