//! The one place where a method is called, so that whatever does not fit is reported once.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use super::parse::Projection;
use crate::handler::{Handler, Home};
use crate::path::span_of;

pub(super) fn adapter(projection: &Projection, handler: &Handler) -> TokenStream {
    match projection.block.home {
        Home::Aggregate | Home::State | Home::Tables => within(projection, handler),
        Home::Outside => outside(projection, handler),
    }
}

/// Of a method that changes a state or asks for statements.
fn within(projection: &Projection, handler: &Handler) -> TokenStream {
    let krate = &projection.krate;
    let this = &projection.block.this;
    let Handler {
        cfgs,
        method,
        event,
        by_ref,
        at,
        sql,
        broken,
        ..
    } = handler;
    let adapter = handler.adapter();
    let mutable = (projection.block.home != Home::Tables).then(|| quote!(mut));
    let envelope = at.as_ref().map(|_| quote!(, at: &#krate::Envelope));
    let statements = sql.as_ref().map(|_| quote!(, sql: &mut #krate::sql::Sql));
    let body = if *broken {
        let at = at.as_ref().map(|_| quote!(, at));
        let sql = sql.as_ref().map(|_| quote!(, sql));
        quote!(let _ = (state, event #at #sql);)
    } else {
        let reference = by_ref.then(|| quote!(&));
        let at = at.as_ref().map(|at| {
            let krate = krate.at(span_of(at));
            quote!(, <#at as #krate::__private::Handed<#krate::Envelope>>::handed(at))
        });
        let sql = sql.as_ref().map(|sql| {
            let krate = krate.at(span_of(sql));
            quote!(, <#sql as #krate::__private::HandedMut<#krate::sql::Sql>>::handed(sql))
        });
        quote!(<#this>::#method(state, #reference event #at #sql))
    };
    quote! {
        #(#cfgs)*
        #[inline]
        #[allow(clippy::needless_pass_by_value)]
        fn #adapter(state: &#mutable #this, event: #event #envelope #statements) {
            #body
        }
    }
}

/// Of a method that acts outside.
fn outside(projection: &Projection, handler: &Handler) -> TokenStream {
    let krate = &projection.krate;
    let this = &projection.block.this;
    let Handler {
        cfgs,
        method,
        event,
        by_ref,
        at,
        act,
        returns,
        broken,
        ..
    } = handler;
    let adapter = handler.adapter();
    let envelope = at.as_ref().map(|_| quote!(, at: &'a #krate::Envelope));
    let means = act
        .as_ref()
        .map(|_| quote!(, act: &'a #krate::reaction::Act));
    let body = if *broken {
        let at = at.as_ref().map(|_| quote!(, at));
        let act = act.as_ref().map(|_| quote!(, act));
        quote!(let _ = (this, event #at #act); #krate::__private::unreachable())
    } else {
        let reference = by_ref.then(|| quote!(&));
        let at = at.as_ref().map(|at| {
            let krate = krate.at(span_of(at));
            quote!(, <#at as #krate::__private::Handed<#krate::Envelope>>::handed(at))
        });
        let act = act.as_ref().map(|act| {
            let krate = krate.at(span_of(act));
            quote!(, <#act as #krate::__private::Handed<#krate::reaction::Act>>::handed(act))
        });
        let span = returns.as_ref().map_or_else(|| span_of(method), span_of);
        let own = krate.at(span);
        let outcome = quote_spanned!(span=> #own::__private::outcome(returned));
        let returned = quote_spanned!(span=> returned);
        quote!(let #returned = <#this>::#method(this, #reference event #at #act).await; #outcome)
    };
    // What is not `Send` is said where the method stands.
    let span = span_of(method);
    let own = krate.at(span);
    let future = quote_spanned! {span=>
        impl ::core::future::Future<Output = #own::__private::Reacted> + ::core::marker::Send + 'a
    };
    quote! {
        #(#cfgs)*
        #[inline]
        fn #adapter<'a>(this: &'a #this, event: #event #envelope #means) -> #future {
            async move { #body }
        }
    }
}
