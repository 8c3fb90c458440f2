//! From the model to code.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use super::parse::Projection;
use crate::event::{newest, of_event, text};
use crate::handler::Handler;
use crate::path::span_of;

#[expect(clippy::too_many_lines, reason = "a template reads best as one piece")]
pub(super) fn projection(projection: &Projection) -> TokenStream {
    let Projection {
        krate, name, block, ..
    } = projection;
    let this = &block.this;
    let cfgs = &block.cfgs;
    let name = name.as_ref().map_or_else(String::new, syn::LitStr::value);
    let fingerprint = block.fingerprint;
    let adapters = block
        .handlers
        .iter()
        .map(|handler| adapter(projection, handler));
    let asks = block.handlers.iter().any(|handler| handler.at.is_some());
    let mut shape = quote!(let shape = #fingerprint;);
    let mut selectors = TokenStream::new();
    let mut current = TokenStream::new();
    let mut older = TokenStream::new();
    let mut readable = TokenStream::new();
    let mut checks = TokenStream::new();
    for handler in &block.handlers {
        let Handler {
            cfgs,
            event: ty,
            at,
            ..
        } = handler;
        let cfgs = quote!(#(#cfgs)*);
        let span = span_of(ty);
        let own = krate.at(span);
        let decode = of_event(krate, ty, "decode");
        let is_current = of_event(krate, ty, "is_current");
        let reads = of_event(krate, ty, "reads");
        let names = of_event(krate, ty, "NAMES");
        let their_shape = of_event(krate, ty, "FINGERPRINT");
        let adapter = handler.adapter();
        let function = if at.is_some() {
            quote!(project_at)
        } else {
            quote!(project)
        };
        shape.extend(quote!(#cfgs let shape = #krate::__private::mix(shape, #their_shape);));
        let applies: Vec<TokenStream> = projection
            .of
            .iter()
            .map(|aggregate| quote!(<#krate::__private::Probe<#aggregate, #ty>>::APPLIES))
            .collect();
        for (aggregate, applies) in projection.of.iter().zip(&applies) {
            let krate = krate.at(span_of(aggregate));
            selectors.extend(quote! {
                #cfgs
                let selectors = selectors.add(#applies, <#aggregate as #krate::Aggregate>::CATEGORY, &#names);
            });
        }
        let mine = projection
            .of
            .iter()
            .zip(&applies)
            .map(|(aggregate, applies)| {
                let krate = krate.at(span_of(aggregate));
                quote!(|| (#applies && category == <#aggregate as #krate::Aggregate>::CATEGORY))
            });
        let mine = quote!((false #(#mine)*));
        let project = quote!(#own::__private::#function(record, #decode, |event, at| #adapter(self, event, at)));
        let project = if at.is_some() {
            project
        } else {
            quote!(#own::__private::#function(record, #decode, |event| #adapter(self, event)))
        };
        current.extend(quote!(#cfgs if #is_current(name) && #mine { return #project; }));
        older.extend(quote!(#cfgs if #reads(name) && #mine { #project?; }));
        // An event that is split reaches several methods: none is called unless all of its parts can be read.
        readable.extend(
            quote!(#cfgs if #reads(name) && #mine { #own::__private::readable(record, #decode)?; }),
        );
        if !projection.of.is_empty() {
            let message = format!(
                "none of the aggregates in `of({})` applies `{}`: this handler would never run\n\nhelp: write the aggregate that applies it in `of(…)`, or take one of their events",
                projection
                    .of
                    .iter()
                    .map(text)
                    .collect::<Vec<_>>()
                    .join(", "),
                text(ty),
            );
            checks.extend(quote_spanned! {span=>
                #cfgs
                const _: () = #own::__private::handled(<#own::__private::Newest<#ty>>::OLD #(|| #applies)*, #message);
            });
        }
        checks.extend(newest(&own, &cfgs, ty));
    }
    quote! {
        #(#cfgs)*
        const _: () = {
            #[allow(unused_imports)]
            use #krate::__private::{NewestFallback as _, ProbeFallback as _};
            #(#adapters)*
            #checks
            #[automatically_derived]
            impl #krate::Projection for #this {
                const NAME: &'static str = #name;
                const FINGERPRINT: u64 = { #shape shape };
                const ASKS_ENVELOPE: bool = #asks;
                fn selectors() -> #krate::__private::SelectorList {
                    let selectors = #krate::__private::Selectors::new();
                    #selectors
                    selectors.into_vec()
                }
                fn handle(&mut self, record: &#krate::log::Record<'_>) -> #krate::__private::Replayed {
                    let (name, category) = (record.name(), record.category());
                    #current
                    #readable
                    #older
                    let _ = (name, category);
                    ::core::result::Result::Ok(())
                }
            }
        };
    }
}

/// The one place where a method is called, so that whatever does not fit is reported once.
fn adapter(projection: &Projection, handler: &Handler) -> TokenStream {
    let krate = &projection.krate;
    let this = &projection.block.this;
    let Handler {
        cfgs,
        method,
        event,
        by_ref,
        at,
        broken,
        ..
    } = handler;
    let adapter = handler.adapter();
    let envelope = at.as_ref().map(|_| quote!(, at: &#krate::Envelope));
    let body = if *broken {
        let at = at.as_ref().map(|_| quote!(, at));
        quote!(let _ = (state, event #at);)
    } else {
        let reference = by_ref.then(|| quote!(&));
        let at = at.as_ref().map(|at| {
            let krate = krate.at(span_of(at));
            quote!(, <#at as #krate::__private::Handed<#krate::Envelope>>::handed(at))
        });
        quote!(<#this>::#method(state, #reference event #at))
    };
    quote! {
        #(#cfgs)*
        #[inline]
        #[allow(clippy::needless_pass_by_value)]
        fn #adapter(state: &mut #this, event: #event #envelope) {
            #body
        }
    }
}
