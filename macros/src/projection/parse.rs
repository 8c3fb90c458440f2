//! From tokens to the model, and the rules.

use proc_macro2::TokenStream;
use syn::{LitStr, Type};

use crate::attr::{Entries, Key};
use crate::diag::Errors;
use crate::handler::{Block, Role, block};
use crate::path::Krate;

const KEYS: &[Key] = &[
    Key::once("name", "name = \"…\""),
    Key::once("of", "of(SomeAggregate)"),
    Key::once("crate", "crate = path::to::recount"),
];

/// What `#[projection]` was given.
pub(super) struct Projection {
    pub(super) krate: Krate,
    pub(super) name: Option<LitStr>,
    pub(super) of: Vec<Type>,
    pub(super) block: Block,
}

pub(super) fn projection(
    arguments: TokenStream,
    input: &TokenStream,
    errors: &mut Errors,
) -> Option<Projection> {
    let entries = Entries::of_tokens(arguments, "projection", KEYS, errors);
    let krate = Krate::new(entries.krate(errors));
    let name = entries.text("name", errors);
    let of: Vec<Type> = entries
        .get("of")
        .map(|entry| entry.types("the types of aggregates", errors))
        .unwrap_or_default();
    let before = errors.count();
    let block = block(Role::Projection, input, errors)?;
    let this = &block.name;
    if block.handlers.is_empty() && errors.count() == before {
        errors.at(
            &block.this,
            format_args!("`{this}` handles no event: it would stay as it is for ever"),
            "write `fn NAME(&mut self, event: SomeEvent) { … }` in the block",
        );
    }
    match (entries.get("name").is_some(), entries.get("of").is_some()) {
        (true, true) => {}
        (false, false) => errors.at(
            &block.this,
            format_args!("`{this}` says neither under which name it is kept nor whose events it handles"),
            format_args!("write `#[projection(name = \"…\", of(SomeAggregate))]`"),
        ),
        (false, true) => errors.at(
            &block.this,
            format_args!("`{this}` does not say under which name it is kept: it could not go on where it stopped"),
            format_args!("write `#[projection(name = \"…\", …)]`"),
        ),
        (true, false) => errors.at(
            &block.this,
            format_args!("`{this}` does not say whose events it handles: other aggregates may store events of the same names"),
            format_args!("write `#[projection(…, of(SomeAggregate))]`"),
        ),
    }
    if let Some(name) = &name
        && (name.value().is_empty() || name.value().len() > 255 || name.value().contains('\0'))
    {
        errors.at(
            name,
            "a projection's name has from 1 to 255 bytes and no NUL character",
            format_args!("write `name = \"…\"`"),
        );
    }
    Some(Projection {
        krate,
        name,
        of,
        block,
    })
}
