//! From the model to code: what structs and enums have in common.

mod enums;
mod structs;

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{GenericParam, Type};

use super::model::{Event, Kind, One};
use crate::lock::Asked;
use crate::path::{Krate, span_of};
use crate::shape::Described;

pub(super) use enums::stored_as;
pub(crate) use enums::{Arm, Body, dispatch};

pub(super) fn event(event: &Event) -> TokenStream {
    match &event.kind {
        Kind::Struct(one, _) => structs::structure(event, one),
        Kind::Enum { variants, serde } => enums::enumeration(event, variants, serde),
        Kind::Broken => broken(event),
    }
}

/// The oldest version that is read without another type.
fn oldest(one: &One, version: &TokenStream) -> TokenStream {
    // That nothing reads older ones is told already.
    if one.broken {
        return quote!(1);
    }
    let first = one.steps.first().map(|step| step.from.to_token_stream());
    first.unwrap_or_else(|| version.clone())
}

/// The shape of a struct event, or of the struct that a variant is read as, and what the lock asks of it.
fn event_shape(krate: &Krate, ty: &TokenStream, one: &One, oldest: &TokenStream) -> TokenStream {
    let Described { shape, items, .. } = &one.shape;
    let Asked {
        checks, released, ..
    } = &one.locked;
    quote! {
        #items
        #checks
        #[automatically_derived]
        impl #krate::__private::EventShape for #ty {
            const SHAPE: &'static #krate::schema::Shape = {
                #[allow(unused_imports)]
                use #krate::__private::{FieldFallback as _, ShapeFallback as _};
                #shape
            };
            const OLDEST: u32 = #oldest;
            #released
        }
    }
}

/// Reads by version: the current one at once, older ones by JSON steps.
fn versions(
    krate: &Krate,
    one: &One,
    version: &TokenStream,
    decode: &TokenStream,
    convert: &TokenStream,
) -> TokenStream {
    // Without a type before it, and without steps from there, older versions were dropped.
    let oldest = match (&one.upcast_from, one.steps.first()) {
        (Some(_), _) => Literal::u32_unsuffixed(1).to_token_stream(),
        (None, Some(step)) => step.from.to_token_stream(),
        (None, None) => {
            Literal::u32_unsuffixed(one.written_version().unwrap_or(1)).to_token_stream()
        }
    };
    let older = if one.steps.is_empty() {
        TokenStream::new()
    } else {
        let steps = one.steps.iter().map(|step| {
            let (from, function) = (&step.from, &step.function);
            let span = span_of(function);
            let krate = krate.at(span);
            let json = quote!(json);
            let step =
                quote_spanned!(span=> #krate::__private::json_step(#json, #from, #function)?);
            quote! {
                let json = if stored.schema_version <= #from { #step } else { json };
            }
        });
        quote! {
            if stored.schema_version >= #oldest && stored.schema_version < #version {
                let json = #krate::__private::to_value(stored.payload)?;
                #(#steps)*
                return #convert;
            }
        }
    };
    quote! {
        if stored.schema_version == #version {
            return #decode;
        }
        #older
        ::core::result::Result::Err(#krate::__private::unread(stored.schema_version, #version, #oldest))
    }
}

/// One of the things that every event has: all tokens at the type's place, so that a type that is no event is reported
/// once, there.
pub(crate) fn of_event(krate: &Krate, ty: &Type, item: &str) -> TokenStream {
    let span = span_of(ty);
    let krate = krate.at(span);
    let item = Ident::new(item, span);
    quote_spanned!(span=> <#ty as #krate::event::Event>::#item)
}

/// Refuses a type that a newer version follows.
pub(crate) fn newest(krate: &Krate, cfgs: &TokenStream, ty: &Type) -> TokenStream {
    let span = span_of(ty);
    quote_spanned! {span=>
        #cfgs
        const _: fn() = {
            #[allow(unused_imports)]
            use #krate::__private::NewestFallback as _;
            <#krate::__private::Newest<#ty>>::check
        };
    }
}

/// A type as the user wrote it, for messages.
pub(crate) fn text(ty: &Type) -> String {
    let mut text = String::new();
    for token in ty.to_token_stream() {
        let token = token.to_string();
        text.push_str(&token);
    }
    text
}

/// Enough for other code to compile, so that one mistake is reported once.
fn broken(event: &Event) -> TokenStream {
    let Event {
        krate,
        ident,
        generics,
        ..
    } = event;
    let mut parameters = Vec::new();
    let mut arguments = Vec::new();
    for parameter in &generics.params {
        match parameter {
            GenericParam::Lifetime(_) => arguments.push(quote!('static)),
            GenericParam::Type(parameter) => {
                let (name, bounds) = (&parameter.ident, &parameter.bounds);
                let bounds = bounds.iter();
                parameters.push(quote!(#name: #(#bounds +)* ::core::marker::Send + ::core::marker::Sync + 'static));
                arguments.push(quote!(#name));
            }
            GenericParam::Const(parameter) => {
                let (name, ty) = (&parameter.ident, &parameter.ty);
                parameters.push(quote!(const #name: #ty));
                arguments.push(quote!(#name));
            }
        }
    }
    let where_clause = &generics.where_clause;
    let base = ident.to_string();
    quote! {
        const _: () = {
            #[automatically_derived]
            impl<#(#parameters),*> #krate::event::Event for #ident<#(#arguments),*> #where_clause {
                const NAMES: #krate::event::Names = #krate::event::Names::new(&[#base]);
                const FINGERPRINT: u64 = 0;
                fn name(&self) -> &'static str { #base }
                fn schema_version(&self) -> u32 { 1 }
                fn is_current(_: &str) -> bool { false }
                fn encode(&self, _: &mut #krate::__private::Bytes) -> #krate::__private::Encoded {
                    ::core::result::Result::Ok(())
                }
                fn decode(_: #krate::event::StoredEvent<'_>) -> #krate::__private::Read<Self> {
                    ::core::result::Result::Err(#krate::__private::unread(0, 0, 0))
                }
            }
            #[automatically_derived]
            impl<#(#parameters),*> #krate::event::Versioned for #ident<#(#arguments),*> #where_clause {
                const NAME: &'static str = #base;
                const VERSION: u32 = 1;
            }
        };
    }
}
