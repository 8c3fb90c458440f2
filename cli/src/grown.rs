//! What a released version is after it was extended in a way that the rules allow.
//!
//! A released type may gain an `Option`. Then there are payloads with it and payloads without it, both of one version, and later
//! changes must read both. So the lock does not take the new shape as it is, but one that writes all that either wrote: a field
//! that came later is written *maybe*.

use recount_schema::lock::Contract;
use recount_schema::{
    Body, Element, Enum, Field, Map, Reads, Seq, Shape, Struct, Variant, Written,
};

/// The contract with what the code writes added; the same if nothing is.
pub fn grown(contract: &Contract, code: &Contract) -> Contract {
    let mut grown = Contract {
        shape: keep(both(contract.shape, code.shape)),
        ..contract.clone()
    };
    if grown.digest() != contract.digest() {
        grown.rust = code.rust.clone();
    }
    grown
}

/// The paths of fields that the code has and the contract does not.
pub fn added(contract: &Contract, code: &Contract) -> Vec<String> {
    let mut all = Vec::new();
    gather(contract.shape, code.shape, "", &mut all);
    all
}

fn gather(old: &'static Shape, new: &'static Shape, path: &str, all: &mut Vec<String>) {
    match (old, new) {
        (Shape::Option(old), Shape::Option(new)) => gather(old, new, path, all),
        (old, Shape::Option(new)) => gather(old, new, path, all),
        (Shape::Seq(old), Shape::Seq(new)) => {
            gather(old.item, new.item, &format!("{path}[]"), all);
        }
        (Shape::Map(old), Shape::Map(new)) => {
            gather(old.value, new.value, &format!("{path}{{}}"), all);
        }
        (Shape::Struct(old), Shape::Struct(new)) => {
            let before = flat(old.fields);
            for field in flat(new.fields).iter().filter(|field| !field.flatten) {
                let path = format!("{path}.{}", field.name);
                match before.iter().find(|old| is_same(old, field)) {
                    Some(old) => gather(old.shape, field.shape, &path, all),
                    None => all.push(path),
                }
            }
        }
        _ => {}
    }
}

/// Shapes are for ever, as those that are read from files; a command makes a few.
fn keep<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

fn list<T>(items: Vec<T>) -> &'static [T] {
    Vec::leak(items)
}

/// A shape of all that either writes, read as the new one is.
fn both(old: &'static Shape, new: &'static Shape) -> Shape {
    match (old, new) {
        _ if old == new => *old,
        (Shape::Option(old), Shape::Option(new)) => Shape::Option(keep(both(old, new))),
        (old, Shape::Option(new)) => Shape::Option(keep(both(old, new))),
        (Shape::Seq(old), Shape::Seq(new)) => Shape::Seq(Seq {
            item: keep(both(old.item, new.item)),
            ..*new
        }),
        (Shape::Map(old), Shape::Map(new)) => Shape::Map(Map {
            key: new.key,
            value: keep(both(old.value, new.value)),
        }),
        (Shape::Tuple(old), Shape::Tuple(new)) => Shape::Tuple(places(old, new)),
        (Shape::Struct(old), Shape::Struct(new)) => Shape::Struct(fields(old, new)),
        (Shape::Enum(old), Shape::Enum(new)) if old.tagging == new.tagging => {
            Shape::Enum(variants(old, new))
        }
        // Names of recursive shapes differ between the lock and the code, so their parts cannot be mixed.
        _ => *new,
    }
}

fn places(old: &'static [Element], new: &'static [Element]) -> &'static [Element] {
    let all = new.iter().enumerate().map(|(at, place)| match old.get(at) {
        Some(old) => Element {
            shape: keep(both(old.shape, place.shape)),
            ..*place
        },
        None => *place,
    });
    list(all.collect())
}

fn fields(old: &Struct, new: &Struct) -> Struct {
    let (before, after) = (flat(old.fields), flat(new.fields));
    let mut all: Vec<Field> = after
        .iter()
        .map(|field| {
            let earlier = before.iter().find(|old| is_same(old, field));
            match earlier {
                Some(earlier) => Field {
                    shape: keep(both(earlier.shape, field.shape)),
                    written: written(earlier.written, field.written),
                    ..*field
                },
                None => field.written(written(Written::Never, field.written)),
            }
        })
        .collect();
    for field in before {
        let is_known = after
            .iter()
            .any(|new| is_same(&field, new) || !field.flatten && new.aliases.contains(&field.name));
        if !is_known {
            all.push(Field {
                written: written(field.written, Written::Never),
                reads: Reads::Ignored,
                ..field
            });
        }
    }
    Struct {
        fields: list(all),
        ..*new
    }
}

fn is_same(old: &Field, new: &Field) -> bool {
    match (old.flatten, new.flatten) {
        (false, false) => old.name == new.name,
        (true, true) => old.shape == new.shape,
        _ => false,
    }
}

/// Whether a field is written by payloads of which some are the one's and some the other's.
fn written(a: Written, b: Written) -> Written {
    if a == b { a } else { Written::Maybe }
}

/// The fields of flattened structs stand with the others.
fn flat(fields: &'static [Field]) -> Vec<Field> {
    let all = fields.iter().flat_map(|field| match field.shape {
        Shape::Struct(inner) if field.flatten => flat(inner.fields),
        _ => vec![*field],
    });
    all.collect()
}

fn variants(old: &Enum, new: &Enum) -> Enum {
    let mut all: Vec<Variant> = new
        .variants
        .iter()
        .map(|variant| {
            let earlier = old.variants.iter().find(|old| old.name == variant.name);
            let body = match earlier.map(|earlier| (earlier.body, variant.body)) {
                Some((Body::Newtype(old), Body::Newtype(new))) => {
                    Body::Newtype(keep(both(old, new)))
                }
                Some((Body::Struct(old), Body::Struct(new))) => Body::Struct(fields(&old, &new)),
                Some((Body::Tuple(old), Body::Tuple(new))) => Body::Tuple(places(old, new)),
                // The lock does not tell a struct in a variant from its fields.
                Some((Body::Newtype(Shape::Struct(old)), Body::Struct(new))) => {
                    Body::Struct(fields(old, &new))
                }
                Some((Body::Struct(old), Body::Newtype(Shape::Struct(new)))) => {
                    Body::Struct(fields(&old, new))
                }
                _ => variant.body,
            };
            Variant { body, ..*variant }
        })
        .collect();
    let gone = old.variants.iter().filter(|old| {
        let mut known = new.variants.iter();
        !known.any(|new| new.name == old.name || new.aliases.contains(&old.name))
    });
    all.extend(gone.map(|variant| Variant {
        is_read: false,
        ..*variant
    }));
    Enum {
        variants: list(all),
        ..*new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use recount_schema::{Breaks, Shaped, compare};

    const FIRST: &Shape = &Shape::Struct(Struct::new(&[
        Field::of::<u16>("reps"),
        Field::of::<String>("place"),
    ]));
    const NOTED: &Shape = &Shape::Struct(Struct::new(&[
        Field::of::<u32>("reps"),
        Field::of::<String>("place"),
        Field::of::<Option<String>>("note"),
    ]));
    /// It does not read what `FIRST` wrote.
    const MUST: &Shape = &Shape::Struct(Struct::new(&[
        Field::of::<u32>("reps"),
        Field::of::<String>("place"),
        Field::new("note", <Option<String>>::SHAPE),
    ]));

    fn contract(shape: &'static Shape) -> Contract {
        Contract::new("SetDone", 1, shape)
    }

    #[test]
    fn what_did_not_change_stays_as_it_is() {
        let first = contract(FIRST);
        assert_eq!(grown(&first, &first).digest(), first.digest());
        let noted = grown(&first, &contract(NOTED));
        assert_ne!(noted.digest(), first.digest());
        assert_eq!(added(&first, &contract(NOTED)), [".note"]);
        assert_eq!(grown(&noted, &contract(NOTED)).digest(), noted.digest());
    }

    #[test]
    fn later_changes_must_read_what_was_written_before_a_field_was_added() {
        let noted = grown(&contract(FIRST), &contract(NOTED));
        let Shape::Struct(of) = noted.shape else {
            panic!("{noted:?}")
        };
        let note = of.fields.iter().find(|field| field.name == "note").unwrap();
        assert_eq!(note.written, Written::Maybe);
        assert!(compare(noted.shape, MUST).breaks().has(Breaks::BACKWARD));
        assert!(!compare(noted.shape, NOTED).breaks().has(Breaks::BACKWARD));
    }

    #[test]
    fn what_is_not_written_any_more_is_still_in_the_store() {
        let fewer = grown(&contract(NOTED), &contract(FIRST));
        let Shape::Struct(of) = fewer.shape else {
            panic!("{fewer:?}")
        };
        let note = of.fields.iter().find(|field| field.name == "note").unwrap();
        assert_eq!((note.written, note.reads), (Written::Maybe, Reads::Ignored));
    }

    #[test]
    fn variants_of_both_are_held() {
        const OLD: &Shape = &Shape::Enum(Enum::new(&[Variant::unit("A"), Variant::unit("B")]));
        const NEW: &Shape = &Shape::Enum(Enum::new(&[Variant::unit("A"), Variant::unit("C")]));
        let Shape::Enum(of) = both(OLD, NEW) else {
            panic!("no enum")
        };
        let names: Vec<_> = of
            .variants
            .iter()
            .map(|one| (one.name, one.is_read))
            .collect();
        assert_eq!(names, [("A", true), ("C", true), ("B", false)]);
    }
}
