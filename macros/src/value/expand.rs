//! From the model to code.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};

use super::Value;
use crate::shape::Described;

pub(super) fn value(value: &Value) -> TokenStream {
    let Value {
        krate,
        ident,
        generics,
        shapes,
        union,
    } = value;
    let (parameters, arguments, conditions) = generics.split_for_impl();
    let predicates = conditions.map(|conditions| conditions.predicates.iter());
    let predicates: Vec<_> = predicates.into_iter().flatten().collect();
    let mut tokens = TokenStream::new();
    for (within, described) in shapes {
        let Described {
            shape,
            may_be_missing,
            items,
            bounded,
            remote,
            ..
        } = described;
        let missing = may_be_missing
            .as_ref()
            .map(|missing| quote!(const MAY_BE_MISSING: bool = #missing;));
        let of = within.as_ref().map_or_else(
            || quote!(#krate::schema::Shaped),
            |types| quote!(#krate::schema::private::ShapedWithin<#types>),
        );
        // What describes another type for serde is no value by itself.
        let marker = (within.is_none() && !remote).then(|| {
            let span = ident.span().resolved_at(Span::mixed_site());
            let own = krate.at(ident.span());
            let check = (generics.params.is_empty() && !union).then(
                || quote_spanned!(span=> const _: () = #own::__private::value_object::<#ident>();),
            );
            quote! {
                #[automatically_derived]
                impl #parameters #krate::__private::DerivesValueObject for #ident #arguments #conditions {}
                #check
            }
        });
        tokens.extend(quote! {
            const _: () = {
                #items
                #[automatically_derived]
                impl #parameters #of for #ident #arguments
                where #(#predicates,)* #(#bounded: #krate::schema::Shaped),*
                {
                    const SHAPE: &'static #krate::schema::Shape = #shape;
                    #missing
                }
                #marker
            };
        });
    }
    tokens
}
