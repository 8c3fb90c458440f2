//! From a type with its serde attributes to the constant of its JSON's shape.
//!
//! What stands here follows serde's derives, with what they do and not with what they document. It is strict for value objects:
//! what cannot be told is an error. For events and states it asks nothing: what cannot be told is `Unknown`.

mod case;
mod circle;
mod fields;
mod own;
mod serde;
mod types;
mod variants;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Attribute, Data, Fields, Generics, Type};

pub(crate) use circle::{Circle, RECURSIVE_WITH, Surrounding};
pub(crate) use own::{OPAQUE, Own, SHAPE};

use self::serde::Serde;
use crate::diag::Errors;
use crate::path::{Krate, span_of};

/// What a shape is made for.
pub(crate) struct Asked<'a> {
    pub(crate) krate: &'a Krate,
    pub(crate) ident: &'a Ident,
    pub(crate) generics: &'a Generics,
    pub(crate) attributes: &'a [Attribute],
    /// The attributes of the enum, for a variant that is stored as a struct.
    pub(crate) outer: Option<&'a [Attribute]>,
    /// What is said of the whole.
    pub(crate) own: Option<&'a Own>,
    /// Where it and other types contain each other.
    pub(crate) surrounding: Option<&'a Surrounding>,
    /// The attribute in which fields may say more: `value`, `event`; empty for none.
    pub(crate) attribute: &'static str,
    /// What cannot be told is an error.
    pub(crate) strict: bool,
}

/// A shape.
pub(crate) struct Described {
    /// `&'static Shape`
    pub(crate) shape: TokenStream,
    /// Whether a field of the type may be missing: an expression, or `None` for never.
    pub(crate) may_be_missing: Option<TokenStream>,
    /// What has to stand beside it: stand-ins for mentions of the type itself, and of others that contain it.
    pub(crate) items: TokenStream,
    /// Types that must have a shape, among parameters and what is associated to them.
    pub(crate) bounded: Vec<Type>,
    /// `#[serde(remote = "…")]`: the type describes another one, and is none of its own.
    pub(crate) remote: bool,
    /// The fields of a struct that are written or read.
    pub(crate) keys: Vec<Key>,
    /// `#[serde(deny_unknown_fields)]`
    pub(crate) denies_unknown: bool,
}

/// A field of a struct, as far as its tokens tell.
pub(crate) struct Key {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    /// In JSON.
    pub(crate) name: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) flatten: bool,
    /// Its type says what its JSON is, and whether it may be missing.
    pub(crate) by_type: bool,
    /// It is read, and not only where it is there.
    pub(crate) needed: bool,
    /// `#[cfg(…)]`, where it holds; a field for which it does not is not here.
    pub(crate) cfg: Option<Attribute>,
}

/// What a type's data is.
pub(crate) enum Content<'a> {
    Data(&'a Data),
    /// A struct, or a variant that is stored as one.
    Fields(&'a Fields),
}

pub(crate) fn describe(asked: &Asked<'_>, content: &Content<'_>, errors: &mut Errors) -> Described {
    let mut serde = Serde::of(asked.attributes);
    serde.rename_all = serde
        .rename_all
        .or(Serde::of(asked.outer.unwrap_or_default()).rename_all_fields);
    let mut writer = Writer {
        asked,
        errors,
        serde,
        recursive: false,
        used: Vec::new(),
        keys: Vec::new(),
    };
    let (shape, may_be_missing) = writer.whole(content);
    let (recursive, used) = (writer.recursive, std::mem::take(&mut writer.used));
    let keys = std::mem::take(&mut writer.keys);
    let remote = writer.serde.remote;
    let denies_unknown = writer.serde.deny_unknown_fields;
    let krate = asked.krate;
    let name = asked.ident.to_string();
    let mut items = asked
        .surrounding
        .map(|around| around.items(asked.ident, krate))
        .unwrap_or_default();
    let shape = if recursive {
        let itself = itself();
        items.extend(quote! {
            struct #itself;
            impl #krate::schema::Shaped for #itself {
                const SHAPE: &'static #krate::schema::Shape = &#krate::schema::Shape::Ref(#name);
            }
        });
        quote!(&#krate::schema::Shape::Recursive { name: #name, shape: #shape })
    } else {
        shape
    };
    Described {
        shape,
        may_be_missing,
        items,
        bounded: types::bounded(&used, asked.generics),
        remote,
        keys,
        denies_unknown,
    }
}

/// The stand-in for mentions of the type itself.
fn itself() -> Ident {
    Ident::new("__Itself", Span::mixed_site())
}

struct Writer<'a, 'b> {
    asked: &'a Asked<'a>,
    errors: &'b mut Errors,
    /// The attributes of the type.
    serde: Serde,
    /// The type comes again within itself.
    recursive: bool,
    /// Types whose shape was asked for.
    used: Vec<Type>,
    keys: Vec<Key>,
}

impl Writer<'_, '_> {
    fn whole(&mut self, content: &Content<'_>) -> (TokenStream, Option<TokenStream>) {
        match self.asked.own {
            Some(Own::Opaque { name, version }) => {
                return (own::opaque(self.asked.krate, name, *version), None);
            }
            Some(Own::As(ty)) => return (self.shape_of(ty), None),
            Some(Own::Broken) => return (self.unknown(), None),
            None => {}
        }
        if let Some(converted) = self.converted() {
            return converted;
        }
        match content {
            Content::Data(Data::Struct(data)) => self.structure(&data.fields),
            Content::Fields(fields) => self.structure(fields),
            Content::Data(Data::Enum(data)) => (self.enumeration(data), None),
            Content::Data(Data::Union(_)) => (self.unknown(), None),
        }
    }

    /// `from`, `try_from` and `into`: both directions must be of one type.
    fn converted(&mut self) -> Option<(TokenStream, Option<TokenStream>)> {
        let (from, into) = (self.serde.from.take(), self.serde.into.take());
        let (given, missing) = match (from, into) {
            (None, None) => return None,
            (Some(from), Some(into)) => {
                let text = |ty: &Type| ty.to_token_stream().to_string();
                if text(&from.ty) == text(&into.ty) {
                    let missing = self.may_be_missing(&from.ty);
                    return Some((self.shape_of(&from.ty), Some(missing)));
                }
                let read = crate::event::text(&from.ty);
                (into, format!("write `into = \"{read}\"`"))
            }
            (Some(from), None) => {
                let read = crate::event::text(&from.ty);
                (from, format!("write `#[serde(into = \"{read}\")]` too"))
            }
            (None, Some(into)) => {
                let written = crate::event::text(&into.ty);
                (
                    into,
                    format!("write `#[serde(try_from = \"{written}\")]` too"),
                )
            }
        };
        let what = format!(
            "`{}` is written as one type and read as another: what is stored could become unreadable unnoticed",
            self.asked.ident
        );
        let help = format!("{missing}{}", self.or_opaque());
        Some((self.refuse(given.tokens, what, &help), None))
    }

    fn or_opaque(&self) -> String {
        let (attribute, ident) = (self.asked.attribute, self.asked.ident);
        format!(", or `#[{attribute}(opaque = \"{ident}@1\")]` on `{ident}`")
    }

    /// Nothing can be told: an error where that matters.
    fn refuse(&mut self, tokens: impl ToTokens, what: String, help: &str) -> TokenStream {
        if self.asked.strict {
            self.errors.at(tokens, what, help);
        }
        self.unknown()
    }

    fn unknown(&self) -> TokenStream {
        let krate = self.asked.krate;
        quote!(&#krate::schema::Shape::Unknown)
    }

    /// The type in a constant, which cannot ask for itself.
    fn mentioned(&mut self, ty: &Type) -> Type {
        self.used.push(ty.clone());
        let mut ty = ty.clone();
        let Asked {
            ident,
            generics,
            outer,
            surrounding,
            ..
        } = self.asked;
        // The name of a variant is not that of a type.
        if outer.is_none() {
            types::replace(&mut ty, &mut |ty| {
                let is_itself = types::is_itself(ty, ident, generics);
                self.recursive |= is_itself;
                is_itself.then(itself)
            });
        }
        if let Some(surrounding) = surrounding {
            self.recursive |= surrounding.replace(&mut ty);
        }
        ty
    }

    fn shape_of(&mut self, ty: &Type) -> TokenStream {
        let mentioned = self.mentioned(ty);
        let span = span_of(ty);
        let krate = self.asked.krate.at(span);
        if self.asked.strict {
            quote_spanned!(span=> <#mentioned as #krate::schema::Shaped>::SHAPE)
        } else {
            quote_spanned!(span=> <#krate::__private::ShapeProbe<#mentioned>>::SHAPE)
        }
    }

    fn may_be_missing(&mut self, ty: &Type) -> TokenStream {
        let mentioned = self.mentioned(ty);
        let span = span_of(ty);
        let krate = self.asked.krate.at(span);
        if self.asked.strict {
            quote_spanned!(span=> <#mentioned as #krate::schema::Shaped>::MAY_BE_MISSING)
        } else {
            quote_spanned!(span=> <#krate::__private::ShapeProbe<#mentioned>>::MAY_BE_MISSING)
        }
    }

    /// The shape of one value that stands for itself: what a newtype or a transparent struct wraps. With it, whether it is the
    /// type's own, so that the type also decides whether it may be missing.
    fn value(&mut self, serde: &Serde, attributes: &[Attribute], ty: &Type) -> (TokenStream, bool) {
        match Own::of(attributes, self.asked.attribute, self.errors) {
            Some(Own::Opaque { name, version }) => {
                (own::opaque(self.asked.krate, &name, version), false)
            }
            Some(Own::As(ty)) => (self.shape_of(&ty), false),
            Some(Own::Broken) => (self.unknown(), false),
            None => match serde.with() {
                Some(with) => {
                    let with = with.clone();
                    (self.hidden(&with, "it"), false)
                }
                None => (self.shape_of(ty), true),
            },
        }
    }

    /// Written by a function, which can write anything.
    fn hidden(&mut self, with: &TokenStream, what: &str) -> TokenStream {
        let attribute = self.asked.attribute;
        let module = with.to_string();
        let module = module.trim_matches('"');
        self.refuse(
            with,
            format!(
                "{what} is written or read by `{module}`, whose JSON is not known: a change inside it could make stored events unreadable unnoticed"
            ),
            &format!(
                "write `#[{attribute}(opaque = \"{module}@1\")]`, to be counted up when its JSON changes, or `#[{attribute}(shape = SomeType)]` if it is written as that type"
            ),
        )
    }
}
