//! From tokens to the model.

use syn::DeriveInput;

use super::Value;
use crate::attr::{Entries, Key};
use crate::diag::Errors;
use crate::path::Krate;
use crate::shape::{Asked, Content, OPAQUE, Own, SHAPE, describe};

const KEYS: &[Key] = &[
    OPAQUE,
    SHAPE,
    Key::once("crate", "crate = path::to::recount"),
];

pub(super) fn value(input: DeriveInput, errors: &mut Errors) -> Value {
    let entries = Entries::of_attributes(&input.attrs, "value", KEYS, errors);
    let krate = Krate::new(entries.krate(errors));
    let own = Own::of_entries(&entries, errors);
    let asked = Asked {
        krate: &krate,
        ident: &input.ident,
        generics: &input.generics,
        attributes: &input.attrs,
        outer: None,
        own: own.as_ref(),
        attribute: "value",
        strict: true,
    };
    let shape = describe(&asked, &Content::Data(&input.data), errors);
    Value {
        krate,
        ident: input.ident,
        generics: input.generics,
        shape,
        union: matches!(input.data, syn::Data::Union(_)),
    }
}
