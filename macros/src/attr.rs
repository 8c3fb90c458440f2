//! Reading attributes: hand-written, so that a mistake costs only its own entry and all of them are reported.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use recount_schema::private::closest;
use syn::parse::{Parse, Parser};
use syn::{Attribute, LitInt, LitStr, Meta};

use crate::diag::Errors;

/// A key that an attribute knows.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    /// How it is written, for messages.
    pub(crate) usage: &'static str,
    pub(crate) repeatable: bool,
}

impl Key {
    pub(crate) const fn once(name: &'static str, usage: &'static str) -> Self {
        Self {
            name,
            usage,
            repeatable: false,
        }
    }

    pub(crate) const fn many(name: &'static str, usage: &'static str) -> Self {
        Self {
            name,
            usage,
            repeatable: true,
        }
    }
}

/// One entry: `key`, `key = value` or `key(values)`.
pub(crate) struct Entry {
    pub(crate) key: Ident,
    form: Form,
    usage: &'static str,
}

enum Form {
    Flag,
    Value(TokenStream),
    List(TokenStream),
}

impl ToTokens for Entry {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.key.to_tokens(tokens);
        if let Form::Value(value) | Form::List(value) = &self.form {
            value.to_tokens(tokens);
        }
    }
}

/// The entries of an attribute, or of all attributes of one name on an item.
pub(crate) struct Entries(Vec<Entry>);

impl Entries {
    /// Reads `#[NAME(…)]`, however often it is written.
    pub(crate) fn of_attributes(
        attributes: &[Attribute],
        name: &str,
        keys: &'static [Key],
        errors: &mut Errors,
    ) -> Self {
        let mut entries = Self(Vec::new());
        for attribute in attributes {
            match &attribute.meta {
                Meta::List(list) if list.path.is_ident(name) => {
                    entries.read(name, list.tokens.clone(), keys, errors);
                }
                Meta::NameValue(pair) if pair.path.is_ident(name) => errors.at(
                    pair,
                    format_args!("`#[{name}]` takes its entries in parentheses"),
                    format_args!("write `#[{name}({})]`", usages(keys)),
                ),
                _ => {}
            }
        }
        entries
    }

    /// Reads what stands in an attribute macro's parentheses.
    pub(crate) fn of_tokens(
        tokens: TokenStream,
        name: &str,
        keys: &'static [Key],
        errors: &mut Errors,
    ) -> Self {
        let mut entries = Self(Vec::new());
        entries.read(name, tokens, keys, errors);
        entries
    }

    fn read(
        &mut self,
        attribute: &str,
        tokens: TokenStream,
        keys: &'static [Key],
        errors: &mut Errors,
    ) {
        for part in split(tokens) {
            let mut part = part.into_iter();
            let Some(first) = part.next() else { continue };
            let TokenTree::Ident(key) = first else {
                let all: TokenStream = std::iter::once(first).chain(part).collect();
                errors.at(
                    all,
                    format_args!("`#[{attribute}]` takes entries that begin with a name"),
                    format_args!("write `#[{attribute}({})]`", usages(keys)),
                );
                continue;
            };
            let text = key.to_string();
            let Some(known) = keys.iter().find(|known| known.name == text) else {
                let meant = closest(&text, keys.iter().map(|key| key.name))
                    .and_then(|name| keys.iter().find(|key| key.name == name));
                let help = match meant {
                    Some(meant) => format!("did you mean `{}`?", meant.usage),
                    None => format!("`#[{attribute}]` knows {}", usages(keys)),
                };
                errors.at(
                    &key,
                    format_args!("`#[{attribute}]` does not know `{text}`"),
                    help,
                );
                continue;
            };
            let form = match part.next() {
                None => Form::Flag,
                Some(TokenTree::Punct(punct)) if punct.as_char() == '=' => {
                    Form::Value(part.collect())
                }
                Some(TokenTree::Group(group)) => Form::List(group.stream()),
                Some(other) => {
                    errors.at(
                        other,
                        format_args!("`{text}` is not written this way"),
                        format_args!("write `{}`", known.usage),
                    );
                    continue;
                }
            };
            if !known.repeatable && self.0.iter().any(|entry| entry.key == text) {
                errors.at(
                    &key,
                    format_args!("`{text}` is written twice: which of the two should count?"),
                    "remove one",
                );
                continue;
            }
            self.0.push(Entry {
                key,
                form,
                usage: known.usage,
            });
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.key == key)
    }

    pub(crate) fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.0.iter().filter(move |entry| entry.key == key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter()
    }

    /// The path of this crate, when it is renamed.
    pub(crate) fn krate(&self, errors: &mut Errors) -> Option<syn::Path> {
        self.get("crate")?.value("the path of a crate", errors)
    }

    /// A text of one key.
    pub(crate) fn text(&self, key: &str, errors: &mut Errors) -> Option<LitStr> {
        self.get(key)?.value("a text in quotes", errors)
    }

    /// A whole number from 1 of one key.
    pub(crate) fn number<N: std::str::FromStr<Err: std::fmt::Display> + PartialEq + From<u8>>(
        &self,
        key: &str,
        zero: &str,
        instead: &str,
        errors: &mut Errors,
    ) -> Option<(N, Span)> {
        let entry = self.get(key)?;
        let literal: LitInt = entry.value("a whole number", errors)?;
        match literal.base10_parse::<N>() {
            Ok(number) if number != N::from(0) => Some((number, literal.span())),
            Ok(_) => {
                errors.at(&literal, zero, format_args!("write `{instead}`"));
                None
            }
            Err(_) => {
                entry.wrong("a whole number", &literal, errors);
                None
            }
        }
    }
}

impl Entry {
    /// What stands behind `=`.
    pub(crate) fn value<T: Parse>(&self, what: &str, errors: &mut Errors) -> Option<T> {
        if let Form::Value(tokens) = &self.form {
            match syn::parse2(tokens.clone()) {
                Ok(value) => return Some(value),
                Err(_) if !tokens.is_empty() => self.wrong(what, tokens, errors),
                Err(_) => self.wrong(what, &self.key, errors),
            }
        } else {
            self.wrong(what, self, errors);
        }
        None
    }

    /// What stands in parentheses, or the one value behind `=`.
    pub(crate) fn values<T: Parse>(&self, what: &str, errors: &mut Errors) -> Vec<T> {
        let Form::List(tokens) = &self.form else {
            return self.value(what, errors).into_iter().collect();
        };
        if tokens.is_empty() {
            self.wrong(what, &self.key, errors);
        }
        let mut values = Vec::new();
        for part in split(tokens.clone()) {
            match syn::parse2(part.clone()) {
                Ok(value) => values.push(value),
                Err(_) => self.wrong(what, part, errors),
            }
        }
        values
    }

    /// Types with names in parentheses, or the one behind `=`.
    pub(crate) fn types(&self, what: &str, errors: &mut Errors) -> Vec<syn::Type> {
        let mut types = self.values(what, errors);
        types.retain(|ty| {
            let named = crate::path::last_ident(ty).is_some();
            if !named {
                self.wrong(what, ty, errors);
            }
            named
        });
        types
    }

    /// What stands in parentheses, each read by a function.
    pub(crate) fn list<T>(
        &self,
        what: &str,
        read: impl Fn(syn::parse::ParseStream<'_>) -> syn::Result<T>,
        errors: &mut Errors,
    ) -> Vec<T> {
        let Form::List(tokens) = &self.form else {
            self.wrong(what, self, errors);
            return Vec::new();
        };
        let mut values = Vec::new();
        for part in split(tokens.clone()) {
            match (&read).parse2(part.clone()) {
                Ok(value) => values.push(value),
                Err(_) => self.wrong(what, part, errors),
            }
        }
        values
    }

    /// Whether it is there: it takes no value.
    pub(crate) fn flag(&self, errors: &mut Errors) {
        if let Form::Value(tokens) | Form::List(tokens) = &self.form {
            errors.at(
                tokens,
                format_args!("`{}` takes no value", self.key),
                format_args!("write `{}`", self.usage),
            );
        }
    }

    fn wrong(&self, what: &str, tokens: impl ToTokens, errors: &mut Errors) {
        errors.at(
            tokens,
            format_args!("`{}` takes {what}", self.key),
            format_args!("write `{}`", self.usage),
        );
    }
}

fn usages(keys: &[Key]) -> String {
    let usages: Vec<_> = keys.iter().map(|key| format!("`{}`", key.usage)).collect();
    usages.join(", ")
}

/// Splits at the commas that stand outside of brackets of every kind.
fn split(tokens: TokenStream) -> Vec<TokenStream> {
    let mut parts = vec![TokenStream::new()];
    let mut depth = 0_usize;
    let mut after = ' ';
    for token in tokens {
        let mut now = ' ';
        if let TokenTree::Punct(punct) = &token {
            now = punct.as_char();
            match now {
                '<' => depth += 1,
                // Not the end of an arrow.
                '>' if after != '-' && after != '=' => depth = depth.saturating_sub(1),
                ',' if depth == 0 => {
                    parts.push(TokenStream::new());
                    after = now;
                    continue;
                }
                _ => {}
            }
        }
        after = now;
        if let Some(part) = parts.last_mut() {
            part.extend([token]);
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// The `cfg` attributes among these.
pub(crate) fn cfgs(attributes: &[Attribute]) -> Vec<Attribute> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"))
        .cloned()
        .collect()
}
