//! From the model to code.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Attribute, Fields, GenericParam, Type};

use super::model::{Content, Event, Kind, One, Variant};
use crate::path::{Krate, span_of};

pub(super) fn event(event: &Event) -> TokenStream {
    match &event.kind {
        Kind::Struct(one, _) => structure(event, one),
        Kind::Enum { variants, serde } => enumeration(event, variants, serde),
        Kind::Broken => broken(event),
    }
}

#[expect(clippy::too_many_lines, reason = "a template reads best as one piece")]
fn structure(event: &Event, one: &One) -> TokenStream {
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
    let mut shape = quote!(#fingerprint);
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
        shape = quote!(#krate::__private::mix(#shape, #old_shape));
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
        shape = quote!(#krate::__private::mix(#shape, #their_shape));
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
            #[automatically_derived]
            impl #krate::event::Event for #ident {
                const NAMES: #krate::event::Names = #names;
                const FINGERPRINT: u64 = #shape;
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

/// Reads by version: the current one at once, older ones by JSON steps.
fn versions(
    krate: &Krate,
    one: &One,
    version: &TokenStream,
    decode: &TokenStream,
    convert: &TokenStream,
) -> TokenStream {
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
            if stored.schema_version >= 1 && stored.schema_version < #version {
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
        ::core::result::Result::Err(#krate::__private::unread(stored.schema_version, #version, 1))
    }
}

fn enumeration(event: &Event, variants: &[Variant], serde: &[Attribute]) -> TokenStream {
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

/// One way in which an enum's event is stored.
pub(crate) struct Arm {
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) ident: Ident,
    pub(crate) body: Body,
}

pub(crate) enum Body {
    /// Wraps an event.
    Event(Type),
    /// Is one: its names, the first of which is current, its version, how it is written, how it is read.
    Own {
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
            let helper = format_ident!("__{}", ident);
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
            Content::Fields(_, fields) => {
                let helper = format_ident!("__{}", ident);
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
    let mut shape = quote!(let shape = #fingerprint;);
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
                shape
                    .extend(quote!(#cfgs let shape = #krate::__private::mix(shape, #their_shape);));
                list.extend(quote!(#cfgs (#label, &#names),));
                checks.extend(quote_spanned! {span=>
                    #cfgs const _: () = #krate::__private::distinct(__EVENTS, #label, &#names);
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
                names,
                version,
                pattern,
                encode,
                decode: read,
            } => {
                let Some((name, formerly)) = names.split_first() else {
                    continue;
                };
                let label = ident.to_string();
                let span = ident.span().resolved_at(Span::mixed_site());
                let checked = krate.at(span);
                own.extend(names.iter().cloned());
                list.extend(quote!((#label, &#krate::event::Names::new(&[#(#names),*])),));
                checks.extend(quote_spanned! {span=>
                    const _: () = #checked::__private::distinct(__EVENTS, #label, &#checked::event::Names::new(&[#(#names),*]));
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
        const __EVENTS: &[(&str, &#krate::event::Names)] = &[#list];
        #checks
        #[automatically_derived]
        impl #krate::event::Event for #this {
            const NAMES: #krate::event::Names = #krate::event::Names::new(&[#(#own),*]).with(&[#(#others),*]);
            const FINGERPRINT: u64 = { #shape shape };
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

/// One of the things that every event has: all tokens at the type's place, so that a type that is no event is reported
/// once, there.
pub(crate) fn of_event(krate: &Krate, ty: &Type, item: &str) -> TokenStream {
    let span = span_of(ty);
    let krate = krate.at(span);
    let item = Ident::new(item, span);
    quote_spanned!(span=> <#ty as #krate::event::Event>::#item)
}

/// The same of the version before.
fn of_previous(krate: &Krate, ty: &Type, item: &str) -> TokenStream {
    let span = span_of(ty);
    let krate = krate.at(span);
    let item = Ident::new(item, span);
    quote_spanned!(span=> <#ty as #krate::__private::Previous>::#item)
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
