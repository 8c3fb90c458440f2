//! From the model to code.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use super::model::Aggregate;
use crate::path::span_of;
use crate::shape::Described;

pub(super) fn aggregate(aggregate: &Aggregate, sound: bool) -> TokenStream {
    let Aggregate {
        krate,
        ident,
        generics,
        stream,
        id,
        error,
        snapshot_every,
        snapshots,
        retired,
        fingerprint,
        shape,
        locked,
        ..
    } = aggregate;
    if !generics.params.is_empty() {
        return TokenStream::new();
    }
    // A stand-in keeps an aggregate with a mistake an aggregate, so that the mistake is reported once.
    let stand_in = id.is_none().then(|| {
        quote! {
            #[derive(::core::fmt::Debug, ::core::clone::Clone)]
            pub struct __NoId;
            impl ::core::fmt::Display for __NoId {
                fn fmt(&self, _: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    ::core::result::Result::Ok(())
                }
            }
            impl ::core::str::FromStr for __NoId {
                type Err = #krate::IdError;
                fn from_str(_: &str) -> ::core::result::Result<Self, Self::Err> {
                    ::core::result::Result::Ok(Self)
                }
            }
            impl #krate::Id for __NoId {}
        }
    });
    let id = id.as_ref().map_or_else(|| quote!(__NoId), |id| quote!(#id));
    let error = error.as_ref().map_or_else(
        || quote!(#krate::__private::BoxError),
        |error| quote!(#error),
    );
    let stream = stream.as_ref().map_or_else(String::new, syn::LitStr::value);
    let every = snapshot_every.map_or_else(
        || quote!(::core::option::Option::None),
        |every| quote!(::core::option::Option::Some(#every)),
    );
    let codec = if *snapshots && sound {
        let krate = krate.at(ident.span());
        quote!(::core::option::Option::Some(#krate::__private::snapshot_codec::<#ident>()))
    } else {
        quote!(::core::option::Option::None)
    };
    // Nothing of a state is stored without snapshots, so its shape is nobody's concern.
    let (state_shape, fingerprint) = if *snapshots {
        let Described { shape, items, .. } = shape;
        let state_shape = quote! {
            #items
            #[automatically_derived]
            impl #krate::__private::StateShape for #ident {
                const SHAPE: &'static #krate::schema::Shape = {
                    #[allow(unused_imports)]
                    use #krate::__private::{FieldFallback as _, ShapeFallback as _};
                    #shape
                };
            }
        };
        let deep = quote!(#krate::__private::deep(#fingerprint, <Self as #krate::__private::StateShape>::SHAPE));
        (Some(state_shape), deep)
    } else {
        (None, quote!(#fingerprint))
    };
    let given_up = retired.iter().filter(|_| sound).map(|name| {
        let own = krate.at(span_of(name));
        quote_spanned! {span_of(name)=>
            const _: () = #own::__private::not_applied(
                #name,
                &<<#ident as #own::aggregate::Apply>::Event as #own::event::Event>::NAMES,
            );
        }
    });
    quote! {
        const _: () = {
            #stand_in
            #locked
            #(#given_up)*
            #state_shape
            #[automatically_derived]
            impl #krate::Aggregate for #ident {
                type Id = #id;
                type Error = #error;
                const CATEGORY: &'static str = #stream;
                const FINGERPRINT: u64 = #fingerprint;
                const RETIRED: &'static [&'static str] = &[#(#retired),*];
                const SNAPSHOT_EVERY: ::core::option::Option<u64> = #every;
                fn snapshot_codec() -> ::core::option::Option<#krate::aggregate::SnapshotCodec<Self>> {
                    #codec
                }
            }
        };
    }
}
