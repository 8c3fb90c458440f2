//! What can be said of a type by its tokens.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{ReturnType, Type};

use crate::path::last_ident;

/// A type without the invisible groups that `macro_rules!` puts around it.
pub(super) fn ungrouped(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => ungrouped(&group.elem),
        Type::Paren(paren) => ungrouped(&paren.elem),
        other => other,
    }
}

pub(super) fn is_mut_ref(receiver: &syn::Receiver) -> bool {
    matches!(&receiver.kind, syn::ReceiverKind::Reference(_, _, Some(_)))
}

pub(super) fn returned(output: &ReturnType) -> Option<&Type> {
    match output {
        ReturnType::Default => None,
        ReturnType::Type(_, ty) => Some(ungrouped(ty)),
    }
}

pub(super) fn is_unit(ty: &Type) -> bool {
    matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty())
}

/// A `Result` is what a handler returns by mistake; anything else is what a question returns.
pub(super) fn is_result(ty: Option<&Type>) -> bool {
    ty.is_some_and(|ty| is_unit(ty) || last_ident(ty).is_some_and(|name| name == "Result"))
}

/// Whether `Self` stands somewhere in a type.
pub(super) fn mentions(ty: &Type, this: &Ident) -> bool {
    fn any(tokens: TokenStream, this: &Ident) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(ident) => ident == "Self" || ident == *this,
            TokenTree::Group(group) => any(group.stream(), this),
            _ => false,
        })
    }
    any(ty.to_token_stream(), this)
}

/// A type without the reference to it.
pub(super) fn referred(ty: &Type) -> &Type {
    match ungrouped(ty) {
        Type::Reference(reference) => ungrouped(&reference.elem),
        other => other,
    }
}

/// Whether it is a type of this name, or a reference to one.
pub(super) fn is_named(ty: &Type, name: &str) -> bool {
    last_ident(referred(ty)).is_some_and(|it| it == name)
}

/// Whether it is a `Result` of some value: what a question returns that can fail.
pub(super) fn is_result_of_a_value(ty: &Type) -> bool {
    let Type::Path(path) = ungrouped(ty) else {
        return false;
    };
    let Some(last) = path.path.segments.last() else {
        return false;
    };
    let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return false;
    };
    let value = arguments.args.first();
    last.ident == "Result"
        && matches!(value, Some(syn::GenericArgument::Type(value)) if !is_unit(ungrouped(value)))
}
