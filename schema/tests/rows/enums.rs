//! Changes of enums.

use recount_schema::{Body, Element, Enum, Field, Shape, Shaped, Struct, Tagging, Variant};

use crate::row;

/// The shape of an enum.
macro_rules! one_of {
    ($tagging:expr, $($variant:expr),* $(,)?) => { Shape::Enum(Enum::new(&[$($variant),*]).tagged($tagging)) };
}

const EXTERNAL: Tagging = Tagging::External;
const INTERNAL: Tagging = Tagging::Internal { tag: "t" };
const ADJACENT: Tagging = Tagging::Adjacent {
    tag: "t",
    content: "c",
};
const A: Variant = Variant::unit("A");
const B: Variant = Variant::unit("B");
const ONE: Body = Body::Newtype(u8::SHAPE);
const NAMED: Body = Body::Struct(Struct::new(&[Field::of::<u8>("a")]));

row! {
    a_variant_is_added: [F]
    old = one_of!(EXTERNAL, A), [Old::A] { enum Old { A } }
    new = one_of!(EXTERNAL, A, B), [New::A, New::B] { enum New { A, B } }
}
row! {
    a_variant_is_added_beside_one_for_the_rest: []
    old = one_of!(EXTERNAL, A, Variant::unit("Rest").other()), [Old::A] { enum Old { A, #[serde(other)] Rest } }
    new = one_of!(EXTERNAL, A, B, Variant::unit("Rest").other()), [New::A, New::B] { enum New { A, B, #[serde(other)] Rest } }
}
row! {
    a_variant_with_content_is_added_beside_one_for_the_rest: [F]
    old = one_of!(EXTERNAL, A, Variant::unit("Rest").other()), [Old::A] { enum Old { A, #[serde(other)] Rest } }
    new = one_of!(EXTERNAL, A, Variant::new("B", ONE), Variant::unit("Rest").other()), [New::A, New::B(1)] {
        enum New { A, B(u8), #[serde(other)] Rest }
    }
}
row! {
    a_variant_with_content_is_added_beside_one_for_the_rest_with_a_tag: []
    old = one_of!(INTERNAL, A, Variant::unit("Rest").other()), [Old::A] { #[serde(tag = "t")] enum Old { A, #[serde(other)] Rest } }
    new = one_of!(INTERNAL, A, Variant::new("B", NAMED), Variant::unit("Rest").other()), [New::A, New::B { a: 1 }] {
        #[serde(tag = "t")] enum New { A, B { a: u8 }, #[serde(other)] Rest }
    }
}
row! {
    a_variant_is_removed: [B]
    old = one_of!(EXTERNAL, A, B), [Old::A, Old::B] { enum Old { A, B } }
    new = one_of!(EXTERNAL, A), [New::A] { enum New { A } }
}
row! {
    a_variant_is_removed_and_the_one_for_the_rest_takes_it: [S]
    old = one_of!(EXTERNAL, A, B, Variant::unit("Rest").other()), [Old::A, Old::B] { enum Old { A, B, #[serde(other)] Rest } }
    new = one_of!(EXTERNAL, A, Variant::unit("Rest").other()), [New::A] { enum New { A, #[serde(other)] Rest } }
}
row! {
    a_variant_is_renamed: [B F]
    old = one_of!(EXTERNAL, A), [Old::A] { enum Old { A } }
    new = one_of!(EXTERNAL, B), [New::B] { enum New { B } }
}
row! {
    a_variant_is_renamed_with_an_alias: [F]
    old = one_of!(EXTERNAL, A), [Old::A] { enum Old { A } }
    new = one_of!(EXTERNAL, B.aliases(&["A"])), [New::B] { enum New { #[serde(alias = "A")] B } }
}
row! {
    a_variant_is_renamed_in_rust_only: []
    old = one_of!(EXTERNAL, A), [Old::A] { enum Old { A } }
    new = one_of!(EXTERNAL, A), [New::B] { enum New { #[serde(rename = "A")] B } }
}
row! {
    a_variant_gains_content: [B F]
    old = one_of!(EXTERNAL, A), [Old::A] { enum Old { A } }
    new = one_of!(EXTERNAL, Variant::new("A", ONE)), [New::A(1)] { enum New { A(u8) } }
}
row! {
    a_variant_gains_fields: [B F]
    old = one_of!(EXTERNAL, A), [Old::A] { enum Old { A } }
    new = one_of!(EXTERNAL, Variant::new("A", NAMED)), [New::A { a: 1 }] { enum New { A { a: u8 } } }
}
row! {
    the_content_of_a_variant_gets_a_name: [B F]
    old = one_of!(EXTERNAL, Variant::new("A", ONE)), [Old::A(1)] { enum Old { A(u8) } }
    new = one_of!(EXTERNAL, Variant::new("A", NAMED)), [New::A { a: 1 }] { enum New { A { a: u8 } } }
}
row! {
    the_fields_of_a_variant_become_a_struct: []
    old = one_of!(EXTERNAL, Variant::new("A", NAMED)), [Old::A { a: 1 }] { enum Old { A { a: u8 } } }
    new = one_of!(EXTERNAL, Variant::new("A", Body::Newtype(&Shape::Struct(Struct::new(&[Field::of::<u8>("a")]))))), [New::A(Inner { a: 1 })] {
        struct Inner { a: u8 }
        enum New { A(Inner) }
    }
}
row! {
    the_fields_of_a_variant_with_a_tag_become_a_struct: []
    old = one_of!(INTERNAL, Variant::new("A", NAMED)), [Old::A { a: 1 }] { #[serde(tag = "t")] enum Old { A { a: u8 } } }
    new = one_of!(INTERNAL, Variant::new("A", Body::Newtype(&Shape::Struct(Struct::new(&[Field::of::<u8>("a")]))))), [New::A(Inner { a: 1 })] {
        struct Inner { a: u8 }
        #[serde(tag = "t")] enum New { A(Inner) }
    }
}
row! {
    a_variant_with_a_tag_gains_an_option: []
    old = one_of!(INTERNAL, A), [Old::A] { #[serde(tag = "t")] enum Old { A } }
    new = one_of!(INTERNAL, Variant::new("A", Body::Struct(Struct::new(&[Field::of::<Option<u8>>("a")])))), [New::A { a: Some(1) }] {
        #[serde(tag = "t")] enum New { A { a: Option<u8> } }
    }
}
row! {
    a_variant_with_a_tag_loses_its_fields: [F S]
    old = one_of!(INTERNAL, Variant::new("A", NAMED)), [Old::A { a: 1 }] { #[serde(tag = "t")] enum Old { A { a: u8 } } }
    new = one_of!(INTERNAL, A), [New::A] { #[serde(tag = "t")] enum New { A } }
}
row! {
    a_field_of_a_variant_is_added: [B S]
    old = one_of!(EXTERNAL, Variant::new("A", Body::Struct(Struct::new(&[Field::of::<Option<u8>>("a")])))), [Old::A { a: None }] {
        enum Old { A { a: Option<u8> } }
    }
    new = one_of!(EXTERNAL, Variant::new("A", Body::Struct(Struct::new(&[Field::of::<u8>("b")])))), [New::A { b: 1 }] { enum New { A { b: u8 } } }
}
row! {
    a_variant_gets_longer: [B F]
    old = one_of!(EXTERNAL, Variant::new("A", Body::Tuple(&[Element::of::<u8>(), Element::of::<u8>()]))), [Old::A(1, 2)] { enum Old { A(u8, u8) } }
    new = one_of!(EXTERNAL, Variant::new("A", Body::Tuple(&[Element::of::<u8>(), Element::of::<u8>(), Element::of::<u8>()]))), [New::A(1, 2, 3)] {
        enum New { A(u8, u8, u8) }
    }
}
row! {
    variants_change_places: []
    old = one_of!(EXTERNAL, A, B), [Old::A, Old::B] { enum Old { A, B } }
    new = one_of!(EXTERNAL, B, A), [New::A, New::B] { enum New { B, A } }
}
row! {
    variants_without_a_name_change_places: [S]
    old = one_of!(Tagging::Untagged, Variant::new("A", ONE), Variant::new("F", Body::Newtype(f64::SHAPE))), [Old::A(1), Old::F(0.5)] {
        #[serde(untagged)] enum Old { A(u8), F(f64) }
    }
    new = one_of!(Tagging::Untagged, Variant::new("F", Body::Newtype(f64::SHAPE)), Variant::new("A", ONE)), [New::A(1), New::F(0.5)] {
        #[serde(untagged)] enum New { F(f64), A(u8) }
    }
}
row! {
    variants_without_a_name_are_renamed: []
    old = one_of!(Tagging::Untagged, Variant::new("A", ONE)), [Old::A(1)] { #[serde(untagged)] enum Old { A(u8) } }
    new = one_of!(Tagging::Untagged, Variant::new("B", ONE)), [New::B(1)] { #[serde(untagged)] enum New { B(u8) } }
}
row! {
    a_variant_without_a_name_is_added: [F]
    old = one_of!(Tagging::Untagged, Variant::new("A", ONE)), [Old::A(1)] { #[serde(untagged)] enum Old { A(u8) } }
    new = one_of!(Tagging::Untagged, Variant::new("A", ONE), Variant::new("B", Body::Newtype(bool::SHAPE))), [New::A(1), New::B(true)] {
        #[serde(untagged)] enum New { A(u8), B(bool) }
    }
}
row! {
    the_name_becomes_a_tag: [B F]
    old = one_of!(EXTERNAL, Variant::new("A", NAMED)), [Old::A { a: 1 }] { enum Old { A { a: u8 } } }
    new = one_of!(INTERNAL, Variant::new("A", NAMED)), [New::A { a: 1 }] { #[serde(tag = "t")] enum New { A { a: u8 } } }
}
row! {
    the_tag_is_renamed: [B F]
    old = one_of!(INTERNAL, Variant::new("A", NAMED)), [Old::A { a: 1 }] { #[serde(tag = "t")] enum Old { A { a: u8 } } }
    new = one_of!(Tagging::Internal { tag: "kind" }, Variant::new("A", NAMED)), [New::A { a: 1 }] { #[serde(tag = "kind")] enum New { A { a: u8 } } }
}
row! {
    the_content_is_renamed: [B F]
    old = one_of!(ADJACENT, Variant::new("A", ONE)), [Old::A(1)] { #[serde(tag = "t", content = "c")] enum Old { A(u8) } }
    new = one_of!(Tagging::Adjacent { tag: "t", content: "d" }, Variant::new("A", ONE)), [New::A(1)] {
        #[serde(tag = "t", content = "d")] enum New { A(u8) }
    }
}
row! {
    the_name_is_left_out: [B F]
    old = one_of!(ADJACENT, Variant::new("A", ONE)), [Old::A(1)] { #[serde(tag = "t", content = "c")] enum Old { A(u8) } }
    new = one_of!(Tagging::Untagged, Variant::new("A", ONE)), [New::A(1)] { #[serde(untagged)] enum New { A(u8) } }
}
row! {
    an_enum_of_names_becomes_a_string: [F]
    old = one_of!(EXTERNAL, A, B), [Old::A, Old::B] { enum Old { A, B } }
    new = *String::SHAPE, [New("x".into())] { struct New(String); }
}
