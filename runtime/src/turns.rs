//! Commands of one process on one stream take turns.
//!
//! Without that, each of *n* would load, decide and append, one would win, and the others would begin anew: nine attempts in
//! ten would be for nothing. Other processes are met by a conflict and a retry as before.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

use crate::log::StreamId;

/// Whose turn it is on each stream that somebody uses at the moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turns(Arc<Mutex<Streams>>);

type Streams = HashMap<StreamId, Arc<tokio::sync::Mutex<()>>>;

impl Turns {
    /// Waits until all who asked for this stream before are done, in the order in which they asked.
    pub(crate) async fn wait(&self, stream: &StreamId) -> Turn {
        let queue = Arc::clone(self.streams().entry(stream.clone()).or_default());
        // Made before it waits, so that one that gives up waiting leaves nothing behind either.
        let mut turn = Turn {
            turns: self.clone(),
            stream: stream.clone(),
            held: None,
        };
        turn.held = Some(queue.lock_owned().await);
        turn
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A turn on a stream, which ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Turns,
    stream: StreamId,
    held: Option<OwnedMutexGuard<()>>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut streams = self.turns.streams();
        self.held = None;
        // Whoever waits has the queue too, and took it under the same lock.
        if let Some(queue) = streams.get(&self.stream)
            && Arc::strong_count(queue) == 1
        {
            streams.remove(&self.stream);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::Turns;
    use crate::log::StreamId;

    #[test]
    fn a_queue_that_nobody_waits_in_is_forgotten() {
        let (turns, stream) = (Turns::default(), StreamId::new("account", "a").unwrap());
        let mut context = Context::from_waker(Waker::noop());
        let mut first = Box::pin(turns.wait(&stream));
        let std::task::Poll::Ready(turn) = first.as_mut().poll(&mut context) else {
            panic!("nobody else wants it");
        };
        let mut second = Box::pin(turns.wait(&stream));
        assert!(second.as_mut().poll(&mut context).is_pending());
        drop(turn);
        assert!(second.as_mut().poll(&mut context).is_ready());
        assert!(turns.streams().is_empty());

        let turn = Box::pin(turns.wait(&stream)).as_mut().poll(&mut context);
        let mut gives_up = Box::pin(turns.wait(&stream));
        assert!(gives_up.as_mut().poll(&mut context).is_pending());
        drop(turn);
        assert_eq!(turns.streams().len(), 1);
        drop(gives_up);
        assert!(turns.streams().is_empty());
    }
}
