//! Events told within the process, as they are appended, to whoever listens.
//!
//! A [`Bus`] follows the log once for any number of listeners: what pushes to browsers, clears caches, counts for a dashboard. Each
//! listener has events of one aggregate, typed, and takes them at its own pace; one that is too slow misses some and is told how many,
//! and neither the others nor the bus wait for it.
//!
//! Nothing is remembered. A bus begins at the end of the log, and what happens while the process is down is never told. Where no event
//! may be lost, use a projection that is [kept in the store](crate::projection::Projector::stored) or a
//! [`Reaction`](crate::reaction::Reaction), which a [`Runner`](crate::runner::Runner) goes on with where they stood.

use std::collections::{HashMap, VecDeque};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Receiver, Sender};
use tokio::task::JoinHandle;

use crate::aggregate::Apply;
use crate::event::DecodeError;
use crate::log::{Page, Position, Query, ReadError};
use crate::repository::{PastEvent, read_past};
use crate::store::Subscription;
use crate::{Envelope, Store};

/// Tells events to listeners in this process. A clone is the same bus; it ends when the last one is dropped or the store is closed.
///
/// While the store cannot be read it tries again, after pauses that grow to five seconds, and misses nothing by it.
///
/// ```
/// # use recount::prelude::*;
/// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct CounterId(String);
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Counted { pub by: i64 }
/// # #[derive(Debug, Clone, Default, Aggregate)] #[aggregate(stream = "counter", id = CounterId)] pub struct Counter { total: i64 }
/// # #[apply] impl Counter { fn counted(&mut self, event: Counted) { self.total += event.by; } }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use recount::bus::Bus;
///
/// let store = Store::connect("memory:").await?;
/// let bus = Bus::new(&store).await?;
/// bus.on::<Counter>(|event, at| println!("{}: {event:?}", at.stream));
/// let mut counters = bus.listen::<Counter>();
///
/// Repository::<Counter>::new(&store).create(&CounterId::new("c1")?, Counted { by: 42 }).await?;
/// let past = counters.next().await?.expect("the bus goes on");
/// assert_eq!(past.at.stream.id(), "c1");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Bus(Arc<Running>);

#[derive(Debug)]
struct Running {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the task and the bus have in common.
#[derive(Debug)]
struct Shared {
    channels: Mutex<Channels>,
    capacity: usize,
}

#[derive(Debug)]
struct Channels {
    /// By category; each message is one stored event.
    senders: HashMap<&'static str, Sender<Arc<Page>>>,
    /// The position up to which everything was told.
    position: Position,
    /// Nothing will be told any more.
    ended: bool,
}

impl Bus {
    /// How many events of an aggregate are kept for its slowest listener, unless [`with_capacity`](Self::with_capacity) says otherwise.
    pub const CAPACITY: usize = 1024;

    /// A bus that tells what is appended from now on, by this process and by any other, and that the handle can see.
    ///
    /// # Errors
    /// [`ReadError`] when it cannot be found out where the log ends.
    ///
    /// # Panics
    /// Outside of a tokio runtime, as [`tokio::spawn`] does.
    pub async fn new(store: &Store) -> Result<Self, ReadError> {
        Self::with_capacity(store, Self::CAPACITY).await
    }

    /// As [`new`](Self::new); for the slowest listener of an aggregate this many of its events are kept, rounded up to a power of two.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    ///
    /// # Panics
    /// As [`new`](Self::new).
    pub async fn with_capacity(store: &Store, events: usize) -> Result<Self, ReadError> {
        let position = store.head().await?;
        let shared = Arc::new(Shared {
            channels: Mutex::new(Channels {
                senders: HashMap::new(),
                position,
                ended: false,
            }),
            // What a channel can have.
            capacity: events.clamp(1, 1 << 24),
        });
        let subscription = store.subscribe(Query::all().after(position));
        let task = tokio::spawn(tell(subscription, Arc::clone(&shared)));
        Ok(Self(Arc::new(Running { shared, task })))
    }

    /// Listens to the events of an aggregate from where the bus is now.
    pub fn listen<A: Apply>(&self) -> Listener<A> {
        let shared = &self.0.shared;
        let mut channels = shared.channels();
        let channel = |capacity| tokio::sync::broadcast::channel(capacity);
        let receiver = if channels.ended {
            // Its sender is dropped here, so that it ends at once.
            channel(1).1
        } else {
            let sender = channels.senders.entry(A::CATEGORY);
            sender
                .or_insert_with(|| channel(shared.capacity).0)
                .subscribe()
        };
        Listener {
            receiver,
            position: channels.position,
            ready: VecDeque::new(),
            of: PhantomData,
        }
    }

    /// Calls a function with each event of an aggregate, one after the other, in a task of its own. It must not block, as nothing in a
    /// task should; what has to wait for something [listens](Self::listen) instead.
    ///
    /// Events that it misses since it is too slow, that cannot be read, or at which it panics, are passed over and reported through
    /// `tracing`; to be told of them, listen.
    ///
    /// # Panics
    /// Outside of a tokio runtime, as [`tokio::spawn`] does.
    pub fn on<A: Apply>(
        &self,
        mut handle: impl FnMut(A::Event, &Envelope) + Send + 'static,
    ) -> Handler {
        let mut listener = self.listen::<A>();
        Handler(tokio::spawn(async move {
            loop {
                let heard = match listener.hear().await {
                    Ok(Some(page)) => page,
                    Ok(None) => return,
                    Err(error) => {
                        tracing::warn!(category = A::CATEGORY, %error, "a handler of events was not told all");
                        continue;
                    }
                };
                for record in heard.iter() {
                    let position = record.position();
                    // Reading runs code of the user's too: upcasts.
                    let handled = catch_unwind(AssertUnwindSafe(|| {
                        for past in read_past::<A>(&record)? {
                            handle(past.event, &past.at);
                        }
                        Ok::<(), Box<DecodeError>>(())
                    }));
                    match handled {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => {
                            tracing::warn!(category = A::CATEGORY, %error, "an event was not handled");
                        }
                        Err(_) => {
                            tracing::error!(category = A::CATEGORY, %position, "a handler of events panicked; the next event follows");
                        }
                    }
                }
            }
        }))
    }
}

impl Shared {
    fn channels(&self) -> MutexGuard<'_, Channels> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that nothing will be told any more, however the task ends.
struct Ends(Arc<Shared>);

impl Drop for Ends {
    fn drop(&mut self) {
        let mut channels = self.0.channels();
        channels.ended = true;
        channels.senders.clear();
    }
}

/// The task of a bus.
async fn tell(mut subscription: Subscription, shared: Arc<Shared>) {
    const PAUSE: Duration = Duration::from_millis(10);
    const LONGEST_PAUSE: Duration = Duration::from_secs(5);
    let shared = Ends(shared);
    let mut pause = PAUSE;
    loop {
        match subscription.next_page().await {
            Ok(Some(page)) => {
                pause = PAUSE;
                let mut channels = shared.0.channels();
                for record in page.iter() {
                    if let Some(sender) = channels.senders.get(record.category())
                        && sender.receiver_count() > 0
                    {
                        // That nobody listens any more is no error.
                        let _ = sender.send(Arc::new(Page::of(&record)));
                    }
                    channels.position = record.position();
                }
            }
            Ok(None) => return,
            Err(error @ ReadError::Corrupt { .. }) => {
                tracing::warn!(%error, "an event is told to nobody");
            }
            Err(error) => {
                tracing::warn!(%error, "the log cannot be followed, trying again");
                crate::background::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Hears the events of one aggregate: what [`Bus::listen`] returns.
///
/// ```
/// # use recount::prelude::*;
/// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct CounterId(String);
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Counted { pub by: i64 }
/// # #[derive(Debug, Clone, Default, Aggregate)] #[aggregate(stream = "counter", id = CounterId)] pub struct Counter { total: i64 }
/// # #[apply] impl Counter { fn counted(&mut self, event: Counted) { self.total += event.by; } }
/// use recount::bus::{Bus, BusError, Listener};
///
/// async fn push(mut counters: Listener<Counter>) {
///     loop {
///         match counters.next().await {
///             Ok(Some(past)) => println!("{} {:?}", past.at.stream, past.event),
///             Ok(None) => break,
///             // Whoever shows a state loads it anew here.
///             Err(BusError::Lagged { missed, .. }) => println!("{missed} more"),
///             Err(error) => println!("{error}"),
///         }
///     }
/// }
/// ```
pub struct Listener<A: Apply> {
    receiver: Receiver<Arc<Page>>,
    position: Position,
    /// One stored event may have become several.
    ready: VecDeque<PastEvent<A::Event>>,
    of: PhantomData<fn() -> A>,
}

impl<A: Apply> std::fmt::Debug for Listener<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener")
            .field("category", &A::CATEGORY)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

impl<A: Apply> Listener<A> {
    /// The next event, or `None` when the bus has ended. Waits until there is one.
    ///
    /// # Errors
    /// [`BusError`]; the next call goes on behind what was missed or could not be read.
    ///
    /// # Cancel safety
    /// A dropped future loses nothing.
    pub async fn next(&mut self) -> Result<Option<PastEvent<A::Event>>, BusError> {
        loop {
            if let Some(past) = self.ready.pop_front() {
                return Ok(Some(past));
            }
            let Some(page) = self.hear().await? else {
                return Ok(None);
            };
            for record in page.iter() {
                self.ready.extend(read_past::<A>(&record)?);
            }
        }
    }

    /// The next event as it is stored.
    async fn hear(&mut self) -> Result<Option<Arc<Page>>, BusError> {
        match self.receiver.recv().await {
            Ok(page) => {
                let last = page.iter().last().map(|record| record.position());
                self.position = last.unwrap_or(self.position);
                Ok(Some(page))
            }
            Err(RecvError::Closed) => Ok(None),
            Err(RecvError::Lagged(missed)) => Err(BusError::Lagged {
                missed,
                after: self.position,
            }),
        }
    }

    /// The position of the event that was heard last; before the first, the one where the bus was.
    pub fn position(&self) -> Position {
        self.position
    }
}

/// Why a listener did not hear an event.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BusError {
    /// It was too slow: so many stored events of its aggregate are not kept for it any more. They are in the log, after the position
    /// and before the next one that it hears: [subscribe](Store::subscribe) there to make up for them.
    #[error(
        "{missed} events were missed, since the listener was too slow; they can be read with `after(Position({after}))`"
    )]
    Lagged {
        /// How many.
        missed: u64,
        /// The position of the last event that was heard before them.
        after: Position,
    },
    /// An event cannot be read.
    #[error(transparent)]
    Decode(#[from] Box<DecodeError>),
}

/// A function that is called with events: what [`Bus::on`] returns. Dropped, it goes on.
///
/// ```
/// # use recount::prelude::*;
/// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct CounterId(String);
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Counted { pub by: i64 }
/// # #[derive(Debug, Clone, Default, Aggregate)] #[aggregate(stream = "counter", id = CounterId)] pub struct Counter { total: i64 }
/// # #[apply] impl Counter { fn counted(&mut self, event: Counted) { self.total += event.by; } }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = Store::connect("memory:").await?;
/// let bus = recount::bus::Bus::new(&store).await?;
/// let handler = bus.on::<Counter>(|event, at| println!("{} {event:?}", at.version));
/// drop(bus);
/// handler.ended().await; // it has handled what was told by then
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Handler(JoinHandle<()>);

impl Handler {
    /// Ends it, in the midst of an event if need be.
    pub fn stop(&self) {
        self.0.abort();
    }

    /// Waits until it has ended: it was stopped, or the bus has ended and what was told is handled.
    pub async fn ended(self) {
        // However it ended.
        let _ = self.0.await;
    }
}
