//! What comes out of the log: pages of records.
//!
//! A page is an arena: the texts of all its rows stand one after another in one buffer, so that reading an event
//! allocates nothing, and a virtual call is paid for a page rather than for an event.

use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{Category, EventId, Metadata, Position, StreamId, TenantId, Version};

/// What rows of the same kind share: tenant, category, stored name and schema version.
///
/// ```
/// use recount::log::{Category, Kind};
///
/// let kind = Kind { tenant: None, category: Category::new("account")?, name: "Opened".into(), schema_version: 1 };
/// assert_eq!(&*kind.name, "Opened");
/// # Ok::<(), recount::log::NameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Kind {
    /// The stream's tenant.
    pub tenant: Option<TenantId>,
    /// The stream's category.
    pub category: Category,
    /// The event's stored name.
    pub name: Arc<str>,
    /// The version of the payload's shape.
    pub schema_version: u32,
}

/// One row on its way into a [`Page`]; a backend fills one for each event that it reads.
///
/// ```
/// use recount::log::{Category, EventId, Kind, Page, Position, Row, Version};
/// use std::sync::Arc;
///
/// let kind = Arc::new(Kind { tenant: None, category: Category::new("note")?, name: "Noted".into(), schema_version: 1 });
/// let mut page = Page::new();
/// page.push(&kind, Row {
///     position: Position(1), version: Version(1), id: EventId(uuid::Uuid::nil()),
///     recorded_at: 0, stream: "n1", metadata: "", payload: br#"{}"#,
/// });
/// assert_eq!(page.iter().next().unwrap().stream(), "n1");
/// # Ok::<(), recount::log::NameError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// Its place in the log.
    pub position: Position,
    /// Its place in its stream.
    pub version: Version,
    /// Its id.
    pub id: EventId,
    /// When it was recorded: microseconds since 1970, UTC. What is out of chrono's range is read as 1970.
    pub recorded_at: i64,
    /// The id part of its stream's name.
    pub stream: &'a str,
    /// The metadata as JSON text; empty when there is none.
    pub metadata: &'a str,
    /// The payload as it is stored.
    pub payload: &'a [u8],
}

#[derive(Debug, Clone)]
struct Stored {
    position: Position,
    version: Version,
    id: EventId,
    /// Made a date only for those who ask: few do, and it costs as much as reading the row.
    recorded_at: i64,
    kind: u32,
    /// Where the stream's id, the metadata and the payload end in `bytes`; the first begins at `start`.
    start: usize,
    stream_end: usize,
    metadata_end: usize,
    payload_end: usize,
}

/// Events as one read returned them, in the order of the read.
///
/// A page has at most as many events as were asked for, and takes no further one once it [is full](Self::is_full) of bytes. It
/// may have fewer and still not be the last one. What a backend is given to fill is empty.
///
/// ```
/// use recount::log::Page;
///
/// assert!(Page::new().is_empty());
/// ```
#[derive(Debug, Default)]
pub struct Page {
    rows: Vec<Stored>,
    kinds: Vec<Arc<Kind>>,
    bytes: Vec<u8>,
    last: bool,
    /// Handed to the read of the next page.
    pub(crate) settled: Option<Settled>,
}

/// What a backend found out about the end of the log while it read a page: nothing is appended any more up to there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settled {
    pub(crate) up_to: Position,
    /// By whom, as the backend counts.
    pub(crate) by: u64,
}

impl Page {
    /// A page that ends a read once its texts have this many bytes, so that memory stays constant however large the payloads.
    pub const MAX_BYTES: usize = 4 << 20;

    /// An empty page.
    pub fn new() -> Self {
        Self::default()
    }

    /// A page of one event alone.
    pub(crate) fn of(record: &Record<'_>) -> Self {
        let mut page = Self::new();
        let row = Row {
            position: record.position(),
            version: record.version(),
            id: record.id(),
            recorded_at: record.row.recorded_at,
            stream: record.stream(),
            metadata: record.metadata_json(),
            payload: record.payload(),
        };
        page.push(record.kind, row);
        page
    }

    /// Forgets the rows and keeps the memory.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.kinds.clear();
        self.bytes.clear();
        self.last = false;
        self.settled = None;
    }

    /// How many bytes of memory its texts may take before it asks for more.
    pub(crate) fn memory(&self) -> usize {
        self.bytes.capacity()
    }

    /// Adds a row at the end.
    pub fn push(&mut self, kind: &Arc<Kind>, row: Row<'_>) {
        let kind = self.kind_index(kind);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(row.stream.as_bytes());
        let stream_end = self.bytes.len();
        self.bytes.extend_from_slice(row.metadata.as_bytes());
        let metadata_end = self.bytes.len();
        self.bytes.extend_from_slice(row.payload);
        self.rows.push(Stored {
            position: row.position,
            version: row.version,
            id: row.id,
            recorded_at: row.recorded_at,
            kind,
            start,
            stream_end,
            metadata_end,
            payload_end: self.bytes.len(),
        });
    }

    /// Kinds of a page are few and come in runs, so the search starts at the one used last.
    fn kind_index(&mut self, kind: &Arc<Kind>) -> u32 {
        let last = self.rows.last().map(|row| row.kind);
        if let Some(last) = last
            && self
                .kinds
                .get(last as usize)
                .is_some_and(|known| Arc::ptr_eq(known, kind))
        {
            return last;
        }
        let index = self
            .kinds
            .iter()
            .position(|known| Arc::ptr_eq(known, kind))
            .unwrap_or_else(|| {
                self.kinds.push(Arc::clone(kind));
                self.kinds.len() - 1
            });
        // A page has far fewer than 2³² rows, hence kinds.
        u32::try_from(index).unwrap_or(u32::MAX)
    }

    /// Whether a read must stop here and go on with the next page: it has this many rows, or
    /// [`MAX_BYTES`](Self::MAX_BYTES).
    pub fn is_full(&self, max_rows: usize) -> bool {
        self.rows.len() >= max_rows || self.bytes.len() >= Self::MAX_BYTES
    }

    /// Says that nothing follows this page, which spares the reader a further call. Without it a read ends with the first page
    /// that is empty. Where only the query's limit was reached, either will do.
    pub fn set_last(&mut self, last: bool) {
        self.last = last;
    }

    /// Whether nothing followed when this page was read.
    pub fn is_last(&self) -> bool {
        self.last
    }

    /// How many events it holds.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it holds no event.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The record at `index`, counted from 0.
    pub fn get(&self, index: usize) -> Option<Record<'_>> {
        let row = self.rows.get(index)?;
        Some(Record {
            row,
            kind: self.kinds.get(row.kind as usize)?,
            bytes: &self.bytes,
        })
    }

    /// The records, in the order of the read.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Record<'_>> {
        self.rows.iter().filter_map(|row| {
            Some(Record {
                row,
                kind: self.kinds.get(row.kind as usize)?,
                bytes: &self.bytes,
            })
        })
    }
}

/// One stored event, borrowed from the [`Page`] that it was read in.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use recount::log::{Expected, NewEvent, Query, StreamId};
///
/// let store = recount::Store::connect("memory:").await?;
/// store.append(&StreamId::new("note", "1")?, Expected::NoStream, [NewEvent::json("Noted", 1, &"hello")?]).await?;
///
/// let mut reader = store.read(Query::all());
/// let page = reader.next_page().await?.expect("one page");
/// let record = page.iter().next().expect("one event");
/// assert_eq!((record.name(), record.payload()), ("Noted", br#""hello""#.as_slice()));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy)]
pub struct Record<'a> {
    row: &'a Stored,
    kind: &'a Arc<Kind>,
    bytes: &'a [u8],
}

impl<'a> Record<'a> {
    /// Its place in the log.
    #[inline]
    pub fn position(&self) -> Position {
        self.row.position
    }

    /// Its place in its stream.
    #[inline]
    pub fn version(&self) -> Version {
        self.row.version
    }

    /// Its id.
    #[inline]
    pub fn id(&self) -> EventId {
        self.row.id
    }

    /// When it was recorded.
    #[inline]
    pub fn recorded_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.row.recorded_at).unwrap_or_default()
    }

    /// Its stored name.
    #[inline]
    pub fn name(&self) -> &'a str {
        &self.kind.name
    }

    /// The version of its payload's shape.
    #[inline]
    pub fn schema_version(&self) -> u32 {
        self.kind.schema_version
    }

    /// Its stream's category.
    #[inline]
    pub fn category(&self) -> &'a str {
        self.kind.category.as_str()
    }

    /// What it shares with others of its kind.
    #[inline]
    pub fn kind(&self) -> &'a Arc<Kind> {
        self.kind
    }

    /// The id part of its stream's name.
    pub fn stream(&self) -> &'a str {
        self.text(self.row.start..self.row.stream_end)
    }

    /// Its stream's full name, as a value of its own.
    pub fn stream_id(&self) -> StreamId {
        StreamId::from_parts(
            self.kind.tenant.clone(),
            self.kind.category.clone(),
            self.stream().into(),
        )
    }

    /// Its metadata as JSON text; empty when there is none.
    pub fn metadata_json(&self) -> &'a str {
        self.text(self.row.stream_end..self.row.metadata_end)
    }

    /// Its metadata.
    ///
    /// # Errors
    /// When the stored text is not metadata, which happens only to a damaged database.
    pub fn metadata(&self) -> Result<Metadata, serde_json::Error> {
        Metadata::from_json(self.metadata_json())
    }

    /// Its payload: JSON text in UTF-8.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        self.bytes
            .get(self.row.metadata_end..self.row.payload_end)
            .unwrap_or_default()
    }

    /// The same as a value of its own, independent of the page.
    ///
    /// # Errors
    /// When the stored metadata is damaged.
    pub fn to_owned(&self) -> Result<RecordedEvent, serde_json::Error> {
        Ok(RecordedEvent {
            position: self.position(),
            stream: self.stream_id(),
            version: self.version(),
            id: self.id(),
            name: Arc::clone(&self.kind.name),
            schema_version: self.schema_version(),
            recorded_at: self.recorded_at(),
            metadata: self.metadata()?,
            payload: self.payload().to_vec(),
        })
    }

    fn text(&self, range: Range<usize>) -> &'a str {
        // Both texts were pushed as `&str`, on these boundaries.
        self.bytes
            .get(range)
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .unwrap_or_default()
    }
}

impl std::fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record")
            .field("position", &self.position())
            .field("stream", &self.stream_id())
            .field("version", &self.version())
            .field("id", &self.id())
            .field("name", &self.name())
            .field("schema_version", &self.schema_version())
            .field("recorded_at", &self.recorded_at())
            .field("metadata", &self.metadata_json())
            .field("payload", &String::from_utf8_lossy(self.payload()))
            .finish()
    }
}

/// One stored event as a value of its own.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use recount::log::{Expected, NewEvent, Query, StreamId, Version};
///
/// let store = recount::Store::connect("memory:").await?;
/// store.append(&StreamId::new("note", "1")?, Expected::NoStream, [NewEvent::json("Noted", 1, &"hello")?]).await?;
///
/// let events = store.read(Query::all()).collect().await?;
/// assert_eq!((&*events[0].name, events[0].version), ("Noted", Version(1)));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedEvent {
    /// Its place in the log.
    pub position: Position,
    /// Its stream.
    pub stream: StreamId,
    /// Its place in its stream.
    pub version: Version,
    /// Its id.
    pub id: EventId,
    /// Its stored name.
    pub name: Arc<str>,
    /// The version of its payload's shape.
    pub schema_version: u32,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// Who and what caused it.
    pub metadata: Metadata,
    /// Its payload: JSON text in UTF-8.
    pub payload: Vec<u8>,
}
