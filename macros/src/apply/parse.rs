//! From tokens to the model, and the rules.

use proc_macro2::{Ident, TokenStream};
use quote::format_ident;

use crate::attr::{Entries, Key};
use crate::diag::Errors;
use crate::handler::{Block, Role, block};
use crate::path::Krate;

const KEYS: &[Key] = &[
    Key::once("events", "events = SomeName"),
    Key::once("crate", "crate = path::to::recount"),
];

/// What `#[apply]` was given.
pub(crate) struct Apply {
    pub(crate) krate: Krate,
    /// The name of the enum of all events.
    pub(crate) events: Ident,
    pub(crate) block: Block,
}

pub(super) fn apply(
    arguments: TokenStream,
    input: &TokenStream,
    errors: &mut Errors,
) -> Option<Apply> {
    let entries = Entries::of_tokens(arguments, "apply", KEYS, errors);
    let krate = Krate::new(entries.krate(errors));
    let events: Option<Ident> = entries
        .get("events")
        .and_then(|entry| entry.value("the name for the enum of all events", errors));
    let before = errors.count();
    let block = block(Role::Apply, input, errors)?;
    if block.handlers.is_empty() && errors.count() == before {
        errors.at(
            &block.this,
            format_args!(
                "`{}` applies no event: nothing could be recorded on it",
                block.name
            ),
            "write `fn NAME(&mut self, event: SomeEvent) { … }` in the block",
        );
    }
    Some(Apply {
        krate,
        events: events.unwrap_or_else(|| format_ident!("{}Event", block.name)),
        block,
    })
}
