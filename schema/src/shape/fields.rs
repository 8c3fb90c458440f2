//! Objects with known keys.

use std::hash::{Hash, Hasher};

use crate::{Shape, Shaped, digest};

/// An object with known keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Struct {
    /// Its fields, in order.
    pub fields: &'static [Field],
    /// `#[serde(deny_unknown_fields)]`.
    pub deny_unknown_fields: bool,
}

impl Struct {
    /// A struct that ignores fields which it does not know, as serde does by itself.
    pub const fn new(fields: &'static [Field]) -> Self {
        Self {
            fields,
            deny_unknown_fields: false,
        }
    }

    /// With `#[serde(deny_unknown_fields)]`.
    #[must_use]
    pub const fn denying_unknown_fields(mut self) -> Self {
        self.deny_unknown_fields = true;
        self
    }
}

/// Whether a field is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Written {
    /// In each payload.
    Always,
    /// `skip_serializing_if`.
    Maybe,
    /// `skip_serializing` or `skip`.
    Never,
}

/// What reading a field needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reads {
    /// Its key.
    Required,
    /// Nothing: without a key it is `None`.
    Optional,
    /// Nothing: without a key it has a default, here as text. Texts that differ are values that differ, except that
    /// the empty text stands for a default whose value is not known.
    Default(&'static str),
    /// `skip_deserializing` or `skip`: it is not read, whatever stands there.
    Ignored,
}

/// A field of an object: one description of what is written and of what can be read.
///
/// ```
/// use recount_schema::{Field, Reads, Written};
///
/// const REPS: Field = Field::of::<u16>("reps").aliases(&["repetitions"]).default("10");
/// const NOTE: Field = Field::of::<Option<String>>("note").written(Written::Maybe);
/// assert_eq!((REPS.reads, NOTE.reads), (Reads::Default("10"), Reads::Optional));
/// // The rule for `Option` is bypassed by `#[serde(deserialize_with = "…")]`.
/// assert_eq!(NOTE.deserialized_with().reads, Reads::Required);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Field {
    /// The key.
    pub name: &'static str,
    /// Further keys that are read, not written.
    pub aliases: &'static [&'static str],
    /// Whether it is written.
    pub written: Written,
    /// What reading needs.
    pub reads: Reads,
    /// `#[serde(flatten)]`: the keys of the shape stand in the object itself, and the name counts for nothing.
    pub flatten: bool,
    pub(crate) shape: &'static Shape,
    pub(crate) digest: Known,
}

/// The digest of a type's shape. The compiler evaluates a constant once, so what many events hold is not hashed for each of them.
/// It follows from the shape, and does not count where two are compared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known(pub(crate) Option<u64>);

impl PartialEq for Known {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Known {}

impl Hash for Known {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl Field {
    /// A field that is always written and must be there.
    pub const fn new(name: &'static str, shape: &'static Shape) -> Self {
        Self {
            name,
            aliases: &[],
            written: Written::Always,
            reads: Reads::Required,
            flatten: false,
            shape,
            digest: Known(None),
        }
    }

    /// The shape of its value.
    ///
    /// ```
    /// use recount_schema::{Field, Shaped};
    ///
    /// assert_eq!(Field::of::<u16>("reps").shape(), u16::SHAPE);
    /// ```
    pub const fn shape(&self) -> &'static Shape {
        self.shape
    }

    /// The same field with a value of another shape.
    ///
    /// ```
    /// use recount_schema::{Field, Shaped};
    ///
    /// const REPS: Field = Field::of::<u16>("reps").aliases(&["repetitions"]);
    /// let wider = REPS.of_shape(u32::SHAPE);
    /// assert_eq!((wider.shape(), wider.aliases), (u32::SHAPE, REPS.aliases));
    /// ```
    #[must_use]
    pub const fn of_shape(self, shape: &'static Shape) -> Self {
        let digest = Known(None);
        Self {
            shape,
            digest,
            ..self
        }
    }

    /// The same field under another name.
    ///
    /// ```
    /// use recount_schema::Field;
    ///
    /// assert_eq!(Field::of::<u16>("reps").named("sets"), Field::of::<u16>("sets"));
    /// ```
    #[must_use]
    pub const fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// A field of a type, which may be missing if the type says so ([`Shaped::MAY_BE_MISSING`]).
    pub const fn of<T: Shaped + ?Sized>(name: &'static str) -> Self {
        let digest = Known(Some(digest(T::SHAPE)));
        Self {
            digest,
            ..Self::new(name, T::SHAPE).optional_if(T::MAY_BE_MISSING)
        }
    }

    /// A field whose key may be missing, if that is so.
    #[must_use]
    pub const fn optional_if(mut self, optional: bool) -> Self {
        if optional {
            self.reads = Reads::Optional;
        }
        self
    }

    /// With `#[serde(alias = "…")]`.
    #[must_use]
    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// With `skip_serializing_if` or `skip_serializing`.
    #[must_use]
    pub const fn written(mut self, written: Written) -> Self {
        self.written = written;
        self
    }

    /// With `#[serde(default)]`; the text is the default's value or its source, or empty where it is not known.
    #[must_use]
    pub const fn default(mut self, text: &'static str) -> Self {
        self.reads = Reads::Default(text);
        self
    }

    /// With `deserialize_with` or `with`: a missing key is then an error unless there is a default. To be said before it.
    #[must_use]
    pub const fn deserialized_with(mut self) -> Self {
        if let Reads::Optional = self.reads {
            self.reads = Reads::Required;
        }
        self
    }

    /// With `#[serde(skip_deserializing)]`.
    #[must_use]
    pub const fn ignored(mut self) -> Self {
        self.reads = Reads::Ignored;
        self
    }

    /// With `#[serde(skip)]`: neither written nor read.
    #[must_use]
    pub const fn skipped(self) -> Self {
        self.written(Written::Never).ignored()
    }

    /// With `#[serde(flatten)]`.
    #[must_use]
    pub const fn flattened(mut self) -> Self {
        self.flatten = true;
        self
    }
}
