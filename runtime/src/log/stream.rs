//! The name of a stream: tenant, category and id.

use std::fmt;
use std::sync::Arc;

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name has no characters.
    #[error("the {what} cannot be empty")]
    Empty {
        /// What was named: "category", "stream id", "tenant" or "event name".
        what: &'static str,
    },
    /// The name is longer than the limit.
    #[error("the {what} can have at most {limit} bytes, this one has {actual}")]
    TooLong {
        /// What was named.
        what: &'static str,
        /// The most bytes of UTF-8 that it may have.
        limit: usize,
        /// The bytes that it has.
        actual: usize,
    },
    /// The name holds a NUL character, which SQL text cannot.
    #[error("the {what} cannot hold a NUL character")]
    Nul {
        /// What was named.
        what: &'static str,
    },
}

/// Checks a name against the rules that every backend can keep.
pub(crate) fn check_name(what: &'static str, name: &str, limit: usize) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty { what });
    }
    if name.len() > limit {
        return Err(NameError::TooLong {
            what,
            limit,
            actual: name.len(),
        });
    }
    if name.contains('\0') {
        return Err(NameError::Nul { what });
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $limit:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The most bytes of UTF-8 that one may have.
            pub const MAX_BYTES: usize = $limit;

            /// Checks and takes a name.
            ///
            /// # Errors
            /// [`NameError`] when it is empty, longer than [`MAX_BYTES`](Self::MAX_BYTES), or holds a NUL character.
            pub fn new(name: impl Into<Arc<str>>) -> Result<Self, NameError> {
                let name = name.into();
                check_name($what, &name, Self::MAX_BYTES)?;
                Ok(Self(name))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

name! {
    /// The kind of stream, the same for all instances of an aggregate: `account`, `order`.
    ///
    /// ```
    /// use recount::log::Category;
    ///
    /// assert_eq!(Category::new("account")?.as_str(), "account");
    /// assert!(Category::new("").is_err());
    /// # Ok::<(), recount::log::NameError>(())
    /// ```
    Category, "category", 255
}

name! {
    /// One of several customers that share a store; the same stream id in two tenants is two streams.
    ///
    /// ```
    /// use recount::log::TenantId;
    ///
    /// assert_eq!(TenantId::new("acme")?.to_string(), "acme");
    /// # Ok::<(), recount::log::NameError>(())
    /// ```
    TenantId, "tenant", 255
}

/// The full name of one stream: its category, its id and, in a store with several tenants, its tenant.
///
/// Any text is an id: spaces, quotes, slashes and emoji are kept as they are.
///
/// ```
/// use recount::log::StreamId;
///
/// let stream = StreamId::new("account", "account_001")?;
/// assert_eq!(stream.category().as_str(), "account");
/// assert_eq!(stream.to_string(), "account/account_001");
/// # Ok::<(), recount::log::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    tenant: Option<TenantId>,
    category: Category,
    id: Arc<str>,
}

impl StreamId {
    /// The most bytes of UTF-8 that the id part may have.
    pub const MAX_ID_BYTES: usize = 4096;

    /// Checks and puts together a name. A handle that belongs to a tenant adds its tenant when the name is used.
    ///
    /// # Errors
    /// [`NameError`] when a part is empty, too long (255 bytes for the category,
    /// [`MAX_ID_BYTES`](Self::MAX_ID_BYTES) for the id) or holds a NUL character.
    pub fn new(category: &str, id: impl Into<Arc<str>>) -> Result<Self, NameError> {
        Self::in_category(Category::new(category)?, id)
    }

    /// The stream of this id in a category that is already checked.
    ///
    /// # Errors
    /// [`NameError`] when the id is empty, too long or holds a NUL character.
    pub fn in_category(category: Category, id: impl Into<Arc<str>>) -> Result<Self, NameError> {
        let id = id.into();
        check_name("stream id", &id, Self::MAX_ID_BYTES)?;
        Ok(Self {
            tenant: None,
            category,
            id,
        })
    }

    /// What a store read back: parts that were checked when they were written.
    pub(crate) fn from_parts(tenant: Option<TenantId>, category: Category, id: Arc<str>) -> Self {
        Self {
            tenant,
            category,
            id,
        }
    }

    /// The same stream under a tenant, or under none: what a backend makes of what it stored. Through a handle that is bound
    /// to a tenant, a stream of another is refused all the same.
    ///
    /// ```
    /// use recount::log::{StreamId, TenantId};
    ///
    /// let stream = StreamId::new("account", "a")?.in_tenant(Some(TenantId::new("acme")?));
    /// assert_eq!(stream.to_string(), "acme:account/a");
    /// # Ok::<(), recount::log::NameError>(())
    /// ```
    #[must_use]
    pub fn in_tenant(mut self, tenant: Option<TenantId>) -> Self {
        self.tenant = tenant;
        self
    }

    /// The tenant that the stream belongs to, if any.
    pub fn tenant(&self) -> Option<&TenantId> {
        self.tenant.as_ref()
    }

    /// The kind of stream.
    pub fn category(&self) -> &Category {
        &self.category
    }

    /// The id within the category.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(tenant) = &self.tenant {
            write!(f, "{tenant}:")?;
        }
        write!(f, "{}/{}", self.category, self.id)
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamId({self})")
    }
}
