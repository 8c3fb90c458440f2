//! A struct is an event of one version, which older ones are read as.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Type;

use super::{event_shape, of_event, oldest, text, versions};
use crate::event::model::{Event, One};
use crate::path::{Krate, span_of};

#[expect(clippy::too_many_lines, reason = "a template reads best as one piece")]
pub(super) fn structure(event: &Event, one: &One) -> TokenStream {
    let Event {
        krate,
        ident,
        fingerprint,
        ..
    } = event;
    let own = krate.at(ident.span());
    let (base, _) = one.suffix();
    let name = match (&one.name, &one.upcast_from) {
        (Some(name), _) => quote!(#name),
        (None, Some(previous)) => of_previous(krate, previous, "NAME"),
        (None, None) => quote!(#base),
    };
    let version = match (one.written_version(), &one.upcast_from) {
        (Some(version), _) => quote!(#version),
        (None, Some(previous)) => {
            let before = of_previous(krate, previous, "VERSION");
            quote!(#before + 1)
        }
        (None, None) => quote!(1),
    };
    let formerly = &one.formerly;
    let mut names = quote!(#krate::event::Names::new(&[<Self as #krate::event::Versioned>::NAME #(, #formerly)*]));
    let span = ident.span().resolved_at(Span::mixed_site());
    let codec = quote_spanned! {span=>
        const __CODEC: #own::__private::Codec<#ident> = <#ident as #own::__private::Stored>::CODEC;
    };
    let mut fingerprint = quote!(#krate::__private::mix(#fingerprint, <Self as #krate::__private::EventShape>::DIGEST));
    let mut items = TokenStream::new();
    let mut splits = TokenStream::new();
    let version_of = quote!(<#ident as #krate::event::Versioned>::VERSION);
    let mut arms = versions(
        krate,
        one,
        &version_of,
        &quote!((__CODEC.decode)(stored.payload)),
        &quote!((__CODEC.convert)(json)),
    );

    if let Some(previous) = &one.upcast_from {
        let span = span_of(previous);
        let krate = krate.at(span);
        let old_names = of_previous(&krate, previous, "NAMES");
        let old_version = of_previous(&krate, previous, "VERSION");
        let old_shape = of_previous(&krate, previous, "FINGERPRINT");
        let read = of_previous(&krate, previous, "read");
        names.extend(quote!(.with(&[&#old_names])));
        fingerprint = quote!(#krate::__private::mix(#fingerprint, #old_shape));
        let this = Ident::new(&ident.to_string(), span.resolved_at(ident.span()));
        let convert = convert(
            &krate,
            previous,
            &this,
            one.with.as_ref(),
            &quote!(#read(stored)),
            &old_version,
        );
        arms = quote! {
            if stored.schema_version < #version_of || #krate::__private::is_split(&#old_names, stored.name) {
                return #convert;
            }
            #arms
        };
        let (text, previous_text) = (ident.to_string(), text(previous));
        let instead = match one.suffix() {
            (base, Some(_)) => format!("name it `{base}V"),
            (_, None) => "write `version = ".to_owned(),
        };
        items.extend(quote_spanned! {span=>
            impl #krate::__private::Superseded for #previous {
                type By = #ident;
            }
            const _: () = #krate::__private::follows(#text, #version_of, #previous_text, #old_version, #instead);
        });
    }

    for other in &one.split_from {
        let span = span_of(other);
        let krate = krate.at(span);
        let their_shape = of_event(&krate, other, "FINGERPRINT");
        let read = of_event(&krate, other, "decode");
        let reads = of_event(&krate, other, "reads");
        fingerprint = quote!(#krate::__private::mix(#fingerprint, #their_shape));
        let this = Ident::new(&ident.to_string(), span.resolved_at(ident.span()));
        let convert = convert(
            &krate,
            other,
            &this,
            one.with.as_ref(),
            &quote!(#read(stored)),
            &quote!(stored.schema_version),
        );
        splits.extend(quote! {
            if #reads(stored.name) && !<Self as #krate::event::Event>::is_current(stored.name) {
                return #convert;
            }
        });
    }
    let oldest = match &one.upcast_from {
        Some(previous) => of_previous(krate, previous, "OLDEST"),
        None => oldest(one, &version),
    };
    let shape = event_shape(krate, &quote!(#ident), one, &oldest);
    if !one.split_from.is_empty() {
        let others = one.split_from.iter().map(|other| {
            let krate = krate.at(span_of(other));
            let names = of_event(&krate, other, "NAMES");
            quote!(&#names)
        });
        names.extend(quote!(.split_from(&[#(#others),*])));
    }

    quote! {
        const _: () = {
            #codec
            #items
            #shape
            #[automatically_derived]
            impl #krate::event::Event for #ident {
                const NAMES: #krate::event::Names = #names;
                const FINGERPRINT: u64 = #fingerprint;
                const SHAPES: #krate::__private::Shapes = #krate::__private::Shapes::of::<Self>();
                #[inline]
                fn name(&self) -> &'static str {
                    <Self as #krate::event::Versioned>::NAME
                }
                #[inline]
                fn schema_version(&self) -> u32 {
                    <Self as #krate::event::Versioned>::VERSION
                }
                #[inline]
                fn is_current(name: &str) -> bool {
                    name == <Self as #krate::event::Versioned>::NAME
                }
                #[inline]
                fn encode(&self, out: &mut #krate::__private::Bytes) -> #krate::__private::Encoded {
                    (__CODEC.encode)(self, out)
                }
                #[inline]
                fn decode(stored: #krate::event::StoredEvent<'_>) -> #krate::__private::Read<Self> {
                    #splits
                    #arms
                }
            }
            #[automatically_derived]
            impl #krate::event::Versioned for #ident {
                const NAME: &'static str = #name;
                const VERSION: u32 = #version;
            }
        };
    }
}

fn convert(
    krate: &Krate,
    from: &Type,
    into: &Ident,
    with: Option<&syn::Path>,
    older: &TokenStream,
    version: &TokenStream,
) -> TokenStream {
    match with {
        None => quote!(#krate::__private::upcast::<#from, #into>(#older, #version)),
        Some(with) => {
            let span = span_of(with);
            let krate = krate.at(span);
            quote_spanned!(span=> #krate::__private::upcast_with::<#from, #into, _>(#older, #version, #with))
        }
    }
}

/// The same of the version before.
fn of_previous(krate: &Krate, ty: &Type, item: &str) -> TokenStream {
    let span = span_of(ty);
    let krate = krate.at(span);
    let item = Ident::new(item, span);
    quote_spanned!(span=> <#ty as #krate::__private::Previous>::#item)
}
