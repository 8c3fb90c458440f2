//! An enum is a list of events: each variant is one, or wraps one. `#[apply]` writes its enum the same way.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Attribute, Fields, Type};

use super::{event_shape, newest, of_event, oldest, text, versions};
use crate::event::model::{Content, Event, Variant};
use crate::path::{Krate, span_of};

pub(super) fn enumeration(event: &Event, variants: &[Variant], serde: &[Attribute]) -> TokenStream {
    let Event {
        krate,
        ident,
        fingerprint,
        ..
    } = event;
    let helpers = helpers(krate, ident, variants, serde);
    let arms: Vec<Arm> = variants
        .iter()
        .map(|variant| arm(krate, ident, variant))
        .collect();
    let event = dispatch(krate, ident, *fingerprint, &arms);
    quote! {
        const _: () = {
            #helpers
            #event
        };
    }
}

/// The struct that a variant with fields of its own is read as.
pub(in crate::event) fn stored_as(variant: &Ident) -> Ident {
    format_ident!("__{}", variant)
}

/// One way in which an enum's event is stored.
pub(crate) struct Arm {
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) ident: Ident,
    pub(crate) body: Body,
}

pub(crate) enum Body {
    /// Wraps an event.
    Event(Type),
    /// Is one: the struct that it is read as, its names, the first of which is current, its version, how it is written, how
    /// it is read.
    Own {
        stored_as: Ident,
        names: Vec<TokenStream>,
        version: u32,
        pattern: TokenStream,
        encode: TokenStream,
        decode: TokenStream,
    },
    /// Has a mistake; the tokens match it.
    Broken(TokenStream),
}

fn arm(krate: &Krate, this: &Ident, variant: &Variant) -> Arm {
    let ident = variant.ident.clone();
    let body = match &variant.content {
        Content::Event(ty) => Body::Event((**ty).clone()),
        Content::Broken(Fields::Unnamed(_)) => Body::Broken(quote!((..))),
        Content::Broken(_) => Body::Broken(quote!({ .. })),
        Content::Fields(one, fields) => {
            let (base, _) = one.suffix();
            let name = one
                .name
                .as_ref()
                .map_or_else(|| quote!(#base), ToTokens::to_token_stream);
            let version = one.written_version().unwrap_or(1);
            let helper = stored_as(&ident);
            let bindings = fields.iter().filter_map(|field| field.ident.as_ref());
            let bindings = quote!({ #(#bindings),* });
            let decode = versions(
                krate,
                one,
                &quote!(#version),
                &quote!(#krate::__private::read(#krate::__private::from_json(stored.payload), |#helper #bindings| #this::#ident #bindings)),
                &quote!(#krate::__private::read(#krate::__private::from_value(json), |#helper #bindings| #this::#ident #bindings)),
            );
            let encode = if matches!(fields, Fields::Unit) {
                quote!(#krate::__private::encode_empty(out))
            } else {
                quote!(#krate::__private::encode(&__Fields(self), out))
            };
            let formerly = one.formerly.iter().map(ToTokens::to_token_stream);
            Body::Own {
                stored_as: helper,
                names: std::iter::once(name).chain(formerly).collect(),
                version,
                pattern: if matches!(fields, Fields::Unit) {
                    TokenStream::new()
                } else {
                    quote!({ .. })
                },
                encode,
                decode,
            }
        }
    };
    Arm {
        cfgs: Vec::new(),
        ident,
        body,
    }
}

/// Serde's own code for the fields of variants: a struct to read each, and one enum to write all.
fn helpers(krate: &Krate, this: &Ident, variants: &[Variant], serde: &[Attribute]) -> TokenStream {
    let crate_text = krate.text("::__private::serde");
    let mut read = TokenStream::new();
    let mut write = TokenStream::new();
    let mut any = false;
    // Variants inherit this; a struct calls it by another name.
    let all_fields: Vec<TokenStream> = serde.iter().filter_map(rename_all_fields).collect();
    for variant in variants {
        let ident = &variant.ident;
        let attributes = &variant.attributes;
        match &variant.content {
            Content::Fields(one, fields) => {
                let helper = stored_as(ident);
                let version = one.written_version().unwrap_or(1);
                let oldest = oldest(one, &quote!(#version));
                read.extend(event_shape(krate, &quote!(#helper), one, &oldest));
                let named = fields.iter().map(|field| {
                    let attributes = field.attrs.iter().filter(|it| it.path().is_ident("serde"));
                    let (name, ty) = (&field.ident, &field.ty);
                    quote!(#(#attributes)* #name: #ty)
                });
                let named: Vec<TokenStream> = named.collect();
                let title = ident.to_string();
                let inherited = if attributes.is_empty() {
                    quote!(#(#all_fields)*)
                } else {
                    TokenStream::new()
                };
                read.extend(quote! {
                    #[derive(#krate::__private::serde::Deserialize)]
                    #[serde(crate = #crate_text, rename = #title)]
                    #inherited
                    #(#attributes)*
                    struct #helper { #(#named),* }
                });
                if matches!(fields, Fields::Unit) {
                    write.extend(quote!(#[serde(skip)] #ident,));
                } else {
                    any = true;
                    write.extend(quote!(#(#attributes)* #ident { #(#named),* },));
                }
            }
            Content::Event(ty) => write.extend(quote!(#[serde(skip)] #ident(#ty),)),
            Content::Broken(fields) => write.extend(quote!(#[serde(skip)] #ident #fields,)),
        }
    }
    if !any {
        return read;
    }
    let this_text = this.to_string();
    quote! {
        #read
        #[derive(#krate::__private::serde::Serialize)]
        #[serde(crate = #crate_text, remote = #this_text, untagged)]
        #(#serde)*
        #[allow(dead_code, clippy::large_enum_variant)]
        enum __Remote { #write }
        struct __Fields<'a>(&'a #this);
        impl #krate::__private::serde::Serialize for __Fields<'_> {
            #[inline]
            fn serialize<S: #krate::__private::serde::Serializer>(&self, serializer: S) -> ::core::result::Result<S::Ok, S::Error> {
                __Remote::serialize(self.0, serializer)
            }
        }
    }
}

/// `#[serde(rename_all_fields = …)]` on an enum is `rename_all` on each variant.
fn rename_all_fields(attribute: &Attribute) -> Option<TokenStream> {
    let mut found = None;
    let _ = attribute.parse_nested_meta(|meta| {
        let value: syn::LitStr = meta.value()?.parse()?;
        if meta.path.is_ident("rename_all_fields") {
            found = Some(quote!(#[serde(rename_all = #value)]));
        }
        Ok(())
    });
    found
}

/// `impl Event` for an enum.
#[expect(clippy::too_many_lines, reason = "a template reads best as one piece")]
pub(crate) fn dispatch(krate: &Krate, this: &Ident, fingerprint: u64, arms: &[Arm]) -> TokenStream {
    let mut own = Vec::new();
    let mut others = Vec::new();
    let mut own_shapes = Vec::new();
    let mut other_shapes = Vec::new();
    let mut shape = quote!(let shape = #fingerprint;);
    // Those of one list are joined at once: as many statements would cost the compiler the square of their number.
    let mut their_shapes = TokenStream::new();
    let mut list = TokenStream::new();
    let mut checks = TokenStream::new();
    let mut match_name = TokenStream::new();
    let mut match_version = TokenStream::new();
    let mut match_encode = TokenStream::new();
    let mut current = TokenStream::new();
    let mut decode = TokenStream::new();
    let mut older = TokenStream::new();
    for Arm { cfgs, ident, body } in arms {
        let cfgs = quote!(#(#cfgs)*);
        match body {
            Body::Event(ty) => {
                let span = span_of(ty);
                let krate = krate.at(span);
                let names = of_event(&krate, ty, "NAMES");
                let their_shape = of_event(&krate, ty, "FINGERPRINT");
                let name_of = of_event(&krate, ty, "name");
                let version_of = of_event(&krate, ty, "schema_version");
                let encode = of_event(&krate, ty, "encode");
                let read = of_event(&krate, ty, "decode");
                let is_current = of_event(&krate, ty, "is_current");
                let reads = of_event(&krate, ty, "reads");
                let label = text(ty);
                others.push(quote!(#cfgs &#names));
                let shapes_of = of_event(&krate, ty, "SHAPES");
                other_shapes.push(quote!(#cfgs &#shapes_of));
                their_shapes.extend(quote!(#cfgs #their_shape,));
                list.extend(quote!(#cfgs (#label, &#names),));
                checks.extend(quote_spanned! {span=>
                    #cfgs const _: () = #krate::__private::distinct(&__EVENTS, #label, &#names);
                });
                checks.extend(newest(&krate, &cfgs, ty));
                match_name.extend(quote!(#cfgs Self::#ident(event) => #name_of(event),));
                match_version.extend(quote!(#cfgs Self::#ident(event) => #version_of(event),));
                match_encode.extend(quote!(#cfgs Self::#ident(event) => #encode(event, out),));
                current.extend(quote!(#cfgs if #is_current(name) { return true; }));
                let read = quote!(#krate::__private::read(#read(stored), #this::#ident));
                decode.extend(quote!(#cfgs if #is_current(name) { return #read; }));
                older.extend(quote! {
                    #cfgs
                    let found = if #reads(name) {
                        #krate::__private::gather(found, #read?)
                    } else {
                        found
                    };
                });
            }
            Body::Own {
                stored_as,
                names,
                version,
                pattern,
                encode,
                decode: read,
            } => {
                let Some((name, formerly)) = names.split_first() else {
                    continue;
                };
                if !their_shapes.is_empty() {
                    let before = std::mem::take(&mut their_shapes);
                    shape
                        .extend(quote!(let shape = #krate::__private::mix_all(shape, &[#before]);));
                }
                shape.extend(quote!(let shape = #krate::__private::mix(shape, <#stored_as as #krate::__private::EventShape>::DIGEST);));
                own_shapes.push(quote!(#krate::__private::variant::<#stored_as>(#name, #version)));
                let label = ident.to_string();
                let span = ident.span().resolved_at(Span::mixed_site());
                let checked = krate.at(span);
                own.extend(names.iter().cloned());
                list.extend(quote!((#label, &#krate::event::Names::new(&[#(#names),*])),));
                checks.extend(quote_spanned! {span=>
                    const _: () = #checked::__private::distinct(&__EVENTS, #label, &#checked::event::Names::new(&[#(#names),*]));
                });
                match_name.extend(quote!(Self::#ident #pattern => #name,));
                match_version.extend(quote!(Self::#ident #pattern => #version,));
                match_encode.extend(quote!(Self::#ident #pattern => #encode,));
                current.extend(quote!(if name == #name { return true; }));
                let condition = quote!(name == #name #(|| name == #formerly)*);
                decode.extend(quote!(if #condition { return { #read }; }));
            }
            Body::Broken(pattern) => {
                match_name.extend(quote!(Self::#ident #pattern => "",));
                match_version.extend(quote!(Self::#ident #pattern => 1,));
                match_encode
                    .extend(quote!(Self::#ident #pattern => ::core::result::Result::Ok(()),));
            }
        }
    }
    let of = |arms: &TokenStream| {
        if arms.is_empty() {
            quote!(match *self {})
        } else {
            quote!(match self { #arms })
        }
    };
    let (match_name, match_version, match_encode) =
        (of(&match_name), of(&match_version), of(&match_encode));
    quote! {
        const __EVENTS: #krate::__private::EventList = #krate::__private::EventList::new(&[#list]);
        #checks
        #[automatically_derived]
        impl #krate::event::Event for #this {
            const NAMES: #krate::event::Names = #krate::event::Names::new(&[#(#own),*]).with(&[#(#others),*]);
            const FINGERPRINT: u64 = { #shape #krate::__private::mix_all(shape, &[#their_shapes]) };
            const SHAPES: #krate::__private::Shapes =
                #krate::__private::Shapes::new(&[#(#own_shapes),*]).with(&[#(#other_shapes),*]);
            #[inline]
            fn name(&self) -> &'static str {
                #match_name
            }
            #[inline]
            fn schema_version(&self) -> u32 {
                #match_version
            }
            fn is_current(name: &str) -> bool {
                #current
                let _ = name;
                false
            }
            fn encode(&self, out: &mut #krate::__private::Bytes) -> #krate::__private::Encoded {
                let _ = &out;
                #match_encode
            }
            fn decode(stored: #krate::event::StoredEvent<'_>) -> #krate::__private::Read<Self> {
                let name = stored.name;
                #decode
                let found = ::core::option::Option::None;
                #older
                let _ = name;
                #krate::__private::gathered(found)
            }
        }
    }
}
