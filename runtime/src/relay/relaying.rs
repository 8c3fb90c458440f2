//! Publishing the log, page by page, with a checkpoint.

use super::{CloudEvent, PublishError, Publisher, Source};
use crate::Store;
use crate::follower::{FollowError, Follower, Handled, Home, Saved, Turn};
use crate::log::{Position, Query};
use crate::store::ProjectionKey;

/// Publishes the log to a broker, and keeps in the store how far it got: the log is the outbox.
///
/// Each event is published at least once, in the order of the log. While the broker is away it is tried again for ever, and the
/// [status](crate::runner::Status) tells the lag.
///
/// ```
/// # use recount::relay::{CloudEvent, PublishError, Publisher};
/// use recount::{Store, log::{Expected, NewEvent, Query, StreamId}, relay::Relay, runner::Runner};
///
/// struct Printer;
/// # impl Publisher for Printer {
/// #     fn url(&self) -> &str { "stdout:" }
/// #     async fn publish(&mut self, events: &[CloudEvent]) -> Result<(), PublishError> { Ok(()) }
/// # }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Store::connect("memory:").await?;
/// let runner = Runner::new();
/// // `Printer` as in the example of `Publisher`, or a `RedisPublisher`, `NatsPublisher`, `KafkaPublisher`.
/// let relay = runner.add(Relay::new("printed", Printer, &store).await?);
///
/// let appended = store.append(&StreamId::new("note", "1")?, Expected::Any, [NewEvent::json("Noted", 1, &"hello")?]).await?;
/// relay.wait_for(appended.position).await?; // it is published
/// # Ok(()) }
/// ```
pub type Relay<P> = Follower<Relaying<P>>;

/// The most events that are published at once.
const PAGE: usize = 500;

/// What a [`Relay`] does with events.
#[derive(Debug)]
pub struct Relaying<P> {
    name: &'static str,
    publisher: P,
    source: Source,
    query: Query,
}

impl<P: Publisher + Sync> Relay<P> {
    /// Goes on where the relay of this name was, and begins at the first event of the log.
    ///
    /// # Errors
    /// [`FollowError`] when the checkpoint cannot be read.
    pub async fn new(name: &'static str, publisher: P, store: &Store) -> Result<Self, FollowError> {
        let home = Relaying {
            name,
            publisher,
            source: Source::default(),
            query: Query::all(),
        };
        Self::at_checkpoint(store, home).await
    }

    /// As [`new`](Self::new), and begins at the end of the log.
    ///
    /// # Errors
    /// [`FollowError`] when the checkpoint cannot be read or saved.
    pub async fn from_now(
        name: &'static str,
        publisher: P,
        store: &Store,
    ) -> Result<Self, FollowError> {
        let mut relay = Self::new(name, publisher, store).await?;
        relay.begin_at_end().await?;
        Ok(relay)
    }

    /// Publishes only what a query selects: of some categories or names. Where it begins and ends is the relay's.
    #[must_use]
    pub fn select(mut self, query: Query) -> Self {
        let home = self.home_mut();
        home.query = Query::all();
        home.query.selectors = query.selectors;
        self
    }

    /// Says in the events where they come from, instead of `/recount`.
    #[must_use]
    pub fn source(mut self, source: Source) -> Self {
        self.home_mut().source = source;
        self
    }
}

impl<P: Publisher + Sync> Home for Relaying<P> {
    const FOLDS: bool = false;

    fn name(&self) -> &'static str {
        self.name
    }

    fn key(&self) -> Option<ProjectionKey<'static>> {
        Some(ProjectionKey {
            name: self.name,
            fingerprint: 0,
        })
    }

    fn query(&self) -> Query {
        self.query.clone().page_size(PAGE)
    }

    async fn handle(&mut self, turn: &Turn<'_>) -> Handled {
        let projection = self.name;
        let (mut events, mut failed) = (Vec::new(), None);
        for record in turn.records() {
            match CloudEvent::of(&record, &self.source) {
                Ok(event) => events.push(event),
                Err(source) => {
                    let position = record.position();
                    failed = Some((position, FollowError::Decode { projection, source }));
                    break;
                }
            }
        }
        let count = events.len() as u64;
        let published = if events.is_empty() {
            Ok(())
        } else {
            self.publisher.publish(&events).await
        };
        match published {
            Ok(()) => Handled { count, failed },
            // None of them counts: those that were published are published again, and known by their ids.
            Err(error) => Handled {
                count: 0,
                failed: Some(self.not_published(&events, error)),
            },
        }
    }

    fn save(&mut self, _: bool) -> Result<Saved, FollowError> {
        Ok(Saved::default())
    }

    fn restore(&mut self, _: Option<&[u8]>) -> Result<(), FollowError> {
        Ok(())
    }
}

impl<P: Publisher> Relaying<P> {
    fn not_published(&self, events: &[CloudEvent], error: PublishError) -> (Position, FollowError) {
        let first = events.first().map(|event| event.recorded.position);
        let refused = match &error {
            PublishError::EventRefused { event, .. } => {
                let refused = events.iter().find(|other| other.recorded.id == *event);
                refused.map(|event| event.recorded.position)
            }
            _ => None,
        };
        let projection = self.name;
        let stops_at = first.unwrap_or(Position::START);
        let source = Box::new(error);
        let error = match refused {
            Some(position) => FollowError::Failed {
                projection,
                position,
                source,
            },
            // It has nothing to do with any event.
            None => FollowError::Unpublished { projection, source },
        };
        (stops_at, error)
    }
}
