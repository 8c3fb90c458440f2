//! From the model to code.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};

use super::parse::Apply;
use crate::event::{Arm, Body, dispatch, of_event};
use crate::handler::Handler;
use crate::path::{Krate, span_of};

pub(super) fn apply(apply: &Apply) -> TokenStream {
    let Apply {
        krate,
        events,
        block,
    } = apply;
    let this = &block.this;
    let cfgs = &block.cfgs;
    let handlers = &block.handlers;
    let variants = handlers.iter().map(|handler| {
        let Handler {
            cfgs, event, name, ..
        } = handler;
        let doc = format!("`{name}`");
        quote!(#(#cfgs)* #[doc = #doc] #name(#event))
    });
    let doc = format!(
        "Every event of `{}`, as its `#[apply]` block lists them.",
        block.name
    );
    let adapters = handlers
        .iter()
        .map(|handler| adapter(krate, apply, handler));
    let values = values(apply);
    let arms: Vec<Arm> = handlers
        .iter()
        .map(|handler| Arm {
            cfgs: handler.cfgs.clone(),
            ident: handler.name.clone(),
            body: Body::Event(handler.event.clone()),
        })
        .collect();
    let event = dispatch(krate, events, 0, &arms);
    let fold = fold(apply);
    let applied = handlers.iter().map(|handler| applied(apply, handler));
    quote! {
        #(#cfgs)*
        #[doc = #doc]
        #[allow(private_interfaces, unreachable_pub, clippy::enum_variant_names, clippy::large_enum_variant)]
        pub enum #events { #(#variants),* }
        #(#cfgs)*
        const _: () = {
            #(#adapters)*
            #values
            #event
            #fold
            #(#applied)*
            #[automatically_derived]
            impl #krate::aggregate::Applies<#events> for #this {}
            #[automatically_derived]
            impl #krate::aggregate::IntoEvents<#this> for #events {
                fn into_events(self, events: &mut #krate::aggregate::Events<#this>) {
                    events.push(self)
                }
            }
        };
    }
}

/// The one place where a method is called, so that whatever does not fit is reported once.
fn adapter(krate: &Krate, apply: &Apply, handler: &Handler) -> TokenStream {
    let Handler {
        cfgs,
        method,
        creates,
        event,
        by_ref,
        at,
        broken,
        ..
    } = handler;
    let this = &apply.block.this;
    let adapter = handler.adapter();
    let state = (!creates).then(|| quote!(state: &mut #this,));
    let context = at.as_ref().map(|_| quote!(, at: &#krate::EventContext));
    let output = creates.then(|| quote!(-> #this));
    let body = if *broken {
        let state = (!creates).then(|| quote!(state,));
        let context = at.as_ref().map(|_| quote!(, at));
        quote!(let _ = (#state event #context); #krate::__private::unreachable())
    } else {
        let state = (!creates).then(|| quote!(state,));
        let reference = by_ref.then(|| quote!(&));
        let at = at.as_ref().map(|at| {
            let krate = krate.at(span_of(at));
            quote!(, <#at as #krate::__private::Handed<#krate::EventContext>>::handed(at))
        });
        quote!(<#this>::#method(#state #reference event #at))
    };
    quote! {
        #(#cfgs)*
        #[inline]
        #[allow(clippy::needless_pass_by_value)]
        fn #adapter(#state event: #event #context) #output {
            #body
        }
    }
}

/// The enum as a value: conversions, and what all of its events can do.
#[expect(clippy::too_many_lines, reason = "a template reads best as one piece")]
fn values(apply: &Apply) -> TokenStream {
    let Apply {
        krate,
        events,
        block,
    } = apply;
    let handlers = &block.handlers;
    let mut aliases = TokenStream::new();
    // A where clause cannot carry `cfg`, so an event that may be compiled out is named by an alias.
    let bounds: Vec<TokenStream> = handlers
        .iter()
        .enumerate()
        .map(|(index, handler)| {
            let Handler { cfgs, event, .. } = handler;
            if cfgs.is_empty() {
                return quote!(#event);
            }
            let alias = format_ident!("__Event{}", index);
            let conditions = cfgs.iter().filter_map(|cfg| cfg.meta.require_list().ok());
            let conditions: Vec<&TokenStream> = conditions.map(|list| &list.tokens).collect();
            aliases.extend(quote! {
                #[cfg(all(#(#conditions),*))]
                type #alias = #event;
                #[cfg(not(all(#(#conditions),*)))]
                type #alias = ();
            });
            quote!(#alias)
        })
        .collect();
    let each = |arm: &dyn Fn(&Handler) -> TokenStream| {
        if handlers.is_empty() {
            return quote!(match *self {});
        }
        let arms = handlers.iter().map(|handler| {
            let cfgs = &handler.cfgs;
            let arm = arm(handler);
            quote!(#(#cfgs)* #arm)
        });
        quote!(match self { #(#arms),* })
    };
    let debug = each(&|handler| {
        let name = &handler.name;
        quote!(Self::#name(event) => ::core::fmt::Debug::fmt(event, f))
    });
    let clone = each(&|handler| {
        let name = &handler.name;
        quote!(Self::#name(event) => Self::#name(::core::clone::Clone::clone(event)))
    });
    let eq = each(&|handler| {
        let name = &handler.name;
        quote!(Self::#name(event) => match other {
            Self::#name(other) => event == other,
            #[allow(unreachable_patterns)]
            _ => false,
        })
    });
    let from = handlers.iter().map(|handler| {
        let Handler {
            cfgs, event, name, ..
        } = handler;
        quote! {
            #(#cfgs)*
            #[automatically_derived]
            impl ::core::convert::From<#event> for #events {
                #[inline]
                fn from(event: #event) -> Self {
                    Self::#name(event)
                }
            }
        }
    });
    let serde = quote!(#krate::__private::serde);
    quote! {
        #aliases
        #(#from)*
        #[automatically_derived]
        impl ::core::fmt::Debug for #events where #(for<'a> #bounds: ::core::fmt::Debug,)* {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                let _ = &f;
                #debug
            }
        }
        #[automatically_derived]
        impl ::core::clone::Clone for #events where #(for<'a> #bounds: ::core::clone::Clone,)* {
            fn clone(&self) -> Self {
                #clone
            }
        }
        #[automatically_derived]
        impl ::core::cmp::PartialEq for #events where #(for<'a> #bounds: ::core::cmp::PartialEq,)* {
            fn eq(&self, other: &Self) -> bool {
                let _ = &other;
                #eq
            }
        }
        #[automatically_derived]
        impl #serde::Serialize for #events {
            fn serialize<S: #serde::Serializer>(&self, serializer: S) -> ::core::result::Result<S::Ok, S::Error> {
                #krate::__private::serialize_event(self, serializer)
            }
        }
        #[automatically_derived]
        impl<'de> #serde::Deserialize<'de> for #events {
            fn deserialize<D: #serde::Deserializer<'de>>(deserializer: D) -> ::core::result::Result<Self, D::Error> {
                #krate::__private::deserialize_event(deserializer)
            }
        }
    }
}

/// `impl Apply`.
#[expect(clippy::too_many_lines, reason = "a template reads best as one piece")]
fn fold(apply: &Apply) -> TokenStream {
    let Apply {
        krate,
        events,
        block,
    } = apply;
    let this = &block.this;
    let fingerprint = block.fingerprint;
    let error = quote!(#krate::event::PayloadError);
    let start = if block.handlers.iter().any(|handler| handler.creates) {
        quote!(::core::option::Option::None)
    } else {
        let span = span_of(this);
        let krate = krate.at(span);
        quote_spanned!(span=> ::core::option::Option::Some(<#this as #krate::__private::Start>::start()))
    };
    let asks = block.handlers.iter().any(|handler| handler.at.is_some());
    let mut create = TokenStream::new();
    let mut evolve = TokenStream::new();
    let mut current = TokenStream::new();
    let mut older = TokenStream::new();
    for handler in &block.handlers {
        let Handler {
            cfgs,
            creates,
            event,
            name,
            at,
            ..
        } = handler;
        let cfgs = quote!(#(#cfgs)*);
        let adapter = handler.adapter();
        let context = at.as_ref().map(|_| quote!(, context));
        let (created, evolved) = if *creates {
            (
                quote!(#events::#name(event) => ::core::result::Result::Ok(#adapter(event #context))),
                quote!(#events::#name(_) => ::core::result::Result::Err(#error::CreatedTwice)),
            )
        } else {
            (
                quote!(#events::#name(_) => ::core::result::Result::Err(#error::BeforeCreation)),
                quote!(#events::#name(event) => { #adapter(self, event #context); ::core::result::Result::Ok(()) }),
            )
        };
        create.extend(quote!(#cfgs #created,));
        evolve.extend(quote!(#cfgs #evolved,));
        let function = match (creates, at.is_some()) {
            (true, false) => quote!(create),
            (true, true) => quote!(create_at),
            (false, false) => quote!(evolve),
            (false, true) => quote!(evolve_at),
        };
        let own = krate.at(span_of(event));
        let span = span_of(event);
        let decode = of_event(krate, event, "decode");
        let is_current = of_event(krate, event, "is_current");
        let reads = of_event(krate, event, "reads");
        let replay = {
            let (state, record) = (quote!(state), quote!(record));
            quote_spanned!(span=> #own::__private::#function(#state, #record, #decode, #adapter))
        };
        current.extend(quote!(#cfgs if #is_current(name) { return #replay; }));
        older.extend(quote! {
            #cfgs
            let read = if #reads(name) { #replay?; true } else { read };
        });
    }
    quote! {
        #[automatically_derived]
        impl #krate::aggregate::Apply for #this {
            type Event = #events;
            const FOLD_FINGERPRINT: u64 = #krate::__private::mix(#fingerprint, <#events as #krate::event::Event>::FINGERPRINT);
            const ASKS_CONTEXT: bool = #asks;
            fn start() -> ::core::option::Option<Self> {
                #start
            }
            fn create(event: #events, context: &#krate::EventContext) -> ::core::result::Result<Self, #error> {
                let _ = context;
                match event { #create }
            }
            fn evolve(&mut self, event: #events, context: &#krate::EventContext) -> ::core::result::Result<(), #error> {
                let _ = context;
                match event { #evolve }
            }
            #[inline]
            fn replay(state: &mut ::core::option::Option<Self>, record: &#krate::log::Record<'_>) -> #krate::__private::Replayed {
                #[cold]
                fn older(state: &mut ::core::option::Option<#this>, record: &#krate::log::Record<'_>) -> #krate::__private::Replayed {
                    let name = record.name();
                    let read = false;
                    #older
                    let _ = (state, name);
                    if read {
                        ::core::result::Result::Ok(())
                    } else {
                        #krate::__private::passed_over(record, <#this as #krate::Aggregate>::RETIRED)
                    }
                }
                let name = record.name();
                #current
                let _ = name;
                older(state, record)
            }
        }
    }
}

fn applied(apply: &Apply, handler: &Handler) -> TokenStream {
    let Apply {
        krate,
        events,
        block,
    } = apply;
    let this = &block.this;
    let Handler {
        cfgs, event, name, ..
    } = handler;
    quote! {
        #(#cfgs)*
        #[automatically_derived]
        impl #krate::aggregate::Applies<#event> for #this {}
        #(#cfgs)*
        #[automatically_derived]
        impl #krate::aggregate::IntoEvents<#this> for #event {
            #[inline]
            fn into_events(self, events: &mut #krate::aggregate::Events<#this>) {
                events.push(#events::#name(self))
            }
        }
    }
}
