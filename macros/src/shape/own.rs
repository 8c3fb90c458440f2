//! What is said of JSON that the derive cannot see: `opaque = "name@1"` and `shape = Type`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, LitStr, Type};

use crate::attr::{Entries, Key};
use crate::diag::Errors;
use crate::path::Krate;

pub(crate) const OPAQUE: Key = Key::once("opaque", "opaque = \"name@1\"");
pub(crate) const SHAPE: Key = Key::once("shape", "shape = SomeType");

const OF_FIELD: &[Key] = &[OPAQUE, SHAPE];

/// How something is written that says it by itself.
pub(crate) enum Own {
    /// As nobody describes.
    Opaque { name: String, version: u32 },
    /// As a type is.
    As(Box<Type>),
    /// As a mistake says, which explains whatever else is not known.
    Broken,
}

/// Whether something stands at a field.
pub(super) fn is_on(attributes: &[Attribute], name: &str) -> bool {
    !name.is_empty() && attributes.iter().any(|one| one.path().is_ident(name))
}

impl Own {
    /// What stands at a field or a variant.
    pub(super) fn of(attributes: &[Attribute], name: &str, errors: &mut Errors) -> Option<Self> {
        if name.is_empty() {
            return None;
        }
        let entries = Entries::of_attributes(attributes, name, OF_FIELD, errors);
        Self::of_entries(&entries, errors)
    }

    pub(crate) fn of_entries(entries: &Entries, errors: &mut Errors) -> Option<Self> {
        let shape = entries.get("shape");
        let Some(opaque) = entries.get("opaque") else {
            let ty = shape?.value("the type as which it is written", errors);
            return Some(ty.map_or(Self::Broken, |ty| Self::As(Box::new(ty))));
        };
        if let Some(shape) = shape {
            errors.at(
                shape,
                "`opaque` says that nobody describes the JSON, and `shape` describes it: which of the two should hold?",
                "remove one",
            );
        }
        let Some(text) = opaque.value::<LitStr>("a name and a version in quotes", errors) else {
            return Some(Self::Broken);
        };
        let value = text.value();
        let parts = value
            .rsplit_once('@')
            .filter(|(name, _)| !name.trim().is_empty());
        let read = parts.and_then(|(name, version)| {
            let version = version.parse().ok().filter(|version| *version > 0)?;
            Some((name.to_owned(), version))
        });
        let Some((name, version)) = read else {
            let name = value.split('@').next().map_or("", str::trim);
            let name = if name.is_empty() { "name" } else { name };
            errors.at(
                &text,
                "`opaque` takes a name and a version from 1: the version is what tells that the JSON has changed",
                format_args!("write `opaque = \"{name}@1\"`"),
            );
            return Some(Self::Broken);
        };
        Some(Self::Opaque { name, version })
    }
}

pub(super) fn opaque(krate: &Krate, name: &str, version: u32) -> TokenStream {
    quote!(&#krate::schema::Shape::Opaque { name: #name, version: #version })
}
