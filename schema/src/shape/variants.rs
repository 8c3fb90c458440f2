//! Enums.

use crate::{Element, Shape, Struct};

/// One of several variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Enum {
    /// Where the variant's name stands.
    pub tagging: Tagging,
    /// The variants, in order, which counts where the name stands nowhere.
    pub variants: &'static [Variant],
}

impl Enum {
    /// An enum with the name as the only key, as serde has it by itself.
    pub const fn new(variants: &'static [Variant]) -> Self {
        Self {
            tagging: Tagging::External,
            variants,
        }
    }

    /// With `#[serde(tag = "…")]` and the like.
    #[must_use]
    pub const fn tagged(mut self, tagging: Tagging) -> Self {
        self.tagging = tagging;
        self
    }
}

/// Where the name of a variant stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tagging {
    /// It is the only key, `{"Moved": {…}}`, or the whole value, `"Done"`.
    External,
    /// Among the fields: `{"kind": "Moved", …}`.
    Internal {
        /// The key of the name.
        tag: &'static str,
    },
    /// Beside the content: `{"kind": "Moved", "data": {…}}`.
    Adjacent {
        /// The key of the name.
        tag: &'static str,
        /// The key of the content.
        content: &'static str,
    },
    /// Nowhere: the first variant that fits is read.
    Untagged,
}

/// A variant.
///
/// ```
/// use recount_schema::{Body, Shaped, Variant};
///
/// const MOVED: Variant = Variant::new("Moved", Body::Newtype(<String>::SHAPE)).aliases(&["Relocated"]);
/// assert!(MOVED.is_read && MOVED.is_written && !MOVED.other);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Variant {
    /// Its name in JSON.
    pub name: &'static str,
    /// Further names that are read, not written.
    pub aliases: &'static [&'static str],
    /// What is in it.
    pub body: Body,
    /// `#[serde(other)]`: read for names that are not known.
    pub other: bool,
    /// Not `#[serde(skip_serializing)]`.
    pub is_written: bool,
    /// Not `#[serde(skip_deserializing)]`.
    pub is_read: bool,
}

impl Variant {
    /// A variant that is written and read.
    pub const fn new(name: &'static str, body: Body) -> Self {
        Self {
            name,
            aliases: &[],
            body,
            other: false,
            is_written: true,
            is_read: true,
        }
    }

    /// A variant without content.
    pub const fn unit(name: &'static str) -> Self {
        Self::new(name, Body::Unit)
    }

    /// With `#[serde(alias = "…")]`.
    #[must_use]
    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// With `#[serde(other)]`.
    #[must_use]
    pub const fn other(mut self) -> Self {
        self.other = true;
        self
    }

    /// With `#[serde(skip_serializing)]`, as far as the first is false, and `#[serde(skip_deserializing)]`, the second.
    #[must_use]
    pub const fn kept(mut self, is_written: bool, is_read: bool) -> Self {
        self.is_written = is_written;
        self.is_read = is_read;
        self
    }
}

/// What is in a variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Body {
    /// Nothing.
    Unit,
    /// One value.
    Newtype(&'static Shape),
    /// Several values, in places.
    Tuple(&'static [Element]),
    /// Several values, with names.
    Struct(Struct),
}
