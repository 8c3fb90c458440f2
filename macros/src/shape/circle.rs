//! Types that contain each other: `recursive_with(Group)` on `Rule`, and `recursive_with(Rule)` on `Group`.
//!
//! A constant that needs itself while it is computed is an error of the compiler's. So each type of a circle has a shape for
//! each set of the others that can stand around it, in which those are references by name: a `Group` within a `Rule` refers to
//! it, and the `Rule` within a `Group` refers to that.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Generics, Path, PathArguments, Type};

use super::types;
use crate::attr::{Entries, Key};
use crate::diag::Errors;
use crate::path::{Krate, span_of};

pub(crate) const RECURSIVE_WITH: Key = Key::once("recursive_with", "recursive_with(OtherType)");

/// Each type has two to the power of this shapes.
const MOST: usize = 5;

/// The other types of a circle, by name.
#[derive(Default)]
pub(crate) struct Circle(Vec<Path>);

impl Circle {
    pub(crate) fn of_entries(
        entries: &Entries,
        ident: &Ident,
        generics: &Generics,
        errors: &mut Errors,
    ) -> Self {
        let Some(entry) = entries.get("recursive_with") else {
            return Self::default();
        };
        if !generics.params.is_empty() {
            errors.at(
                entry,
                format_args!(
                    "`{ident}` is generic: which of its kinds contain each other cannot be told"
                ),
                format_args!("name it `opaque = \"{ident}@1\"` instead"),
            );
            return Self::default();
        }
        let mut others: Vec<Path> = Vec::new();
        for path in entry.values::<Path>("the types that contain it, and that it contains", errors)
        {
            let Some(name) = name_of(&path) else { continue };
            if path
                .segments
                .iter()
                .any(|segment| !matches!(segment.arguments, PathArguments::None))
            {
                errors.at(
                    &path,
                    format_args!(
                        "`{name}` is generic: which of its kinds contain each other cannot be told"
                    ),
                    format_args!("name it `opaque = \"{name}@1\"` instead"),
                );
            } else if name == ident {
                errors.at(
                    &path,
                    "a type that contains itself needs no word of it",
                    "remove it",
                );
            } else if others.iter().any(|other| name_of(other) == Some(name)) {
                errors.at(
                    &path,
                    format_args!("`{name}` is named twice: a shape refers to types by their names"),
                    "remove one, or give one of the types another name",
                );
            } else {
                others.push(path);
            }
        }
        if let Some(last) = others.get(MOST) {
            errors.at(
                last,
                format_args!("at most {} types can contain each other", MOST + 1),
                "name one of them `opaque`",
            );
            others.truncate(MOST);
        }
        others.sort_by_key(|path| name_of(path).map(ToString::to_string));
        Self(others)
    }

    /// Each set of them that can stand around the type; the first is empty.
    pub(crate) fn surroundings(&self) -> impl Iterator<Item = Surrounding> {
        (0..1_usize << self.0.len()).map(|set| {
            let is_around = |(number, _): &(usize, &Path)| set >> number & 1 == 1;
            let (around, others) = self.0.iter().enumerate().partition::<Vec<_>, _>(is_around);
            let paths = |numbered: Vec<(usize, &'_ Path)>| {
                numbered.into_iter().map(|(_, path)| path.clone()).collect()
            };
            Surrounding {
                around: paths(around),
                others: paths(others),
            }
        })
    }
}

/// What stands around a type, of those that it shares a circle with.
pub(crate) struct Surrounding {
    around: Vec<Path>,
    others: Vec<Path>,
}

impl Surrounding {
    /// For the implementation by which the other types find this shape; none where nothing stands around.
    pub(crate) fn arguments(&self) -> Option<TokenStream> {
        let around = &self.around;
        (!around.is_empty()).then(|| quote!((#(#around,)*)))
    }

    /// Puts stand-ins in the place of each type of the circle, and says whether the type may come again within itself.
    pub(super) fn replace(&self, ty: &mut Type) -> bool {
        let mut recursive = false;
        types::replace(ty, &mut |ty| {
            let Type::Path(path) = ty else { return None };
            let is_it = |other: &&Path| path.qself.is_none() && same(&path.path, other);
            recursive |= self.others.iter().any(|other| is_it(&other));
            self.around
                .iter()
                .chain(&self.others)
                .find(is_it)
                .and_then(stand_in)
        });
        recursive
    }

    /// The stand-ins.
    pub(super) fn items(&self, ident: &Ident, krate: &Krate) -> TokenStream {
        let mut items = TokenStream::new();
        for path in &self.around {
            let (stand_in, name) = (stand_in(path), name_of(path).map(ToString::to_string));
            items.extend(quote! {
                struct #stand_in;
                impl #krate::schema::Shaped for #stand_in {
                    const SHAPE: &'static #krate::schema::Shape = &#krate::schema::Shape::Ref(#name);
                }
            });
        }
        for path in &self.others {
            let stand_in = stand_in(path);
            // By name, as the other type does it.
            let mut around: Vec<Path> = self.around.clone();
            around.push(ident.clone().into());
            around.sort_by_key(|path| name_of(path).map(ToString::to_string));
            let span = span_of(path);
            let krate = krate.at(span);
            let within = quote_spanned!(span=> <#path as #krate::schema::private::ShapedWithin<(#(#around,)*)>>);
            items.extend(quote! {
                struct #stand_in;
                impl #krate::schema::Shaped for #stand_in {
                    const SHAPE: &'static #krate::schema::Shape = #within::SHAPE;
                    const MAY_BE_MISSING: bool = #within::MAY_BE_MISSING;
                }
            });
        }
        items
    }
}

fn name_of(path: &Path) -> Option<&Ident> {
    path.segments.last().map(|segment| &segment.ident)
}

/// Whether both are written alike.
fn same(path: &Path, other: &Path) -> bool {
    path.to_token_stream().to_string() == other.to_token_stream().to_string()
}

fn stand_in(path: &Path) -> Option<Ident> {
    name_of(path).map(|name| format_ident!("__{name}", span = Span::mixed_site()))
}
