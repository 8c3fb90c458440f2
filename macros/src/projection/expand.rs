//! From the model to code.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use super::adapter::adapter;
use super::parse::Projection;
use crate::event::{newest, of_event, text};
use crate::handler::{Handler, Home, Tables};
use crate::path::span_of;

pub(super) fn projection(projection: &Projection) -> TokenStream {
    let Projection {
        krate, name, block, ..
    } = projection;
    let cfgs = &block.cfgs;
    let name = name.as_ref().map_or_else(String::new, syn::LitStr::value);
    let fingerprint = block.fingerprint;
    let adapters = block
        .handlers
        .iter()
        .map(|handler| adapter(projection, handler));
    let asks = block.handlers.iter().any(|handler| handler.at.is_some());
    let mut shape = quote!(let shape = #fingerprint;);
    if matches!(projection.block.home, Home::State) {
        // What is stored is the state, and its shape is known if it is a value object.
        let this = &projection.block.this;
        shape.extend(quote! {
            let shape = #krate::__private::deep(shape, <#krate::__private::ShapeProbe<#this>>::SHAPE);
        });
    }
    let mut selectors = TokenStream::new();
    let mut current = TokenStream::new();
    let mut older = TokenStream::new();
    let mut readable = TokenStream::new();
    let mut checks = TokenStream::new();
    for handler in &block.handlers {
        let Handler {
            cfgs, event: ty, ..
        } = handler;
        let cfgs = quote!(#(#cfgs)*);
        let span = span_of(ty);
        let own = krate.at(span);
        let decode = of_event(krate, ty, "decode");
        let is_current = of_event(krate, ty, "is_current");
        let reads = of_event(krate, ty, "reads");
        let names = of_event(krate, ty, "NAMES");
        let their_shape = of_event(krate, ty, "FINGERPRINT");
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
        let (before, project) = call(projection, handler);
        current.extend(quote!(#cfgs if #is_current(name) && #mine { #before return #project; }));
        older.extend(quote!(#cfgs if #reads(name) && #mine { #before #project?; }));
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
    let parts = Parts {
        name,
        fingerprint: shape,
        asks,
        selectors,
        body: quote!(#current #readable #older),
    };
    let implementation = implementation(projection, &parts);
    quote! {
        #(#cfgs)*
        const _: () = {
            #[allow(unused_imports)]
            use #krate::__private::{NewestFallback as _, ProbeFallback as _, ShapeFallback as _};
            #(#adapters)*
            #checks
            #[automatically_derived]
            #implementation
        };
    }
}

/// The parts of an implementation that its home has no say in.
struct Parts {
    name: String,
    fingerprint: TokenStream,
    asks: bool,
    selectors: TokenStream,
    body: TokenStream,
}

/// The trait of the block's home.
fn implementation(projection: &Projection, parts: &Parts) -> TokenStream {
    let krate = &projection.krate;
    let this = &projection.block.this;
    let Parts {
        name,
        fingerprint,
        asks,
        selectors,
        body,
    } = parts;
    let selectors = quote! {
        fn selectors() -> #krate::__private::SelectorList {
            let selectors = #krate::__private::Selectors::new();
            #selectors
            selectors.into_vec()
        }
    };
    match projection.block.home {
        Home::Aggregate | Home::State => quote! {
            impl #krate::Projection for #this {
                const NAME: &'static str = #name;
                const FINGERPRINT: u64 = { #fingerprint shape };
                const ASKS_ENVELOPE: bool = #asks;
                #selectors
                fn handle(&mut self, record: &#krate::log::Record<'_>) -> #krate::__private::Replayed {
                    let (name, category) = (record.name(), record.category());
                    #body
                    let _ = (name, category);
                    ::core::result::Result::Ok(())
                }
            }
        },
        Home::Tables => {
            let tables = match &projection.block.tables {
                Tables::Given(tables) => quote_spanned!(span_of(tables)=> <Self>::#tables),
                Tables::Absent | Tables::Broken => quote!(&[]),
            };
            quote! {
                impl #krate::projection::TableProjection for #this {
                    const NAME: &'static str = #name;
                    const FINGERPRINT: u64 = {
                        #fingerprint
                        #krate::__private::mix_texts(shape, <#this as #krate::projection::TableProjection>::TABLES)
                    };
                    const ASKS_ENVELOPE: bool = #asks;
                    const TABLES: &'static [&'static str] = #tables;
                    #selectors
                    fn handle(&self, record: &#krate::log::Record<'_>, sql: &mut #krate::sql::Sql) -> #krate::__private::Replayed {
                        let (name, category) = (record.name(), record.category());
                        #body
                        let _ = (name, category, sql);
                        ::core::result::Result::Ok(())
                    }
                }
            }
        }
        Home::Outside => quote! {
            impl #krate::reaction::Reaction for #this {
                const NAME: &'static str = #name;
                #selectors
                fn react<'a>(
                    &'a self,
                    record: #krate::log::Record<'a>,
                    act: &'a #krate::reaction::Act,
                ) -> impl ::core::future::Future<Output = #krate::__private::Reacted> + ::core::marker::Send + 'a {
                    async move {
                        let record = &record;
                        let (name, category) = (record.name(), record.category());
                        #body
                        let _ = (name, category, act);
                        ::core::result::Result::Ok(())
                    }
                }
            }
        },
    }
}

/// Reads the record as a method's event and calls the method: what comes before it, and the call.
fn call(projection: &Projection, handler: &Handler) -> (TokenStream, TokenStream) {
    let krate = projection.krate.at(span_of(&handler.event));
    let decode = of_event(&projection.krate, &handler.event, "decode");
    let adapter = handler.adapter();
    let sql = handler.sql.as_ref().map(|_| quote!(, sql));
    let act = handler.act.as_ref().map(|_| quote!(, act));
    match (projection.block.home, &handler.at) {
        (Home::Outside, None) => (
            TokenStream::new(),
            quote!(#krate::__private::react(record, #decode, |event| #adapter(self, event #act)).await),
        ),
        // The method may hold it while it waits, so it is no parameter of the closure.
        (Home::Outside, Some(_)) => (
            quote!(let at = #krate::__private::envelope(record)?;),
            quote!(#krate::__private::react(record, #decode, |event| #adapter(self, event, &at #act)).await),
        ),
        (_, None) => (
            TokenStream::new(),
            quote!(#krate::__private::project(record, #decode, |event| #adapter(self, event #sql))),
        ),
        (_, Some(_)) => (
            TokenStream::new(),
            quote!(#krate::__private::project_at(record, #decode, |event, at| #adapter(self, event, at #sql))),
        ),
    }
}
