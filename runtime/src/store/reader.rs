//! A read that goes on page by page.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::JoinHandle;

use super::{Backend, BackendError, BoxFuture};
use crate::log::{Direction, Page, Position, Query, ReadError, RecordedEvent, Version};

/// A read under way: asks for the next page when the last one is used up, in constant memory.
///
/// It sees what was stored when each page was read, so events that are appended meanwhile are read too. From the second
/// page on, a runtime with several threads reads the next one while the caller looks at this one.
/// After an error it can go on: a damaged row is passed over, anything else is tried again.
///
/// # Cancel safety
/// A dropped `next_page` loses nothing; the next call goes on with the same page.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = recount::Store::connect("memory:").await?;
/// let mut reader = store.read(recount::log::Query::all());
/// assert!(reader.next_page().await?.is_none());
/// # Ok(()) }
/// ```
pub struct Reader {
    backend: Arc<dyn Backend>,
    spare: SparePages,
    /// What is still to be read.
    query: Query,
    refused: Option<ReadError>,
    page: Page,
    /// The page after `page`, on its way; kept when its caller does not wait, so that it comes nearer with each call.
    under_way: Option<UnderWay>,
    pages: u64,
    done: bool,
    /// The next record of `page` for [`next`](Self::next).
    index: usize,
}

/// Only ever polled by who has the reader for itself; the lock lets a reader be shared all the same, and is never taken.
type UnderWay = Mutex<BoxFuture<'static, Read>>;

/// A page that was read, or not.
type Read = (Page, Result<(), ReadError>);

impl Reader {
    pub(super) fn new(
        backend: Arc<dyn Backend>,
        spare: SparePages,
        query: Query,
        refused: Option<ReadError>,
    ) -> Self {
        let page = spare.take();
        let query = Query {
            page_size: query.page_size.max(1),
            ..query
        };
        Self {
            backend,
            spare,
            query,
            refused,
            page,
            under_way: None,
            pages: 0,
            done: false,
            index: 0,
        }
    }

    /// The next page, or `None` at the end. A page is never empty. What [`next`](Self::next) has left of the last one is passed over.
    ///
    /// # Errors
    /// [`ReadError`]; after [`ReadError::Corrupt`] the next call goes on behind the damaged row.
    pub async fn next_page(&mut self) -> Result<Option<&Page>, ReadError> {
        let is_there = self.turn().await?;
        // All of it is given.
        self.index = usize::MAX;
        Ok(is_there.then_some(&self.page))
    }

    /// Reads the next page; false at the end.
    async fn turn(&mut self) -> Result<bool, ReadError> {
        if let Some(error) = self.refused.take() {
            self.done = true;
            return Err(error);
        }
        if self.done || self.query.limit == Some(0) {
            return Ok(false);
        }
        // `next` takes nothing from this page until it is read, even when this future is dropped.
        self.page.clear();
        self.index = usize::MAX;
        if self.under_way.is_none() {
            let page = std::mem::take(&mut self.page);
            self.under_way = Some(Mutex::new(Box::pin(self.read(page))));
        }
        let Some(under_way) = &mut self.under_way else {
            return Ok(false);
        };
        let under_way = under_way.get_mut();
        let (page, outcome) = under_way.unwrap_or_else(PoisonError::into_inner).await;
        self.under_way = None;
        self.spare.give(std::mem::replace(&mut self.page, page));
        if let Err(error) = outcome {
            self.page.clear();
            if let ReadError::Corrupt { position, .. } = &error {
                self.pass(*position);
            }
            return Err(error);
        }
        let Some(last) = self.page.get(self.page.len().wrapping_sub(1)) else {
            self.done = true;
            return Ok(false);
        };
        let (last, version) = (last.position(), last.version());
        self.index = 0;
        self.pages += 1;
        self.query.limit = self
            .query
            .limit
            .map(|left| left.saturating_sub(self.page.len() as u64));
        self.done = self.page.is_last();
        self.query.settled = self.page.settled;
        self.pass(last);
        // Versions agree with positions, and are what a stream is found by. A page that is not full may have ended before
        // a damaged row, of which only the position is known.
        if self.query.stream.is_some() && self.page.is_full(self.query.page_size) {
            self.pass_version(version);
        }
        if self.pages > 1 {
            self.read_ahead();
        }
        Ok(true)
    }

    /// The page that was read last.
    pub(super) fn page(&self) -> &Page {
        &self.page
    }

    /// Whether nothing followed what was given last, when it was read.
    pub(super) fn is_used_up(&self) -> bool {
        self.done && self.index >= self.page.len()
    }

    /// The next event as a value of its own, or `None` at the end.
    ///
    /// # Errors
    /// As [`next_page`](Self::next_page).
    pub async fn next(&mut self) -> Result<Option<RecordedEvent>, ReadError> {
        if self.index >= self.page.len() && !self.turn().await? {
            self.page.clear();
            return Ok(None);
        }
        let Some(record) = self.page.get(self.index) else {
            return Ok(None);
        };
        self.index += 1;
        record
            .to_owned()
            .map(Some)
            .map_err(|error| ReadError::Corrupt {
                store: self.backend.url().to_owned(),
                position: record.position(),
                reason: format!("its metadata cannot be read: {error}"),
            })
    }

    /// All that is left, as values of their own: for reads that are known to be short.
    ///
    /// # Errors
    /// As [`next_page`](Self::next_page).
    pub async fn collect(mut self) -> Result<Vec<RecordedEvent>, ReadError> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await? {
            events.push(event);
        }
        Ok(events)
    }

    /// Moves the query behind a position, in its direction.
    fn pass(&mut self, position: Position) {
        match self.query.direction {
            Direction::Forwards => self.query.after = position,
            Direction::Backwards if position.0 <= 1 => self.done = true,
            Direction::Backwards => self.query.up_to = Some(Position(position.0 - 1)),
        }
    }

    /// Moves a stream's query behind a version as well, so that a page costs the same wherever in the stream it is.
    fn pass_version(&mut self, version: Version) {
        match self.query.direction {
            Direction::Forwards => self.query.from_version = version.next(),
            Direction::Backwards => {
                self.query.to_version = Some(Version(version.0.saturating_sub(1)));
            }
        }
    }

    /// Begins to read the next page, where another thread can do it.
    fn read_ahead(&mut self) {
        if self.done || self.query.limit == Some(0) {
            return;
        }
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if runtime.runtime_flavor() == RuntimeFlavor::CurrentThread {
            return;
        }
        let store = self.backend.url().to_owned();
        let mut ahead = Ahead(runtime.spawn(self.read(self.spare.take())));
        self.under_way = Some(Mutex::new(Box::pin(async move {
            (&mut ahead.0).await.unwrap_or_else(|error| {
                let source = BackendError::new(error);
                (Page::new(), Err(ReadError::Unavailable { store, source }))
            })
        })));
    }

    /// Reads what the query says into a page.
    fn read(&self, mut page: Page) -> impl Future<Output = Read> + Send + 'static {
        let (backend, query) = (Arc::clone(&self.backend), self.query.clone());
        async move {
            page.clear();
            let outcome = backend.read(&query, &mut page).await;
            (page, outcome)
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.spare.give(std::mem::take(&mut self.page));
    }
}

/// Without the page that is under way.
impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("query", &self.query)
            .field("page", &self.page)
            .finish_non_exhaustive()
    }
}

/// A task that reads a page; ends when nobody wants it any more.
struct Ahead(JoinHandle<Read>);

impl Drop for Ahead {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Pages that were read and are done with: their memory is used again, since giving it back to the system and asking for
/// it anew costs as much as a short read.
#[derive(Debug, Clone, Default)]
pub(super) struct SparePages(Arc<Mutex<Spare>>);

#[derive(Debug, Default)]
struct Spare {
    pages: Vec<Page>,
    /// What they take together.
    bytes: usize,
}

impl SparePages {
    /// The most that are kept, as many as may be read at once by a busy server.
    const MOST: usize = 256;
    /// The most that they take together, and that one of them takes.
    const BYTES: usize = 16 * Page::MAX_BYTES;
    const BYTES_OF_ONE: usize = 2 * Page::MAX_BYTES;

    fn spare(&self) -> MutexGuard<'_, Spare> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Page {
        let mut spare = self.spare();
        let page = spare.pages.pop().unwrap_or_default();
        spare.bytes -= page.memory();
        page
    }

    fn give(&self, mut page: Page) {
        page.clear();
        if !(1..=Self::BYTES_OF_ONE).contains(&page.memory()) {
            return;
        }
        let mut spare = self.spare();
        let bytes = spare.bytes + page.memory();
        if spare.pages.len() < Self::MOST && bytes <= Self::BYTES {
            spare.bytes = bytes;
            spare.pages.push(page);
        }
    }
}
