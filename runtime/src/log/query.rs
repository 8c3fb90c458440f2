//! Which events to read, and in which order.

use chrono::{DateTime, Utc};

use super::{Position, Settled, StreamId, TenantId, Version};
use crate::store::BackendError;

/// The order of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Direction {
    /// From the oldest to the newest.
    #[default]
    Forwards,
    /// From the newest to the oldest.
    Backwards,
}

/// Events of one category, of some names, or both; an event is read when one of a query's selectors fits it.
///
/// ```
/// use recount::log::Selector;
///
/// let selector = Selector { category: Some("account".into()), names: vec!["Opened".into()] };
/// assert!(selector.fits("account", "Opened"));
/// assert!(!selector.fits("order", "Opened"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selector {
    /// The category; `None` for all.
    pub category: Option<String>,
    /// The stored names; empty for all.
    pub names: Vec<String>,
}

impl Selector {
    /// Whether an event of this category and stored name is meant.
    pub fn fits(&self, category: &str, name: &str) -> bool {
        self.category
            .as_deref()
            .is_none_or(|wanted| wanted == category)
            && (self.names.is_empty() || self.names.iter().any(|wanted| wanted == name))
    }
}

/// How much of each event is asked for. A backend may leave out what is not, which makes long folds faster: columns are what a read
/// of many small events costs.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use recount::log::{Detail, Expected, NewEvent, Query, StreamId};
///
/// # let folder = tempfile::tempdir()?;
/// # let url = format!("sqlite:{}", folder.path().join("log.db").display());
/// let store = recount::Store::connect(&url).await?;
/// store.append(&StreamId::new("note", "1")?, Expected::NoStream, [NewEvent::json("Noted", 1, &"hello")?]).await?;
///
/// let mut reader = store.read(Query::all().detail(Detail::Payload));
/// let page = reader.next_page().await?.expect("one page");
/// let record = page.iter().next().expect("one event");
/// assert_eq!((record.name(), record.payload()), ("Noted", br#""hello""#.as_slice()));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Detail {
    /// What happened and when: position, kind, time and payload. The stream's id may be empty and the version 0, unless it is one
    /// stream that is read.
    Payload,
    /// Where as well: the stream's id and the version.
    Place,
    /// All: the event's id, which may be nil otherwise, and its metadata, which may be empty.
    Full,
}

/// Which events to read. All conditions must hold; a read is paged whatever it selects.
///
/// ```
/// use recount::log::{Position, Query};
///
/// let query = Query::all().after(Position(100)).category("account").names(["MoneyDeposited"]).limit(10);
/// assert_eq!(query.limit, Some(10));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Query {
    /// Only this tenant's events; the handle sets it, and it is `None` only in a handle that is bound to no tenant.
    pub tenant: Option<TenantId>,
    /// Only this stream's events.
    pub stream: Option<StreamId>,
    /// Only events that one of these fits; empty for all.
    pub selectors: Vec<Selector>,
    /// Only events after this position, in both directions: a read backwards ends there.
    pub after: Position,
    /// Only events up to and with this position, in both directions: a read backwards begins there.
    pub up_to: Option<Position>,
    /// Only events of this version and later, counted in their stream.
    pub from_version: Version,
    /// Only events of this version and earlier.
    pub to_version: Option<Version>,
    /// Only events recorded at this time or later.
    pub since: Option<DateTime<Utc>>,
    /// Only events recorded before this time.
    pub before: Option<DateTime<Utc>>,
    /// The order: by position, which within a stream is by version.
    pub direction: Direction,
    /// The most events to read in all. A backend, asked for one page after another, is told what is left of it.
    pub limit: Option<u64>,
    /// The most events in a page; it may have fewer, see [`Page`](super::Page).
    pub page_size: usize,
    /// How much of each event is asked for.
    pub detail: Detail,
    /// What the page before told.
    pub(crate) settled: Option<Settled>,
}

impl Query {
    /// The most events in a page unless [`page_size`](Self::page_size) says otherwise.
    pub const PAGE_SIZE: usize = 1024;

    /// All events of the log that the handle can see.
    pub fn all() -> Self {
        Self {
            tenant: None,
            stream: None,
            selectors: Vec::new(),
            after: Position::START,
            up_to: None,
            from_version: Version::NONE,
            to_version: None,
            since: None,
            before: None,
            direction: Direction::Forwards,
            limit: None,
            page_size: Self::PAGE_SIZE,
            detail: Detail::Full,
            settled: None,
        }
    }

    /// The events of one stream.
    pub fn stream(stream: &StreamId) -> Self {
        Self {
            stream: Some(stream.clone()),
            ..Self::all()
        }
    }

    /// Only events after this position.
    #[must_use]
    pub fn after(mut self, position: Position) -> Self {
        self.after = position;
        self
    }

    /// Only events up to and with this position.
    #[must_use]
    pub fn up_to(mut self, position: Position) -> Self {
        self.up_to = Some(position);
        self
    }

    /// Only events of this version and later.
    #[must_use]
    pub fn from_version(mut self, version: Version) -> Self {
        self.from_version = version;
        self
    }

    /// Only events of this version and earlier.
    #[must_use]
    pub fn to_version(mut self, version: Version) -> Self {
        self.to_version = Some(version);
        self
    }

    /// Only events of this category; together with [`names`](Self::names), both must fit.
    #[must_use]
    pub fn category(mut self, category: impl Into<String>) -> Self {
        let category = category.into();
        if self.selectors.is_empty() {
            self.selectors.push(Selector::default());
        }
        for selector in &mut self.selectors {
            selector.category = Some(category.clone());
        }
        self
    }

    /// Only events of these stored names; together with [`category`](Self::category), both must fit.
    #[must_use]
    pub fn names<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        if self.selectors.is_empty() {
            self.selectors.push(Selector::default());
        }
        for selector in &mut self.selectors {
            selector.names.clone_from(&names);
        }
        self
    }

    /// Only events that one of these fits.
    #[must_use]
    pub fn any_of(mut self, selectors: impl IntoIterator<Item = Selector>) -> Self {
        self.selectors = selectors.into_iter().collect();
        self
    }

    /// Only events recorded at this time or later. Positions, not times, order the log: a clock may go backwards.
    #[must_use]
    pub fn since(mut self, time: DateTime<Utc>) -> Self {
        self.since = Some(time);
        self
    }

    /// Only events recorded before this time.
    #[must_use]
    pub fn before(mut self, time: DateTime<Utc>) -> Self {
        self.before = Some(time);
        self
    }

    /// From the newest to the oldest.
    #[must_use]
    pub fn backwards(mut self) -> Self {
        self.direction = Direction::Backwards;
        self
    }

    /// The most events to read in all.
    #[must_use]
    pub fn limit(mut self, events: u64) -> Self {
        self.limit = Some(events);
        self
    }

    /// The most events in a page, at least 1.
    #[must_use]
    pub fn page_size(mut self, events: usize) -> Self {
        self.page_size = events.max(1);
        self
    }

    /// How much of each event is asked for.
    #[must_use]
    pub fn detail(mut self, detail: Detail) -> Self {
        self.detail = detail;
        self
    }

    /// Whether an event fits: for backends that scan, and for whoever filters events that are read already. The order, the
    /// limit and the size of pages say nothing about a single event.
    ///
    /// ```
    /// use recount::log::{Position, Query, StreamId, Version};
    ///
    /// let stream = StreamId::new("account", "a")?;
    /// let query = Query::all().category("account").after(Position(10));
    /// let now = recount::chrono::Utc::now();
    /// assert!(query.fits(&stream, "Opened", Position(11), Version(1), now));
    /// assert!(!query.fits(&stream, "Opened", Position(10), Version(1), now));
    /// # Ok::<(), recount::log::NameError>(())
    /// ```
    pub fn fits(
        &self,
        stream: &StreamId,
        name: &str,
        position: Position,
        version: Version,
        at: DateTime<Utc>,
    ) -> bool {
        self.tenant
            .as_ref()
            .is_none_or(|tenant| stream.tenant() == Some(tenant))
            && self.stream.as_ref().is_none_or(|wanted| wanted == stream)
            && (self.selectors.is_empty()
                || self
                    .selectors
                    .iter()
                    .any(|selector| selector.fits(stream.category().as_str(), name)))
            && position > self.after
            && self.up_to.is_none_or(|last| position <= last)
            && version >= self.from_version
            && self.to_version.is_none_or(|last| version <= last)
            && self.since.is_none_or(|since| at >= since)
            && self.before.is_none_or(|before| at < before)
    }
}

/// Why events could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The row at this position is damaged. The others can be read: go on after it.
    #[error(
        "the event at position {position} in {store} is damaged: {reason}; events after it can be read with `after(Position({position}))`"
    )]
    Corrupt {
        /// The store's URL.
        store: String,
        /// Where the row stands.
        position: Position,
        /// What is wrong with it.
        reason: String,
    },
    /// The handle belongs to a tenant and the query asks for another's stream.
    #[error("stream {stream} is outside of tenant {tenant}, which this handle is bound to")]
    OutsideTenant {
        /// The stream.
        stream: StreamId,
        /// The handle's tenant.
        tenant: TenantId,
    },
    /// The database could not be used; the read can be repeated.
    #[error("the store {store} could not be read")]
    Unavailable {
        /// The store's URL.
        store: String,
        /// What the database said.
        source: BackendError,
    },
}

impl ReadError {
    /// Whether the same read may succeed when it is tried again.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}
