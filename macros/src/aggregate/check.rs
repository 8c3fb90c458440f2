//! The rules of `#[derive(Aggregate)]`.

use super::model::Aggregate;
use crate::diag::Errors;

pub(super) fn aggregate(aggregate: &Aggregate, errors: &mut Errors) {
    let ident = &aggregate.ident;
    let example = kebab(&ident.to_string());
    if aggregate.union {
        errors.at(
            ident,
            format_args!("`{ident}` is a union: a state is a struct or an enum"),
            format_args!("write `struct {ident}`"),
        );
    }
    if !aggregate.generics.params.is_empty() {
        errors.at(
            &aggregate.generics.params,
            format_args!(
                "`{ident}` is generic: all its forms would share the streams of one category"
            ),
            format_args!("write one struct for each, `struct {ident} {{ … }}`"),
        );
    }
    match (aggregate.has_stream, aggregate.has_id) {
        (true, true) => {}
        (false, false) => errors.at(
            ident,
            format_args!("`{ident}` says neither how its streams are called nor what its id is"),
            format_args!("write `#[aggregate(stream = \"{example}\", id = {ident}Id)]`"),
        ),
        (false, true) => errors.at(
            ident,
            format_args!("`{ident}` does not say how its streams are called"),
            format_args!("write `#[aggregate(stream = \"{example}\", …)]`"),
        ),
        (true, false) => errors.at(
            ident,
            format_args!("`{ident}` does not say what its id is: its streams could not be told apart"),
            format_args!("write `#[aggregate(…, id = {ident}Id)]`, and `#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] struct {ident}Id(String);`"),
        ),
    }
    if let Some(stream) = &aggregate.stream {
        let name = stream.value();
        if !is_category(&name) {
            let suggested = kebab(&name);
            let suggested = if is_category(&suggested) {
                suggested
            } else {
                example
            };
            errors.at(
                stream,
                "a stream's name begins with a lower-case letter and has only lower-case letters, digits, `-` and `_`: it stands in queries and in the names of streams",
                format_args!("write `stream = \"{suggested}\"`"),
            );
        }
    }
}

fn is_category(name: &str) -> bool {
    name.len() <= 255
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_')
}

/// `BankAccount` and `bank account` become `bank-account`.
fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for c in name.chars() {
        let separated = kebab.is_empty() || kebab.ends_with('-');
        if c.is_ascii_uppercase() {
            if !separated {
                kebab.push('-');
            }
            kebab.push(c.to_ascii_lowercase());
        } else if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' {
            kebab.push(c);
        } else if !separated {
            kebab.push('-');
        }
    }
    kebab.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::{is_category, kebab};

    #[test]
    fn a_name_is_suggested_that_is_accepted() {
        for (given, suggested) in [
            ("BankAccount", "bank-account"),
            ("bank account", "bank-account"),
            ("Order/Lines!", "order-lines"),
        ] {
            assert!(!is_category(given));
            assert_eq!(kebab(given), suggested);
            assert!(is_category(suggested));
        }
    }
}
