//! Events as they come: those that are stored, and then those that are appended.

use super::{Reader, Store, Watch};
use crate::log::{Direction, Page, Position, Query, ReadError, RecordedEvent};

/// Follows the log: what [`Store::subscribe`](super::Store::subscribe) returns.
///
/// It reads page by page what the query selects, and at the end of the log waits for appends, by this process and by any other.
/// There is no seam between the two: each event is given once, in the order of the log. Nothing is read before it is asked for,
/// but for one page where there is much to catch up with, so a slow reader costs no memory.
///
/// It ends, with `None`, when the store is closed, when it has passed the query's [`up_to`](Query::up_to) or reached its
/// [`limit`](Query::limit); else it waits. To stop it earlier, drop it or the future that waits.
///
/// After an error it can go on: a damaged row is passed over, anything else is tried again, from where it stood. Pause before you
/// ask again.
///
/// # Cancel safety
/// A future that is dropped loses nothing; the next call goes on where it was.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use recount::log::{Expected, NewEvent, Position, Query, StreamId};
///
/// let store = recount::Store::connect("memory:").await?;
/// let note = StreamId::new("note", "1")?;
/// store.append(&note, Expected::Any, [NewEvent::json("Noted", 1, &"before")?]).await?;
///
/// let mut notes = store.subscribe(Query::all().category("note").after(Position::START));
/// assert_eq!(notes.next().await?.unwrap().payload, br#""before""#);
///
/// store.append(&note, Expected::Any, [NewEvent::json("Noted", 1, &"after")?]).await?;
/// assert_eq!(notes.next().await?.unwrap().payload, br#""after""#);
///
/// store.close().await?;
/// assert!(notes.next().await?.is_none());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Subscription {
    store: Store,
    /// What is to be read, but for where it begins and ends.
    query: Query,
    watch: Watch,
    /// Reads from `position` to `end`.
    reader: Option<Reader>,
    end: Position,
    position: Position,
    /// An event was given by itself, and others of its page may not be.
    within_page: bool,
    live: bool,
    closed: bool,
}

impl Subscription {
    pub(super) fn new(store: Store, query: Query) -> Self {
        Self {
            // Before the first read, so that what is appended during it wakes.
            watch: store.watch(),
            store,
            reader: None,
            end: query.after,
            position: query.after,
            within_page: false,
            live: false,
            closed: false,
            query: Query {
                direction: Direction::Forwards,
                ..query
            },
        }
    }

    /// The next events, at least one and at most a [page](Query::page_size), or `None` at the end. Waits until there are some.
    ///
    /// # Errors
    /// [`ReadError`]; the next call goes on, after [`ReadError::Corrupt`] behind the damaged row.
    pub async fn next_page(&mut self) -> Result<Option<&Page>, ReadError> {
        if std::mem::take(&mut self.within_page) {
            self.reader = None;
        }
        while let Some(reader) = self.reading().await? {
            match reader.next_page().await {
                Ok(Some(page)) => {
                    let (count, last) = (page.len(), page.iter().last());
                    let last = last.map(|record| record.position());
                    self.gave(count, last);
                    return Ok(self.reader.as_ref().map(Reader::page));
                }
                Ok(None) => self.passed(),
                Err(error) => self.failed(error)?,
            }
        }
        Ok(None)
    }

    /// The next event, or `None` at the end. Waits until there is one.
    ///
    /// # Errors
    /// As [`next_page`](Self::next_page).
    pub async fn next(&mut self) -> Result<Option<RecordedEvent>, ReadError> {
        while let Some(reader) = self.reading().await? {
            match reader.next().await {
                Ok(Some(event)) => {
                    self.within_page = true;
                    self.gave(1, Some(event.position));
                    return Ok(Some(event));
                }
                Ok(None) => self.passed(),
                Err(error) => self.failed(error)?,
            }
        }
        Ok(None)
    }

    /// The position up to which all that is selected was given: where to subscribe again once that is handled. It also passes
    /// events that are not selected, whenever this waits for new ones.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Whether it has caught up: what it gives from now on was appended since.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// What reads up to the end of the log, once that is ahead; `None` when nothing is to come.
    async fn reading(&mut self) -> Result<Option<&mut Reader>, ReadError> {
        while self.reader.is_none() {
            if let Some(stream) = &self.query.stream
                && let Err((stream, tenant)) = self.store.bind(stream)
            {
                // There will never be anything to read.
                return Err(ReadError::OutsideTenant { stream, tenant });
            }
            let last = self.query.up_to.unwrap_or(Position(u64::MAX));
            if self.closed || self.position >= last || self.is_at_limit() {
                return Ok(None);
            }
            match self.store.head().await {
                Ok(head) => self.end = head.min(last),
                Err(error) => self.failed(error)?,
            }
            if self.end > self.position {
                let query = self.query.clone().after(self.position).up_to(self.end);
                self.reader = Some(self.store.read(query));
            } else if !self.closed {
                self.live = true;
                self.watch.changed().await;
                self.closed |= self.watch.is_closed();
            }
        }
        Ok(self.reader.as_mut())
    }

    fn gave(&mut self, count: usize, last: Option<Position>) {
        self.position = last.unwrap_or(self.position);
        if let Some(limit) = &mut self.query.limit {
            *limit = limit.saturating_sub(count as u64);
        }
        self.live |= !self.is_at_limit() && self.reader.as_ref().is_some_and(Reader::is_used_up);
    }

    fn is_at_limit(&self) -> bool {
        self.query.limit == Some(0)
    }

    /// Nothing follows up to where the log ended, unless the limit was reached before.
    fn passed(&mut self) {
        self.reader = None;
        self.within_page = false;
        if !self.is_at_limit() {
            self.live = true;
            self.position = self.end;
        }
    }

    /// An error of a store that was closed is the end; a damaged row is passed over.
    fn failed(&mut self, error: ReadError) -> Result<(), ReadError> {
        if let ReadError::Corrupt { position, .. } = &error {
            // Read anew: the reader may have others of its page left, and counts this one towards its limit.
            self.position = *position;
            self.reader = None;
        }
        if !self.watch.is_closed() {
            return Err(error);
        }
        self.closed = true;
        self.reader = None;
        Ok(())
    }
}
