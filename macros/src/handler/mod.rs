//! The `impl` blocks of `#[apply]`, `#[projection]` and `#[reaction]`: methods that each take one event.
//!
//! What the methods of a block are for is its [`Home`]. `#[apply]` and `#[reaction]` say it; in `#[projection]` the methods
//! do (`home.rs`), and each is held to the signature of its home (`signature.rs`).
//!
//! Signatures are parsed and bodies are kept as they are (`read.rs`), so that a half-written body brings no error of ours,
//! and an editor sees the user's own tokens.

mod home;
mod read;
mod signature;
mod types;

use proc_macro2::{Ident, TokenStream};
use quote::format_ident;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Type};

use crate::diag::Errors;
use crate::fingerprint::Fingerprint;
use crate::path::last_ident;

/// Which of the macros reads a block.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Apply,
    Projection,
    Reaction,
}

impl Role {
    /// As it is written, without the brackets.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Projection => "projection",
            Self::Reaction => "reaction",
        }
    }

    pub(crate) fn attribute(self) -> &'static str {
        match self {
            Self::Apply => "#[apply]",
            Self::Projection => "#[projection]",
            Self::Reaction => "#[reaction]",
        }
    }
}

/// Where what the methods of a block do is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Home {
    /// In the state of an aggregate.
    Aggregate,
    /// In a state for reading, in memory.
    State,
    /// In tables of the store's database.
    Tables,
    /// In another system.
    Outside,
}

impl Home {
    /// The type that says when and where the event was recorded.
    pub(crate) fn at(self) -> &'static str {
        match self {
            Self::Aggregate => "EventContext",
            Self::State | Self::Tables | Self::Outside => "Envelope",
        }
    }

    /// A method of that home, for messages.
    pub(crate) fn example(self) -> &'static str {
        match self {
            Self::Aggregate | Self::State => "fn NAME(&mut self, event: SomeEvent) { … }",
            Self::Tables => "fn NAME(&self, event: SomeEvent, sql: &mut Sql) { … }",
            Self::Outside => "async fn NAME(&self, event: SomeEvent) { … }",
        }
    }
}

/// An inherent `impl` block and its handlers.
pub(crate) struct Block {
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) this: Type,
    pub(crate) name: Ident,
    pub(crate) home: Home,
    pub(crate) tables: Tables,
    pub(crate) handlers: Vec<Handler>,
    pub(crate) fingerprint: u64,
}

/// The constant of a block that says how its tables are made.
pub(crate) enum Tables {
    Absent,
    /// Its name, where it stands.
    Given(Ident),
    /// Something stands there that was meant as such, and was reported.
    Broken,
}

/// A method that takes an event.
pub(crate) struct Handler {
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) method: Ident,
    /// It makes the state, so it has no `self`.
    pub(crate) creates: bool,
    pub(crate) event: Type,
    /// The last name in the event's type.
    pub(crate) name: Ident,
    pub(crate) by_ref: bool,
    /// What the parameter `at` refers to.
    pub(crate) at: Option<Type>,
    /// What the parameter `sql` refers to.
    pub(crate) sql: Option<Type>,
    /// What the parameter `act` refers to.
    pub(crate) act: Option<Type>,
    pub(crate) returns: Option<Type>,
    /// It has a mistake, so it is not called.
    pub(crate) broken: bool,
}

impl Handler {
    /// The name of the function that stands between generated code and the method.
    pub(crate) fn adapter(&self) -> Ident {
        format_ident!("__{}", self.method)
    }
}

/// Where a method stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    role: Role,
    home: Home,
    this: &'a Ident,
}

/// Reads a block; `None` when it is no inherent `impl` block.
pub(crate) fn block(role: Role, input: &TokenStream, errors: &mut Errors) -> Option<Block> {
    let attribute = role.attribute();
    let parsed = (|input: ParseStream<'_>| read::header(role, input)).parse2(input.clone());
    let read::Header { cfgs, this, body } = match parsed {
        Ok(header) => header,
        Err(error) => {
            errors.push(error);
            return None;
        }
    };
    let Some(name) = last_ident(&this).cloned() else {
        errors.at(
            &this,
            format_args!("`{attribute}` stands on the `impl` block of a struct or enum"),
            format_args!("write `{attribute} impl SomeType {{ … }}`"),
        );
        return None;
    };
    let mut fingerprint = Fingerprint::new();
    fingerprint.tokens(input);
    let read::Members { methods, tables } = read::members(role, &name, body, errors);
    let home = home::of_block(role, &name, &methods, &tables);
    let place = Place {
        role,
        home,
        this: &name,
    };
    let methods = home::only(place, methods, errors);
    home::check_tables(place, &methods, &tables, errors);
    let mut handlers: Vec<Handler> = Vec::new();
    for method in &methods {
        let Some(handler) = signature::handler(place, method, errors) else {
            continue;
        };
        if distinct(role, &handlers, &handler, errors) {
            handlers.push(handler);
        }
    }
    Some(Block {
        cfgs,
        this,
        home,
        tables,
        handlers,
        fingerprint: fingerprint.finish(),
        name,
    })
}

/// Whether no handler before takes the same event, or one whose variant would have the same name. A projection has no
/// variants: events of several aggregates may well be called alike.
fn distinct(role: Role, handlers: &[Handler], handler: &Handler, errors: &mut Errors) -> bool {
    let text = crate::event::text;
    let clashes = |other: &&Handler| match role {
        Role::Apply => other.name == handler.name,
        Role::Projection | Role::Reaction => text(&other.event) == text(&handler.event),
    };
    let Some(other) = handlers.iter().find(clashes) else {
        return true;
    };
    if !other.cfgs.is_empty() && !handler.cfgs.is_empty() {
        // They may exclude each other; if they do not, the compiler says so.
        return true;
    }
    if text(&other.event) == text(&handler.event) {
        errors.at(
            &handler.event,
            format_args!(
                "`{}` is already applied by `{}`: which of the two would run?",
                handler.name, other.method
            ),
            format_args!("merge `{}` into `{}`", handler.method, other.method),
        );
    } else {
        errors.at(
            &handler.event,
            format_args!(
                "`{}` and `{}` end in the same name, which their variants would share",
                text(&other.event),
                text(&handler.event)
            ),
            format_args!(
                "write `use {} as Other{};` and take `Other{}` here",
                text(&handler.event),
                handler.name,
                handler.name
            ),
        );
    }
    false
}
