//! Serde's attributes, as far as they decide about JSON. What serde refuses is passed over here: it says so itself.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, LitStr, Token, Type};

use super::case::Rule;

/// One thing for writing and one for reading.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Both<T> {
    pub(crate) ser: Option<T>,
    pub(crate) de: Option<T>,
}

impl<T> Default for Both<T> {
    fn default() -> Self {
        Self {
            ser: None,
            de: None,
        }
    }
}

impl<T: Copy> Both<T> {
    /// Where nothing is said here, what is said there.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            ser: self.ser.or(other.ser),
            de: self.de.or(other.de),
        }
    }
}

/// The attributes of a type, a variant or a field: which of them may stand where is serde's to check.
#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one of serde's attributes"
)]
pub(crate) struct Serde {
    pub(crate) rename: Both<String>,
    /// The tokens of `rename`, for a message.
    pub(crate) renamed: Option<TokenStream>,
    pub(crate) aliases: Vec<String>,
    pub(crate) rename_all: Both<Rule>,
    pub(crate) rename_all_fields: Both<Rule>,
    pub(crate) deny_unknown_fields: bool,
    /// The default as text: `Default::default()` or `path()`.
    pub(crate) default: Option<String>,
    pub(crate) transparent: bool,
    pub(crate) tag: Option<String>,
    pub(crate) content: Option<String>,
    pub(crate) untagged: bool,
    /// `from` or `try_from`.
    pub(crate) from: Option<Given>,
    pub(crate) into: Option<Given>,
    pub(crate) remote: bool,
    pub(crate) skip_serializing: bool,
    pub(crate) skip_deserializing: bool,
    pub(crate) skip_serializing_if: bool,
    pub(crate) flatten: bool,
    pub(crate) serialize_with: Option<TokenStream>,
    pub(crate) deserialize_with: Option<TokenStream>,
    pub(crate) other: bool,
}

/// A type that stands for another one.
pub(crate) struct Given {
    pub(crate) ty: Type,
    /// Its tokens in the attribute, for a message.
    pub(crate) tokens: TokenStream,
}

impl Serde {
    pub(crate) fn of(attributes: &[Attribute]) -> Self {
        let mut serde = Self::default();
        for attribute in attributes {
            if attribute.path().is_ident("serde") {
                // A mistake ends the reading of this attribute, and serde reports it.
                let _ = attribute.parse_nested_meta(|meta| serde.entry(&meta));
            }
        }
        serde
    }

    fn entry(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        let key = meta.path.get_ident().map(ToString::to_string);
        match key.as_deref() {
            Some("rename") => {
                let both = both(meta)?;
                let tokens = both.ser.as_ref().or(both.de.as_ref());
                self.renamed = tokens.map(ToTokens::to_token_stream);
                self.rename = Both {
                    ser: both.ser.map(|it| it.value()),
                    de: both.de.map(|it| it.value()),
                };
            }
            Some("alias") => self.aliases.push(text(meta)?.value()),
            Some("rename_all") => self.rename_all = rules(meta)?,
            Some("rename_all_fields") => self.rename_all_fields = rules(meta)?,
            Some("deny_unknown_fields") => self.deny_unknown_fields = true,
            Some("default") => {
                self.default = Some(if meta.input.peek(Token![=]) {
                    format!("{}()", text(meta)?.value())
                } else {
                    "Default::default()".to_owned()
                });
            }
            Some("transparent") => self.transparent = true,
            Some("tag") => self.tag = Some(text(meta)?.value()),
            Some("content") => self.content = Some(text(meta)?.value()),
            Some("untagged") => self.untagged = true,
            Some("from" | "try_from") => self.from = Some(given(meta)?),
            Some("into") => self.into = Some(given(meta)?),
            Some("remote") => {
                self.remote = true;
                text(meta)?;
            }
            Some("skip") => {
                self.skip_serializing = true;
                self.skip_deserializing = true;
            }
            Some("skip_serializing") => self.skip_serializing = true,
            Some("skip_deserializing") => self.skip_deserializing = true,
            Some("skip_serializing_if") => {
                self.skip_serializing_if = true;
                text(meta)?;
            }
            Some("flatten") => self.flatten = true,
            Some("with") => {
                let module = text(meta)?.into_token_stream();
                self.serialize_with = Some(module.clone());
                self.deserialize_with = Some(module);
            }
            Some("serialize_with") => self.serialize_with = Some(text(meta)?.into_token_stream()),
            Some("deserialize_with") => {
                self.deserialize_with = Some(text(meta)?.into_token_stream());
            }
            Some("other") => self.other = true,
            // `bound`, `borrow`, `crate`, `expecting`, `getter` and what is not known: no matter of JSON.
            _ => pass_over(meta)?,
        }
        Ok(())
    }

    /// Neither written nor read.
    pub(crate) fn is_skipped(&self) -> bool {
        self.skip_serializing && self.skip_deserializing
    }

    /// The function or module that writes or reads in the type's place, where something is written or read at all.
    pub(crate) fn with(&self) -> Option<&TokenStream> {
        let ser = self
            .serialize_with
            .as_ref()
            .filter(|_| !self.skip_serializing);
        ser.or(self
            .deserialize_with
            .as_ref()
            .filter(|_| !self.skip_deserializing))
    }
}

fn text(meta: &ParseNestedMeta<'_>) -> syn::Result<LitStr> {
    meta.value()?.parse()
}

fn given(meta: &ParseNestedMeta<'_>) -> syn::Result<Given> {
    let text = text(meta)?;
    Ok(Given {
        ty: text.parse()?,
        tokens: text.into_token_stream(),
    })
}

/// `= "…"` or `(serialize = "…", deserialize = "…")`.
fn both(meta: &ParseNestedMeta<'_>) -> syn::Result<Both<LitStr>> {
    if meta.input.peek(Token![=]) {
        let text = text(meta)?;
        return Ok(Both {
            ser: Some(text.clone()),
            de: Some(text),
        });
    }
    let mut both = Both::default();
    meta.parse_nested_meta(|meta| {
        let one = Some(text(&meta)?);
        if meta.path.is_ident("serialize") {
            both.ser = one;
        } else {
            both.de = one;
        }
        Ok(())
    })?;
    Ok(both)
}

fn rules(meta: &ParseNestedMeta<'_>) -> syn::Result<Both<Rule>> {
    let both = both(meta)?;
    let rule = |text: Option<LitStr>| text.and_then(|text| Rule::of(&text.value()));
    Ok(Both {
        ser: rule(both.ser),
        de: rule(both.de),
    })
}

fn pass_over(meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    if meta.input.peek(Token![=]) {
        meta.value()?.parse::<syn::Expr>()?;
    } else if meta.input.peek(syn::token::Paren) {
        let content;
        syn::parenthesized!(content in meta.input);
        content.parse::<TokenStream>()?;
    }
    Ok(())
}
