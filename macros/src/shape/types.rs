//! Types as tokens: mentions of the type itself, and of its parameters.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::{GenericArgument, Generics, PathArguments, Type};

/// Puts another type in the place of each mention for which there is one.
pub(super) fn replace(ty: &mut Type, instead: &mut dyn FnMut(&Type) -> Option<Ident>) {
    match instead(ty) {
        Some(ident) => {
            *ty = Type::Path(syn::TypePath {
                attrs: Vec::new(),
                qself: None,
                path: ident.into(),
            });
        }
        None => each_part(ty, &mut |part| replace(part, instead)),
    }
}

/// Whether this is the type itself.
pub(super) fn is_itself(ty: &Type, ident: &Ident, generics: &Generics) -> bool {
    let Type::Path(path) = ty else { return false };
    let (None, None, 1) = (
        &path.qself,
        path.path.leading_colon,
        path.path.segments.len(),
    ) else {
        return false;
    };
    path.path
        .segments
        .iter()
        .all(|segment| match &segment.arguments {
            PathArguments::None => segment.ident == "Self" || segment.ident == *ident,
            // With other arguments than its own parameters it is another type.
            PathArguments::AngleBracketed(arguments) => {
                let (_, own, _) = generics.split_for_impl();
                segment.ident == *ident
                    && own.to_token_stream().to_string() == arguments.to_token_stream().to_string()
            }
            PathArguments::Parenthesized(_) => false,
        })
}

/// The types that a type is made of.
fn each_part(ty: &mut Type, visit: &mut dyn FnMut(&mut Type)) {
    match ty {
        Type::Array(array) => visit(&mut array.elem),
        Type::Slice(slice) => visit(&mut slice.elem),
        Type::Reference(reference) => visit(&mut reference.elem),
        Type::Paren(paren) => visit(&mut paren.elem),
        Type::Group(group) => visit(&mut group.elem),
        Type::Tuple(tuple) => tuple.elems.iter_mut().for_each(visit),
        Type::Path(path) => {
            if let Some(qself) = &mut path.qself {
                visit(&mut qself.ty);
            }
            for segment in &mut path.path.segments {
                if let PathArguments::AngleBracketed(arguments) = &mut segment.arguments {
                    for argument in &mut arguments.args {
                        if let GenericArgument::Type(ty) = argument {
                            visit(ty);
                        }
                    }
                }
            }
        }
        _ => {}
    }
}

/// What must have a shape so that these types have one: parameters of the generics, and types associated to them, as serde's
/// derives find them.
pub(super) fn bounded(types: &[Type], generics: &Generics) -> Vec<Type> {
    let parameters: Vec<&Ident> = generics.type_params().map(|it| &it.ident).collect();
    let mut bounded = Vec::new();
    if !parameters.is_empty() {
        for ty in types {
            find(&mut ty.clone(), &parameters, true, &mut bounded);
        }
    }
    bounded
}

fn find(ty: &mut Type, parameters: &[&Ident], outermost: bool, bounded: &mut Vec<Type>) {
    if let Type::Path(path) = &*ty
        && path.qself.is_none()
    {
        let segments = &path.path.segments;
        let is_parameter = segments
            .first()
            .is_some_and(|first| parameters.contains(&&first.ident));
        if is_parameter && (segments.len() == 1 || outermost) {
            let text = |ty: &Type| ty.to_token_stream().to_string();
            if !bounded.iter().any(|other| text(other) == text(ty)) {
                bounded.push(ty.clone());
            }
            return;
        }
        // It has a shape whatever it is of.
        if segments
            .last()
            .is_some_and(|last| last.ident == "PhantomData")
        {
            return;
        }
    }
    let group = matches!(ty, Type::Group(_) | Type::Paren(_));
    each_part(ty, &mut |part| {
        find(part, parameters, outermost && group, bounded);
    });
}

/// Whether the type is written as an `Option`.
pub(super) fn is_option(ty: &Type) -> bool {
    crate::path::last_ident(ty).is_some_and(|ident| ident == "Option")
}
