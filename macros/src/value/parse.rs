//! From tokens to the model.

use syn::DeriveInput;

use super::Value;
use crate::attr::{Entries, Key};
use crate::diag::Errors;
use crate::path::Krate;
use crate::shape::{Asked, Circle, Content, OPAQUE, Own, RECURSIVE_WITH, SHAPE, describe};

const KEYS: &[Key] = &[
    OPAQUE,
    SHAPE,
    RECURSIVE_WITH,
    Key::once("crate", "crate = path::to::recount"),
];

pub(super) fn value(input: DeriveInput, errors: &mut Errors) -> Value {
    let entries = Entries::of_attributes(&input.attrs, "value", KEYS, errors);
    let krate = Krate::new(entries.krate(errors));
    let own = Own::of_entries(&entries, errors);
    let circle = Circle::of_entries(&entries, &input.ident, &input.generics, errors);
    let shapes = circle
        .surroundings()
        .enumerate()
        .map(|(number, surrounding)| {
            let asked = Asked {
                krate: &krate,
                ident: &input.ident,
                generics: &input.generics,
                attributes: &input.attrs,
                outer: None,
                own: own.as_ref(),
                surrounding: Some(&surrounding),
                attribute: "value",
                strict: true,
            };
            // Its mistakes are the same wherever it stands.
            let mut again = Errors::default();
            let errors = if number == 0 {
                &mut *errors
            } else {
                &mut again
            };
            let described = describe(&asked, &Content::Data(&input.data), errors);
            (surrounding.arguments(), described)
        })
        .collect();
    Value {
        krate,
        ident: input.ident,
        generics: input.generics,
        shapes,
        union: matches!(input.data, syn::Data::Union(_)),
    }
}
