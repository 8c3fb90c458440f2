//! A projection or a reaction under a lock: what it handles, for the catalogue.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::Type;

use super::governing::{governing, watch};
use crate::diag::Errors;
use crate::handler::{Block, Handler, Home, Role};
use crate::path::{Krate, span_of};

/// The parts of a projection or a reaction that are told.
pub(crate) struct Follower<'a> {
    pub(crate) krate: &'a Krate,
    pub(crate) role: Role,
    /// The name under which its checkpoint is kept.
    pub(crate) name: String,
    /// The aggregates whose events it handles.
    pub(crate) of: &'a [Type],
    pub(crate) block: &'a Block,
}

/// The test by which it tells; that its handlers fit is the compiler's to say.
pub(crate) fn follower(follower: &Follower<'_>, errors: &mut Errors) -> TokenStream {
    let Follower {
        krate,
        role,
        name,
        of,
        block,
    } = follower;
    let Some(lock) = governing(errors) else {
        return TokenStream::new();
    };
    let Block { cfgs, handlers, .. } = block;
    let ident = block.name.to_string();
    let kind = role.name();
    // A type may be both, and events and aggregates have tests of the plain name.
    let test = format_ident!("__recount_schema_{}_{}", kind, block.name);
    let home = match block.home {
        Home::Aggregate | Home::State => "state",
        Home::Tables => "tables",
        Home::Outside => "outside",
    };
    let handled = handlers.iter().map(|handler| {
        let Handler {
            cfgs,
            event,
            method,
            ..
        } = handler;
        let method = method.to_string();
        let of = of.iter().map(|aggregate| {
            let krate = krate.at(span_of(aggregate));
            quote! {(
                <#krate::__private::Probe<#aggregate, #event>>::APPLIES,
                <#aggregate as #krate::Aggregate>::CATEGORY,
            )}
        });
        quote! {
            #(#cfgs)*
            #krate::__private::locked::Handled {
                method: #method,
                event: #krate::__private::locked::listed::<#event>(),
                of: &[#(#of),*],
            },
        }
    });
    let dir = lock.dir().to_string_lossy();
    let watched = watch([lock.dir().join("lock.toml").as_path()]);
    quote! {
        #(#cfgs)*
        const _: () = {
            #watched
        };
        #(#cfgs)*
        #[cfg(test)]
        #[::core::prelude::v1::test]
        #[allow(non_snake_case, unnameable_test_items)]
        fn #test() {
            #[allow(unused_imports)]
            use #krate::__private::ProbeFallback as _;
            #krate::__private::locked::follower(&#krate::__private::locked::FollowerSource {
                lock: #dir,
                kind: #kind,
                ident: #ident,
                module: ::core::module_path!(),
                file: ::core::file!(),
                line: ::core::line!(),
                name: #name,
                home: #home,
                handled: &[#(#handled)*],
            });
        }
    }
}
