//! A thread that looks whether something was appended elsewhere: there while somebody watches, looking while somebody waits.
//!
//! A thread and not a task, since a runtime may have been built without a timer.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::watch::{Beyond, Wakes};

/// What is done to find out whether something was appended.
pub(super) trait Look {
    /// Whether something may have been appended since this was asked the last time, or ever.
    fn look(&mut self) -> bool;

    /// How long to wait before it is asked again.
    fn pause(&self) -> Duration;
}

/// Looks nowhere, and says after each pause that there may be something.
#[derive(Debug)]
pub(super) struct Every {
    pause: Duration,
    last: Instant,
}

impl Every {
    pub(super) fn new(pause: Duration) -> Self {
        let last = Instant::now();
        Self { pause, last }
    }
}

impl Look for Every {
    fn look(&mut self) -> bool {
        let is_due = self.last.elapsed() >= self.pause;
        if is_due {
            self.last = Instant::now();
        }
        is_due
    }

    fn pause(&self) -> Duration {
        self.pause.saturating_sub(self.last.elapsed())
    }
}

/// The thread, and when it is needed.
pub(super) struct Poller {
    /// Makes what looks, in the thread.
    make: Box<dyn Fn() -> Box<dyn Look> + Send + Sync>,
    state: Mutex<State>,
    turn: Condvar,
}

impl fmt::Debug for Poller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poller").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct State {
    /// How many wait.
    waiting: usize,
    /// Whether a thread looks.
    looking: bool,
    /// How many threads there are: the one that looks, and any that are about to end.
    threads: usize,
}

impl Poller {
    pub(super) fn new<L: Look + 'static>(make: impl Fn() -> L + Send + Sync + 'static) -> Self {
        Self {
            make: Box::new(move || Box::new(make())),
            state: Mutex::default(),
            turn: Condvar::new(),
        }
    }

    /// Counts stay right whatever panics.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, wakes: &Wakes) {
        let mut look = (self.make)();
        loop {
            let mut state = self.state();
            if wakes.is_unwatched() || wakes.is_closed() {
                return;
            }
            if state.waiting == 0 {
                // Both are said under the lock, or followed by a notification under it.
                state = self
                    .turn
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                drop(state);
                continue;
            }
            drop(state);
            if look.look() {
                wakes.wake_here();
            }
            state = self.state();
            if !wakes.is_unwatched() && !wakes.is_closed() {
                let pause = look.pause();
                drop(self.turn.wait_timeout(state, pause));
            }
        }
    }

    /// Waits until there is no thread, when there is no watch or the store is closed.
    #[cfg(any(test, feature = "sqlite"))]
    pub(super) fn join(&self) {
        let mut state = self.state();
        while state.threads > 0 {
            state = self
                .turn
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Beyond for Poller {
    fn attend(self: Arc<Self>, wakes: &Wakes) {
        let mut state = self.state();
        state.waiting += 1;
        if state.looking || wakes.is_closed() {
            // It looks at once, and not only after its pause.
            if state.waiting == 1 {
                self.turn.notify_all();
            }
            return;
        }
        state.looking = true;
        state.threads += 1;
        drop(state);
        let thread = Thread {
            poller: Arc::clone(&self),
            wakes: wakes.clone(),
        };
        // Where no thread can be made, `thread` is dropped, which wakes who waits.
        let made = std::thread::Builder::new()
            .name("recount-watch".to_owned())
            .spawn(move || {
                thread.poller.run(&thread.wakes);
            });
        if let Err(error) = made {
            tracing::warn!(%error, "no thread to watch the log with");
        }
    }

    fn leave(&self) {
        self.state().waiting -= 1;
    }

    fn unwatched(&self) {
        let _state = self.state();
        self.turn.notify_all();
    }
}

/// A thread that ends, by itself or by a panic, wakes all: who still waits begins another.
struct Thread {
    poller: Arc<Poller>,
    wakes: Wakes,
}

impl Drop for Thread {
    fn drop(&mut self) {
        let mut state = self.poller.state();
        state.looking = false;
        state.threads -= 1;
        self.poller.turn.notify_all();
        drop(state);
        self.wakes.wake_here();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::time::Duration;

    use super::{Look, Poller};
    use crate::store::watch::{Beyond, Wakes};

    /// Says when it is made, when it looks, and when it is gone.
    struct Reporting(mpsc::Sender<&'static str>, Arc<AtomicUsize>);

    impl Look for Reporting {
        fn look(&mut self) -> bool {
            let _ = self.0.send("looked");
            self.1.swap(0, Ordering::Relaxed) > 0
        }

        fn pause(&self) -> Duration {
            Duration::from_millis(1)
        }
    }

    impl Drop for Reporting {
        fn drop(&mut self) {
            let _ = self.0.send("gone");
        }
    }

    #[test]
    fn the_thread_is_there_while_somebody_watches_and_looks_while_somebody_waits() {
        let (say, said) = mpsc::channel();
        let appended = Arc::new(AtomicUsize::new(1));
        let make = {
            let appended = Arc::clone(&appended);
            move || {
                say.send("made").unwrap();
                Reporting(say.clone(), Arc::clone(&appended))
            }
        };
        let poller = Arc::new(Poller::new(make));
        let wakes = Wakes::with(Some(Arc::clone(&poller) as Arc<dyn Beyond>));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let mut watch = wakes.watch();
        assert!(said.try_recv().is_err());
        for _ in 0..3 {
            appended.store(1, Ordering::Relaxed);
            runtime.block_on(watch.changed());
        }
        assert_eq!(said.recv().unwrap(), "made");
        assert_eq!(said.recv().unwrap(), "looked");
        drop(watch);
        while said.recv().unwrap() != "gone" {}
        poller.join();
        assert!(said.try_recv().is_err());

        // The next one is begun anew, and ends with the store. The last thread's wake-up may still be on its way.
        let mut watch = wakes.watch();
        let first = loop {
            appended.store(1, Ordering::Relaxed);
            runtime.block_on(watch.changed());
            if let Ok(first) = said.try_recv() {
                break first;
            }
        };
        assert_eq!(first, "made");
        wakes.close();
        while said.recv().unwrap() != "gone" {}
        poller.join();
        assert_eq!(poller.state().threads, 0);
    }
}
