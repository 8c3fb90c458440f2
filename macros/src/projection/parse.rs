//! From tokens to the model, and the rules.

use proc_macro2::TokenStream;
use syn::{LitStr, Type};

use super::statements;
use crate::attr::{Entries, Key};
use crate::diag::Errors;
use crate::handler::{Block, Home, Role, Tables, block};
use crate::path::Krate;

const KEYS: &[Key] = &[
    Key::once("name", "name = \"…\""),
    Key::once("of", "of(SomeAggregate)"),
    Key::once("crate", "crate = path::to::recount"),
];

/// What `#[projection]` or `#[reaction]` was given.
pub(super) struct Projection {
    pub(super) krate: Krate,
    pub(super) name: Option<LitStr>,
    pub(super) of: Vec<Type>,
    pub(super) block: Block,
}

pub(super) fn projection(
    role: Role,
    arguments: TokenStream,
    input: &TokenStream,
    errors: &mut Errors,
) -> Option<Projection> {
    let entries = Entries::of_tokens(arguments, role.name(), KEYS, errors);
    let krate = Krate::new(entries.krate(errors));
    let name = entries.text("name", errors);
    let of: Vec<Type> = entries
        .get("of")
        .map(|entry| entry.types("the types of aggregates", errors))
        .unwrap_or_default();
    let before = errors.count();
    let block = block(role, input, errors)?;
    let this = &block.name;
    if block.handlers.is_empty() && errors.count() == before {
        let so = match block.home {
            Home::Outside => "it would never act",
            Home::Aggregate | Home::State | Home::Tables => "it would stay as it is for ever",
        };
        errors.at(
            &block.this,
            format_args!("`{this}` handles no event: {so}"),
            format_args!("write `{}` in the block", block.home.example()),
        );
    } else if block.home == Home::Tables && matches!(block.tables, Tables::Absent) {
        let table = name.as_ref().map_or_else(|| "name".to_owned(), table);
        errors.at(
            &block.this,
            format_args!("`{this}` writes tables and does not say which: nothing would make them"),
            format_args!(
                "write `const TABLES: &[&str] = &[\"CREATE TABLE {{{table}}} (…)\"];` in the block"
            ),
        );
    }
    if block.home == Home::Tables && matches!(block.tables, Tables::Given(_)) {
        statements::check(this, input, errors);
    }
    let attribute = role.name();
    match (entries.get("name").is_some(), entries.get("of").is_some()) {
        (true, true) => {}
        (false, false) => errors.at(
            &block.this,
            format_args!("`{this}` says neither under which name it is kept nor whose events it handles"),
            format_args!("write `#[{attribute}(name = \"…\", of(SomeAggregate))]`"),
        ),
        (false, true) => errors.at(
            &block.this,
            format_args!("`{this}` does not say under which name it is kept: it could not go on where it stopped"),
            format_args!("write `#[{attribute}(name = \"…\", …)]`"),
        ),
        (true, false) => errors.at(
            &block.this,
            format_args!("`{this}` does not say whose events it handles: other aggregates may store events of the same names"),
            format_args!("write `#[{attribute}(…, of(SomeAggregate))]`"),
        ),
    }
    if let Some(name) = &name
        && (name.value().is_empty() || name.value().len() > 255 || name.value().contains('\0'))
    {
        errors.at(
            name,
            format_args!("a {attribute}'s name has from 1 to 255 bytes and no NUL character"),
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

/// What its first table might be called.
fn table(name: &LitStr) -> String {
    let name = name.value();
    let plain = |it: char| {
        if it.is_ascii_alphanumeric() {
            it.to_ascii_lowercase()
        } else {
            '_'
        }
    };
    name.chars().map(plain).collect()
}
