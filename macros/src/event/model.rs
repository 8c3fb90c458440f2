//! What `#[derive(Event)]` was given, as types of our own that keep the user's tokens.

use proc_macro2::{Ident, Span};
use syn::{Attribute, Fields, Generics, LitStr, Path, Type};

use crate::lock::Asked;
use crate::path::Krate;
use crate::shape::Described;

pub(crate) struct Event {
    pub(crate) krate: Krate,
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    pub(crate) kind: Kind,
    pub(crate) fingerprint: u64,
}

pub(crate) enum Kind {
    Struct(Box<One>, Fields),
    Enum {
        variants: Vec<Variant>,
        /// Serde attributes that hold for all variants.
        serde: Vec<Attribute>,
    },
    /// Too broken to expand: only what keeps other code compiling is written.
    Broken,
}

/// One stored event: a struct, or a variant with fields of its own.
pub(crate) struct One {
    pub(crate) ident: Ident,
    pub(crate) name: Option<LitStr>,
    pub(crate) formerly: Vec<LitStr>,
    pub(crate) version: Option<(u32, Span)>,
    pub(crate) upcast_from: Option<Type>,
    pub(crate) with: Option<Path>,
    pub(crate) split_from: Vec<Type>,
    pub(crate) steps: Vec<Step>,
    /// The shape of its payload.
    pub(crate) shape: Described,
    /// It has a mistake that explains whatever else is missing.
    pub(crate) broken: bool,
    /// What the lock asks of it.
    pub(crate) locked: Asked,
    /// Functions that make one, as samples of what is stored.
    pub(crate) examples: Vec<Path>,
}

/// `1 => path`
pub(crate) struct Step {
    pub(crate) from: syn::LitInt,
    pub(crate) function: Path,
}

pub(crate) struct Variant {
    pub(crate) ident: Ident,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) content: Content,
}

pub(crate) enum Content {
    /// Wraps a struct event.
    Event(Box<Type>),
    /// Is an event by itself: fields with names, or none.
    Fields(Box<One>, Fields),
    /// Has a mistake.
    Broken(Fields),
}

impl One {
    /// The name without its version suffix, and the version that the suffix says.
    ///
    /// `version = 1` means that the digits belong to the name.
    pub(crate) fn suffix(&self) -> (String, Option<u32>) {
        let ident = self.ident.to_string();
        match split_version(&ident) {
            Some((base, suffix)) if !matches!(self.version, Some((1, _))) || suffix == 1 => {
                (base.to_owned(), Some(suffix))
            }
            _ => (ident, None),
        }
    }

    /// The version, where it is written: in the attribute or in the name.
    pub(crate) fn written_version(&self) -> Option<u32> {
        self.version
            .map(|(version, _)| version)
            .or_else(|| self.suffix().1)
    }
}

/// `OpenedV2` is `Opened` and 2.
pub(crate) fn split_version(ident: &str) -> Option<(&str, u32)> {
    let base = ident.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = ident.strip_prefix(base)?;
    let base = base.strip_suffix('V').filter(|base| !base.is_empty())?;
    if digits.starts_with('0') && digits.len() > 1 {
        return None;
    }
    Some((base, digits.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::split_version;

    #[test]
    fn only_a_version_suffix_is_taken_off() {
        assert_eq!(split_version("OpenedV2"), Some(("Opened", 2)));
        assert_eq!(split_version("OpenedV0"), Some(("Opened", 0)));
        assert_eq!(split_version("OpenedV12"), Some(("Opened", 12)));
        for plain in ["Opened", "V2", "Opened2", "OpenedV", "OpenedV02", "Ipv4"] {
            assert_eq!(split_version(plain), None, "{plain}");
        }
    }
}
