//! From the model to code.

use proc_macro2::TokenStream;
use quote::quote;

use super::model::{Id, Kind};
use crate::path::span_of;

#[expect(clippy::too_many_lines, reason = "a template reads best as one piece")]
pub(super) fn id(id: &Id) -> TokenStream {
    let Id {
        krate,
        ident,
        inner,
        kind,
        check,
    } = id;
    let what = ident.to_string();
    let ok = quote!(::core::result::Result::Ok);
    let error = quote!(#krate::IdError);
    let result = quote!(::core::result::Result<Self, #error>);
    let checked = check.as_ref().map(|function| {
        let krate = krate.at(span_of(function));
        // A text is checked as `&str`, which is what a function on texts takes.
        match kind {
            Kind::Text => quote!(#krate::__private::check(#what, value.as_str(), #function)?;),
            Kind::Uuid | Kind::Number => {
                quote!(#krate::__private::check(#what, &value, #function)?;)
            }
        }
    });

    // From the inner value: it can fail for texts, and wherever the user's own check may.
    let fallible = *kind == Kind::Text || check.is_some();
    let (new_doc, new) = match (kind, fallible) {
        (Kind::Text, _) => (
            "Checks and takes an id: not empty, at most 4096 bytes, no NUL character.",
            quote! {
                pub fn new(id: impl ::core::convert::Into<#inner>) -> #result {
                    let value: #inner = ::core::convert::Into::into(id);
                    #krate::__private::check_text(#what, &value)?;
                    #checked
                    #ok(Self(value))
                }
            },
        ),
        (_, true) => (
            "Checks and takes an id.",
            quote! {
                pub fn new(id: #inner) -> #result {
                    let value = id;
                    #checked
                    #ok(Self(value))
                }
            },
        ),
        (_, false) => (
            "Takes an id.",
            quote! {
                pub const fn new(id: #inner) -> Self {
                    Self(id)
                }
            },
        ),
    };
    let errors_doc = fallible.then(|| {
        let doc = "\n# Errors\n`IdError` says what was given and why it is no id.";
        quote!(#[doc = #doc])
    });
    let make = if fallible {
        quote!(Self::new(id))
    } else {
        quote!(#ok(Self::new(id)))
    };
    let get = match kind {
        Kind::Text => quote! {
            #[doc = "The id as text."]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        },
        Kind::Uuid | Kind::Number => quote! {
            #[doc = "The value."]
            pub const fn get(&self) -> #inner {
                self.0
            }
        },
    };
    let generate = (*kind == Kind::Uuid && check.is_none()).then(|| {
        quote! {
            #[doc = "A new id, which was never used: a UUID of version 7."]
            pub fn generate() -> Self {
                Self(#krate::uuid::Uuid::now_v7())
            }
        }
    });
    let parse = match kind {
        Kind::Text => quote!(Self::new(text)),
        Kind::Uuid | Kind::Number => quote! {{
            let id = #krate::__private::parse::<#inner>(#what, text)?;
            #make
        }},
    };
    let conversions = match kind {
        Kind::Text => quote! {
            #[automatically_derived]
            impl ::core::convert::TryFrom<&str> for #ident {
                type Error = #error;
                fn try_from(id: &str) -> #result {
                    Self::new(id)
                }
            }
            #[automatically_derived]
            impl ::core::convert::TryFrom<#inner> for #ident {
                type Error = #error;
                fn try_from(id: #inner) -> #result {
                    Self::new(id)
                }
            }
        },
        _ if check.is_some() => quote! {
            #[automatically_derived]
            impl ::core::convert::TryFrom<#inner> for #ident {
                type Error = #error;
                fn try_from(id: #inner) -> #result {
                    Self::new(id)
                }
            }
        },
        _ => quote! {
            #[automatically_derived]
            impl ::core::convert::From<#inner> for #ident {
                fn from(id: #inner) -> Self {
                    Self::new(id)
                }
            }
        },
    };
    let serde = quote!(#krate::__private::serde);
    quote! {
        const _: () = {
            #[allow(dead_code)]
            impl #ident {
                #[doc = #new_doc]
                #errors_doc
                #new
                #get
                #generate
            }
            #[automatically_derived]
            impl #krate::Id for #ident {}
            #[automatically_derived]
            impl #krate::schema::Shaped for #ident {
                const SHAPE: &'static #krate::schema::Shape = {
                    #[allow(unused_imports)]
                    use #krate::__private::ShapeFallback as _;
                    <#krate::__private::ShapeProbe<#inner>>::SHAPE
                };
            }
            #[automatically_derived]
            impl ::core::fmt::Display for #ident {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    ::core::fmt::Display::fmt(&self.0, f)
                }
            }
            #[automatically_derived]
            impl ::core::str::FromStr for #ident {
                type Err = #error;
                fn from_str(text: &str) -> #result {
                    #parse
                }
            }
            #conversions
            #[automatically_derived]
            impl #serde::Serialize for #ident {
                fn serialize<S: #serde::Serializer>(&self, serializer: S) -> ::core::result::Result<S::Ok, S::Error> {
                    #serde::Serialize::serialize(&self.0, serializer)
                }
            }
            #[automatically_derived]
            impl<'de> #serde::Deserialize<'de> for #ident {
                fn deserialize<D: #serde::Deserializer<'de>>(deserializer: D) -> ::core::result::Result<Self, D::Error> {
                    let id = <#inner as #serde::Deserialize>::deserialize(deserializer)?;
                    let id: #result = #make;
                    id.map_err(<D::Error as #serde::de::Error>::custom)
                }
            }
        };
    }
}
