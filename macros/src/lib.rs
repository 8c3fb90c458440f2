//! The macros of Recount. Use them through the `recount` crate, which re-exports them.
//!
//! Each is `parse → check → expand`, in a folder of its own, and takes and returns plain tokens, so that it can be tested
//! without a compiler around it. Only the entry points stand here.

use proc_macro::TokenStream;

mod aggregate;
mod apply;
mod attr;
mod diag;
mod event;
mod fingerprint;
mod handler;
mod id;
mod path;
mod projection;
#[cfg(test)]
mod testing;

/// Makes a struct an event, or each variant of an enum.
#[proc_macro_derive(Event, attributes(event, serde))]
pub fn derive_event(input: TokenStream) -> TokenStream {
    event::derive(input.into()).into()
}

/// Makes a type the state of an aggregate.
#[proc_macro_derive(Aggregate, attributes(aggregate))]
pub fn derive_aggregate(input: TokenStream) -> TokenStream {
    aggregate::derive(input.into()).into()
}

/// Makes a newtype the id of an aggregate.
#[proc_macro_derive(Id, attributes(id))]
pub fn derive_id(input: TokenStream) -> TokenStream {
    id::derive(input.into()).into()
}

/// Makes the methods of an `impl` block the fold of an aggregate.
#[proc_macro_attribute]
pub fn apply(arguments: TokenStream, input: TokenStream) -> TokenStream {
    apply::expand(arguments.into(), &input.into()).into()
}

/// Makes the methods of an `impl` block a projection.
#[proc_macro_attribute]
pub fn projection(arguments: TokenStream, input: TokenStream) -> TokenStream {
    projection::expand(arguments.into(), &input.into()).into()
}
