//! Structs, and the fields of structs and variants.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Field, Fields, FieldsNamed, FieldsUnnamed};

use super::case::Rule;
use super::own::{self, Own};
use super::serde::{Both, Serde};
use super::types::is_option;
use super::{Key, Writer};
use crate::path::{last_ident, span_of};

/// What a name is in JSON: the key that is written, and further ones that are read.
pub(super) struct Names {
    pub(super) name: String,
    pub(super) aliases: Vec<String>,
}

impl Names {
    pub(super) fn aliases(&self) -> Option<TokenStream> {
        let aliases = &self.aliases;
        (!aliases.is_empty()).then(|| quote!(.aliases(&[#(#aliases),*])))
    }
}

impl Writer<'_, '_> {
    pub(super) fn structure(&mut self, fields: &Fields) -> (TokenStream, Option<TokenStream>) {
        if self.serde.transparent {
            return self.transparent(fields);
        }
        let krate = self.asked.krate;
        match fields {
            Fields::Unit => (quote!(&#krate::schema::Shape::Null), None),
            Fields::Named(named) => {
                let rule = self.serde.rename_all;
                let of = self.named(named, rule, true);
                (quote!(&#krate::schema::Shape::Struct(#of)), None)
            }
            Fields::Unnamed(unnamed) => {
                if let (Some(field), 1) = (unnamed.unnamed.first(), unnamed.unnamed.len()) {
                    let serde = Serde::of(&field.attrs);
                    if serde.skip_serializing || serde.skip_deserializing {
                        return (self.left_out(&field.ty), None);
                    }
                    return (self.value(&serde, &field.attrs, &field.ty).0, None);
                }
                match self.places(unnamed) {
                    Ok(places) => (quote!(&#krate::schema::Shape::Tuple(#places)), None),
                    Err(unknown) => (unknown, None),
                }
            }
        }
    }

    /// What the one field that counts is.
    fn transparent(&mut self, fields: &Fields) -> (TokenStream, Option<TokenStream>) {
        let counts = fields.iter().find_map(|field| {
            let serde = Serde::of(&field.attrs);
            let phantom = last_ident(&field.ty).is_some_and(|ident| ident == "PhantomData");
            let counts = !phantom
                && !serde.skip_serializing
                && !serde.skip_deserializing
                && serde.default.is_none();
            counts.then_some((field, serde))
        });
        // Serde refuses a struct without one.
        let Some((field, serde)) = counts else {
            return (self.unknown(), None);
        };
        let (shape, by_type) = self.value(&serde, &field.attrs, &field.ty);
        let missing = by_type.then(|| self.may_be_missing(&field.ty));
        (shape, missing)
    }

    /// A `Struct` of fields with names; the container's default and tag count for structs only, not for variants.
    pub(super) fn named(
        &mut self,
        fields: &FieldsNamed,
        rule: Both<Rule>,
        is_struct: bool,
    ) -> TokenStream {
        let krate = self.asked.krate;
        let mut list = Vec::new();
        if is_struct && let Some(tag) = &self.serde.tag {
            // Serde writes the name of the struct there, and does not look at it when it reads.
            let ident = self.asked.ident.unraw().to_string();
            let name = self.serde.rename.ser.as_ref().unwrap_or(&ident);
            list.push(quote! {
                #krate::schema::Field::new(#tag, &#krate::schema::Shape::Enum(
                    #krate::schema::Enum::new(&[#krate::schema::Variant::unit(#name)])
                )).ignored()
            });
        }
        for field in &fields.named {
            list.extend(self.field(field, rule, is_struct));
        }
        let deny = self
            .serde
            .deny_unknown_fields
            .then(|| quote!(.denying_unknown_fields()));
        quote!(#krate::schema::Struct::new(&[#(#list),*]) #deny)
    }

    /// A `Field`; `None` for one that is neither written nor read.
    fn field(&mut self, field: &Field, rule: Both<Rule>, is_struct: bool) -> Option<TokenStream> {
        let serde = Serde::of(&field.attrs);
        if serde.is_skipped() {
            return None;
        }
        let ident = field.ident.as_ref()?.unraw().to_string();
        let by_rule = |rule: Option<Rule>| rule.map(|rule| rule.of_field(&ident));
        let default = Both {
            ser: by_rule(rule.ser),
            de: by_rule(rule.de),
        };
        let krate = self.asked.krate;
        let names = match self.names(&serde, &ident, default) {
            Ok(names) => names,
            Err((name, unknown)) => {
                return Some(quote!(#krate::schema::Field::new(#name, #unknown)));
            }
        };
        let mut tokens = self.field_of(field, &serde, &names.name, &ident);
        tokens.extend(names.aliases());
        if is_struct && let Some(ident) = &field.ident {
            let of_container = self.serde.default.is_some();
            let by_type = serde.with().is_none() && !own::is_on(&field.attrs, self.asked.attribute);
            self.keys.push(Key {
                ident: ident.clone(),
                ty: field.ty.clone(),
                name: names.name.clone(),
                aliases: names.aliases.clone(),
                flatten: serde.flatten,
                by_type,
                needed: !serde.skip_deserializing && serde.default.is_none() && !of_container,
                cfg: field
                    .attrs
                    .iter()
                    .find(|it| it.path().is_ident("cfg"))
                    .cloned(),
            });
        }
        if serde.skip_serializing {
            tokens.extend(quote!(.written(#krate::schema::Written::Never)));
        } else if serde.skip_serializing_if {
            tokens.extend(quote!(.written(#krate::schema::Written::Maybe)));
        }
        if serde.skip_deserializing {
            tokens.extend(quote!(.ignored()));
        } else {
            if serde.deserialize_with.is_some() {
                tokens.extend(quote!(.deserialized_with()));
            }
            let container = self.serde.default.as_ref().filter(|_| is_struct);
            let default = serde.default.clone().or_else(|| {
                let container = container?.replace("Default::default()", "Self::default()");
                Some(format!("{container}.{ident}"))
            });
            tokens.extend(default.map(|text| quote!(.default(#text))));
        }
        if serde.flatten {
            tokens.extend(quote!(.flattened()));
        }
        Some(tokens)
    }

    /// A `Field` of its type, or of what stands for that.
    fn field_of(&mut self, field: &Field, serde: &Serde, name: &str, ident: &str) -> TokenStream {
        let krate = self.asked.krate;
        let own = Own::of(&field.attrs, self.asked.attribute, self.errors);
        let shape = match (&own, serde.with().cloned()) {
            (Some(Own::Opaque { name: of, version }), with) => {
                let shape = own::opaque(krate, of, *version);
                // Serde itself sees to the `Option` around it.
                if with.is_none() && is_option(&field.ty) {
                    let shape = quote!(&#krate::schema::Shape::Option(#shape));
                    return quote!(#krate::schema::Field::new(#name, #shape).optional_if(true));
                }
                shape
            }
            (Some(Own::As(ty)), _) => return self.field_of_type(ty, name),
            (Some(Own::Broken), _) => self.unknown(),
            (None, Some(with)) => self.hidden(&with, &format!("`{ident}`")),
            (None, None) => return self.field_of_type(&field.ty, name),
        };
        quote!(#krate::schema::Field::new(#name, #shape))
    }

    fn field_of_type(&mut self, ty: &syn::Type, name: &str) -> TokenStream {
        // What borrows is refused already.
        if matches!(ty, syn::Type::Reference(_)) {
            let (krate, unknown) = (self.asked.krate, self.unknown());
            return quote!(#krate::schema::Field::new(#name, #unknown));
        }
        let span = span_of(ty);
        let krate = self.asked.krate.at(span);
        let mentioned = self.mentioned(ty);
        if self.asked.strict {
            quote_spanned!(span=> #krate::schema::Field::of::<#mentioned>(#name))
        } else {
            quote_spanned!(span=> #krate::__private::field(#name, <#krate::__private::FieldProbe<#mentioned>>::FIELD))
        }
    }

    /// The names of a field or a variant. Where what is written is not read, the name and what stands for the shape.
    pub(super) fn names(
        &mut self,
        serde: &Serde,
        ident: &str,
        by_rule: Both<String>,
    ) -> Result<Names, (String, TokenStream)> {
        let one = |renamed: &Option<String>, by_rule: Option<String>| {
            renamed
                .clone()
                .or(by_rule)
                .unwrap_or_else(|| ident.to_owned())
        };
        let ser = one(&serde.rename.ser, by_rule.ser);
        let de = one(&serde.rename.de, by_rule.de);
        let mut read: Vec<String> = Vec::new();
        for name in std::iter::once(&de).chain(&serde.aliases) {
            if !read.contains(name) {
                read.push(name.clone());
            }
        }
        if serde.skip_deserializing {
            let aliases = Vec::new();
            return Ok(Names { name: ser, aliases });
        }
        let name = if serde.skip_serializing { de } else { ser };
        if !read.contains(&name) {
            let de = read.first().cloned().unwrap_or_default();
            let what = format!(
                "`{ident}` is written as `{name}` and read as `{de}`: what is stored could not be read"
            );
            let help = format!("write `#[serde(alias = \"{name}\")]` too");
            let tokens = serde.renamed.clone();
            let tokens = tokens.unwrap_or_else(|| self.asked.ident.to_token_stream());
            return Err((name, self.refuse(tokens, what, &help)));
        }
        read.retain(|other| *other != name);
        Ok(Names {
            name,
            aliases: read,
        })
    }

    /// The places of a tuple, or what stands for the whole shape.
    pub(super) fn places(&mut self, fields: &FieldsUnnamed) -> Result<TokenStream, TokenStream> {
        let krate = self.asked.krate;
        let mut places = Vec::new();
        for (index, field) in fields.unnamed.iter().enumerate() {
            let serde = Serde::of(&field.attrs);
            if serde.is_skipped() {
                continue;
            }
            if serde.skip_serializing || serde.skip_deserializing || serde.skip_serializing_if {
                return Err(self.left_out(&field.ty));
            }
            let (shape, _) = self.value(&serde, &field.attrs, &field.ty);
            let default = serde.default.clone().or_else(|| {
                let container = self.serde.default.as_ref()?;
                let container = container.replace("Default::default()", "Self::default()");
                Some(format!("{container}.{index}"))
            });
            let default = default.map(|text| quote!(.with_default(#text)));
            places.push(quote!(#krate::schema::Element::new(#shape) #default));
        }
        Ok(quote!(&[#(#places),*]))
    }

    /// A place that is there when it is written and not when it is read, or the other way round.
    pub(super) fn left_out(&mut self, place: impl ToTokens) -> TokenStream {
        self.refuse(
            place,
            "this place is left out at times, and places have no names: what follows would be read as it".to_owned(),
            "give the fields names, or write `#[serde(skip)]` to leave it out always",
        )
    }
}
