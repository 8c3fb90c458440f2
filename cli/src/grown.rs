//! What a released version is after it was extended in a way that the rules allow.
//!
//! A released type may gain an `Option`. Then there are payloads with it and payloads without it, both of one version, and later
//! changes must read both. So the lock does not take the new shape as it is, but one that writes all that either wrote: a field
//! that came later is written *maybe*. One that the code demands is not: that it came needed a reason.

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

/// The paths of fields and variants that the second has and the first does not.
pub fn added(first: &Contract, second: &Contract) -> Vec<String> {
    let mut all = Vec::new();
    gather(first.shape, second.shape, "", &mut all);
    all
}

fn gather(old: &'static Shape, new: &'static Shape, path: &str, all: &mut Vec<String>) {
    match (old, new) {
        (Shape::Option(old), new) => gather(old, new, path, all),
        (old, Shape::Option(new)) => gather(old, new, path, all),
        (Shape::Seq(old), Shape::Seq(new)) => {
            gather(old.item, new.item, &format!("{path}[]"), all);
        }
        (Shape::Map(old), Shape::Map(new)) => {
            gather(old.value, new.value, &format!("{path}{{}}"), all);
        }
        (Shape::Tuple(old), Shape::Tuple(new)) => {
            for (at, (old, new)) in old.iter().zip(*new).enumerate() {
                gather(old.shape, new.shape, &format!("{path}.{at}"), all);
            }
        }
        (Shape::Recursive { shape: old, .. }, Shape::Recursive { shape: new, .. }) => {
            gather(old, new, path, all);
        }
        (Shape::Struct(old), Shape::Struct(new)) => {
            let before = named(old.fields);
            for field in named(new.fields) {
                let path = format!("{path}.{}", field.name);
                match before.iter().find(|old| old.name == field.name) {
                    Some(old) if old.reads == Reads::Ignored => {}
                    Some(old) => gather(old.shape(), field.shape(), &path, all),
                    // What went earlier is not news.
                    None if field.reads == Reads::Ignored => {}
                    None => all.push(path),
                }
            }
        }
        (Shape::Enum(old), Shape::Enum(new)) => {
            for variant in new.variants.iter().filter(|variant| variant.is_read) {
                let path = format!("{path}<{}>", variant.name);
                match old.variants.iter().find(|old| old.name == variant.name) {
                    Some(old) => {
                        if let Some((old, new)) = content(old.body).zip(content(variant.body)) {
                            gather(old, new, &path, all);
                        }
                    }
                    None => all.push(path),
                }
            }
        }
        _ => {}
    }
}

fn content(body: Body) -> Option<&'static Shape> {
    match body {
        Body::Unit => None,
        Body::Newtype(shape) => Some(shape),
        Body::Tuple(places) => Some(keep(Shape::Tuple(places))),
        Body::Struct(fields) => Some(keep(Shape::Struct(fields))),
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
        (Shape::Option(old), new) => both(old, new),
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
    let (before, after) = (named(old.fields), named(new.fields));
    let mut all: Vec<Field> = after
        .iter()
        .map(|field| grown_field(before.iter().find(|old| old.name == field.name), field))
        .collect();
    let is_known = |old: &Field| {
        (after.iter()).any(|new| new.name == old.name || new.aliases.contains(&old.name))
    };
    all.extend(before.iter().filter(|old| !is_known(old)).map(gone));
    // As the rules have it, what is flattened and no struct meets its counterpart in order.
    let (before, after) = (rests(old.fields), rests(new.fields));
    let rests = after.iter().enumerate();
    all.extend(rests.map(|(nth, rest)| grown_field(before.get(nth), rest)));
    all.extend(before.iter().skip(after.len()).map(gone));
    Struct {
        fields: list(all),
        ..*new
    }
}

fn grown_field(old: Option<&Field>, new: &Field) -> Field {
    let written = match new.reads {
        // What is demanded is in every payload: otherwise a reason was given that those without it were never stored.
        Reads::Required => new.written,
        _ => written(old.map_or(Written::Never, |old| old.written), new.written),
    };
    let shape = old.map_or(new.shape(), |old| keep(both(old.shape(), new.shape())));
    new.of_shape(shape).written(written)
}

/// What the code has no more is in what was stored.
fn gone(field: &Field) -> Field {
    field
        .written(written(field.written, Written::Never))
        .ignored()
}

/// Whether a field is written by payloads of which some are the one's and some the other's.
fn written(a: Written, b: Written) -> Written {
    if a == b { a } else { Written::Maybe }
}

/// The fields of flattened structs stand with the others.
fn flat(fields: &'static [Field]) -> Vec<Field> {
    let all = fields.iter().flat_map(|field| match field.shape() {
        Shape::Struct(inner) if field.flatten => flat(inner.fields),
        // No key comes of it.
        Shape::Null if field.flatten => Vec::new(),
        _ if (field.written, field.reads) == (Written::Never, Reads::Ignored) => Vec::new(),
        _ => vec![*field],
    });
    all.collect()
}

fn named(fields: &'static [Field]) -> Vec<Field> {
    let mut all = flat(fields);
    all.retain(|field| !field.flatten);
    all
}

/// What is flattened and is no struct.
fn rests(fields: &'static [Field]) -> Vec<Field> {
    let mut all = flat(fields);
    all.retain(|field| field.flatten);
    all
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
    let gone = old.variants.iter();
    let gone = gone.filter(|old| !new.variants.iter().any(|new| new.name == old.name));
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
    fn what_came_and_what_went_is_named_wherever_it_is() {
        const fn within(shape: &'static Shape) -> [Field; 1] {
            [Field::new("sets", shape)]
        }
        const OLD: &Shape = &Shape::Struct(Struct::new(&within(&Shape::seq(FIRST))));
        const NEW: &Shape = &Shape::Struct(Struct::new(&within(&Shape::seq(&Shape::Struct(
            Struct::new(&[
                Field::of::<u16>("reps"),
                Field::of::<Option<String>>("note"),
            ]),
        )))));
        const FEW: &Shape = &Shape::Enum(Enum::new(&[Variant::new("A", Body::Newtype(FIRST))]));
        const MANY: &Shape = &Shape::Enum(Enum::new(&[
            Variant::new("A", Body::Newtype(NOTED)),
            Variant::unit("B"),
        ]));
        let (old, new) = (contract(OLD), contract(NEW));
        assert_eq!(added(&old, &new), [".sets[].note"]);
        assert_eq!(added(&new, &old), [".sets[].place"]);
        // Accepted earlier, it is not told again.
        assert_eq!(added(&new, &grown(&old, &new)), [""; 0]);
        assert_eq!(added(&contract(FEW), &contract(MANY)), ["<A>.note", "<B>"]);
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
