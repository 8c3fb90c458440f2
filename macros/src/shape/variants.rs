//! Enums.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::{DataEnum, Fields, Variant};

use super::Writer;
use super::case::Rule;
use super::own::Own;
use super::serde::{Both, Serde};

impl Writer<'_, '_> {
    pub(super) fn enumeration(&mut self, data: &DataEnum) -> TokenStream {
        let krate = self.asked.krate;
        let (mut tagged, mut untagged) = (Vec::new(), Vec::new());
        for variant in &data.variants {
            let serde = Serde::of(&variant.attrs);
            if serde.is_skipped() {
                continue;
            }
            match self.variant(variant, &serde) {
                Ok(tokens) if serde.untagged => untagged.push(tokens),
                Ok(tokens) => tagged.push(tokens),
                Err(unknown) => return unknown,
            }
        }
        let tagging = match (&self.serde.tag, &self.serde.content) {
            _ if self.serde.untagged => Some(quote!(Untagged)),
            (Some(tag), Some(content)) => Some(quote!(Adjacent { tag: #tag, content: #content })),
            (Some(tag), None) => Some(quote!(Internal { tag: #tag })),
            (None, _) => None,
        };
        let tagging = tagging.map(|tagging| quote!(.tagged(#krate::schema::Tagging::#tagging)));
        let shape = quote!(&#krate::schema::Shape::Enum(#krate::schema::Enum::new(&[#(#tagged),*]) #tagging));
        if untagged.is_empty() {
            return shape;
        }
        // Serde tries the variants with a tag first, and then those without one.
        quote! {
            &#krate::schema::Shape::Enum(#krate::schema::Enum::new(&[
                #krate::schema::Variant::new("", #krate::schema::Body::Newtype(#shape)),
                #(#untagged),*
            ]).tagged(#krate::schema::Tagging::Untagged))
        }
    }

    fn variant(&mut self, variant: &Variant, serde: &Serde) -> Result<TokenStream, TokenStream> {
        let krate = self.asked.krate;
        let ident = variant.ident.unraw().to_string();
        let rule = self.serde.rename_all;
        let by_rule = |rule: Option<Rule>| rule.map(|rule| rule.of_variant(&ident));
        let by_rule = Both {
            ser: by_rule(rule.ser),
            de: by_rule(rule.de),
        };
        let names = self
            .names(serde, &ident, by_rule)
            .map_err(|(_, unknown)| unknown)?;
        let body = self.body(variant, serde, &ident)?;
        let name = &names.name;
        let mut tokens = if body.is_empty() {
            quote!(#krate::schema::Variant::unit(#name))
        } else {
            quote!(#krate::schema::Variant::new(#name, #krate::schema::Body::#body))
        };
        tokens.extend(names.aliases());
        if serde.other {
            tokens.extend(quote!(.other()));
        }
        let (is_written, is_read) = (!serde.skip_serializing, !serde.skip_deserializing);
        if !(is_written && is_read) {
            tokens.extend(quote!(.kept(#is_written, #is_read)));
        }
        Ok(tokens)
    }

    /// What is in it, nothing for `Unit`; or what stands for the whole shape.
    fn body(
        &mut self,
        variant: &Variant,
        serde: &Serde,
        ident: &str,
    ) -> Result<TokenStream, TokenStream> {
        if let Some(own) = Own::of(&variant.attrs, self.asked.attribute, self.errors) {
            let shape = match own {
                Own::Opaque { name, version } => {
                    super::own::opaque(self.asked.krate, &name, version)
                }
                Own::As(ty) => self.shape_of(&ty),
                Own::Broken => self.unknown(),
            };
            return Ok(quote!(Newtype(#shape)));
        }
        if let Some(with) = serde.with().cloned() {
            let shape = self.hidden(&with, &format!("`{ident}`"));
            return Ok(quote!(Newtype(#shape)));
        }
        match &variant.fields {
            Fields::Unit => Ok(TokenStream::new()),
            Fields::Named(named) => {
                let rule = serde.rename_all.or(self.serde.rename_all_fields);
                let of = self.named(named, rule, false);
                Ok(quote!(Struct(#of)))
            }
            Fields::Unnamed(unnamed) => {
                if let (Some(field), 1) = (unnamed.unnamed.first(), unnamed.unnamed.len()) {
                    let of_field = Serde::of(&field.attrs);
                    if of_field.is_skipped() {
                        return Ok(TokenStream::new());
                    }
                    if of_field.skip_serializing || of_field.skip_deserializing {
                        return Err(self.left_out(&field.ty));
                    }
                    let (shape, _) = self.value(&of_field, &field.attrs, &field.ty);
                    return Ok(quote!(Newtype(#shape)));
                }
                let places = self.places(unnamed)?;
                Ok(quote!(Tuple(#places)))
            }
        }
    }
}
