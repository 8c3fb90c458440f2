//! A read that goes on page by page.

use std::sync::Arc;

use super::Backend;
use crate::log::{Direction, Page, Position, Query, ReadError, RecordedEvent};

/// A read under way: asks for the next page when the last one is used up, in constant memory.
///
/// It sees what was stored when each page was read, so events that are appended meanwhile are read too.
/// After an error it can go on: a damaged row is passed over, anything else is tried again.
///
/// # Cancel safety
/// A dropped `next_page` loses nothing; the next call reads the same page.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = recount::Store::connect("memory:").await?;
/// let mut reader = store.read(recount::log::Query::all());
/// assert!(reader.next_page().await?.is_none());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Reader {
    backend: Arc<dyn Backend>,
    query: Query,
    refused: Option<ReadError>,
    page: Page,
    left: Option<u64>,
    done: bool,
    /// The next record of `page` for [`next`](Self::next).
    index: usize,
}

impl Reader {
    pub(super) fn new(backend: Arc<dyn Backend>, query: Query, refused: Option<ReadError>) -> Self {
        let left = query.limit;
        Self {
            backend,
            query,
            refused,
            page: Page::new(),
            left,
            done: false,
            index: 0,
        }
    }

    /// The next page, or `None` at the end. A page is never empty.
    ///
    /// # Errors
    /// [`ReadError`]; after [`ReadError::Corrupt`] the next call goes on behind the damaged row.
    pub async fn next_page(&mut self) -> Result<Option<&Page>, ReadError> {
        if let Some(error) = self.refused.take() {
            self.done = true;
            return Err(error);
        }
        if self.done || self.left == Some(0) {
            return Ok(None);
        }
        self.page.clear();
        self.index = 0;
        self.query.limit = self.left;
        if let Err(error) = self.backend.read(&self.query, &mut self.page).await {
            self.page.clear();
            if let ReadError::Corrupt { position, .. } = &error {
                self.pass(*position);
            }
            return Err(error);
        }
        let Some(last) = self.page.get(self.page.len().wrapping_sub(1)) else {
            self.done = true;
            return Ok(None);
        };
        let last = last.position();
        self.left = self
            .left
            .map(|left| left.saturating_sub(self.page.len() as u64));
        self.done = self.page.is_last();
        self.pass(last);
        Ok(Some(&self.page))
    }

    /// The next event as a value of its own, or `None` at the end.
    ///
    /// # Errors
    /// As [`next_page`](Self::next_page).
    pub async fn next(&mut self) -> Result<Option<RecordedEvent>, ReadError> {
        if self.index >= self.page.len() && self.next_page().await?.is_none() {
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
}
