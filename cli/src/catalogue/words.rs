//! Shapes in words, for people.

use recount_schema::{
    Body, Element, Enum, Field, Float, Format, Int, Reads, Shape, Struct, Tagging, Written,
};

/// What a value looks like: `list of whole numbers, 0 to 255`.
pub fn words(shape: &Shape) -> String {
    match shape {
        Shape::Null => "`null`".to_owned(),
        Shape::Bool => "`true` or `false`".to_owned(),
        Shape::Int(int) => integer(int),
        Shape::Size { signed: false } => "whole number, 0 or more".to_owned(),
        Shape::Size { signed: true } => "whole number".to_owned(),
        Shape::Float(Float::F32) => "number of 32 bits".to_owned(),
        Shape::Float(Float::F64) => "number".to_owned(),
        Shape::String(format) => text(*format),
        Shape::Option(inner) => format!("{}, or `null`", words(inner)),
        Shape::Seq(seq) => {
            let item = words(seq.item);
            match seq.len {
                Some(len) => format!("list of exactly {len}: {item}"),
                None if seq.unique => format!("list without repetitions: {item}"),
                None => format!("list: {item}"),
            }
        }
        Shape::Tuple(places) => tuple(places),
        Shape::Map(map) => format!("object, from {} to: {}", words(map.key), words(map.value)),
        Shape::Struct(of) => object(of),
        Shape::Enum(of) => one_of(of),
        Shape::Any => "any JSON".to_owned(),
        Shape::Opaque { name, version } => format!("JSON of `{name}`, version {version}"),
        Shape::Recursive { shape, .. } => words(shape),
        Shape::Ref(_) => "what is around it, again".to_owned(),
        _ => "not known".to_owned(),
    }
}

fn integer(int: &Int) -> String {
    let bounds = match (int.min, int.max) {
        (i128::MIN, _) | (_, u128::MAX) if int.min < 0 => String::new(),
        (min, max) => format!(", {} to {}", least(min), greatest(max)),
    };
    let zero = if int.nonzero { ", not 0" } else { "" };
    format!("whole number{bounds}{zero}")
}

/// Numbers that nobody reads are written as powers.
fn least(min: i128) -> String {
    match min.unsigned_abs() {
        abs if min < 0 && abs.is_power_of_two() && abs > 1 << 31 => {
            format!("−2^{}", abs.trailing_zeros())
        }
        abs if min < 0 => format!("−{abs}"),
        abs => abs.to_string(),
    }
}

fn greatest(max: u128) -> String {
    match max.checked_add(1) {
        None => "2^128 − 1".to_owned(),
        Some(next) if next.is_power_of_two() && next > 1 << 32 => {
            format!("2^{} − 1", next.trailing_zeros())
        }
        Some(_) => max.to_string(),
    }
}

fn text(format: Format) -> String {
    let what = match format {
        Format::Char => "one character",
        Format::Uuid => "a UUID",
        Format::Date => "a date, `2026-11-21`",
        Format::Time => "a time, `17:05:00`",
        Format::DateTime => "a time with offset, `2026-11-21T17:05:00Z`",
        Format::NaiveDateTime => "a time without offset, `2026-11-21T17:05:00`",
        Format::Ip => "an IP address",
        Format::Ipv4 => "an IPv4 address",
        Format::Ipv6 => "an IPv6 address",
        Format::Socket => "an IP address with a port",
        Format::SocketV4 => "an IPv4 address with a port",
        Format::SocketV6 => "an IPv6 address with a port",
        Format::Named(name) => name,
        _ => return "text".to_owned(),
    };
    format!("text: {what}")
}

fn tuple(places: &[Element]) -> String {
    let places: Vec<_> = places.iter().map(|place| words(place.shape)).collect();
    match places.as_slice() {
        [] => "empty list".to_owned(),
        _ => format!("list of {}: {}", places.len(), places.join("; ")),
    }
}

fn object(of: &Struct) -> String {
    let keys: Vec<_> = of
        .fields
        .iter()
        .filter(|field| field.written != Written::Never)
        .map(|field| {
            if field.flatten {
                "…".to_owned()
            } else {
                code(field.name)
            }
        })
        .collect();
    match keys.as_slice() {
        [] => "empty object".to_owned(),
        _ => format!("object of {}", keys.join(", ")),
    }
}

fn one_of(of: &Enum) -> String {
    let written = of.variants.iter().filter(|variant| variant.is_written);
    let names: Vec<_> = written
        .map(|variant| match (of.tagging, variant.body) {
            (Tagging::External, Body::Unit) => code(&format!("\"{}\"", variant.name)),
            (Tagging::External, _) => code(&format!("{{\"{}\": …}}", variant.name)),
            (Tagging::Internal { tag } | Tagging::Adjacent { tag, .. }, Body::Unit) => {
                code(&format!("{{\"{tag}\": \"{}\"}}", variant.name))
            }
            (Tagging::Internal { tag } | Tagging::Adjacent { tag, .. }, _) => {
                code(&format!("{{\"{tag}\": \"{}\", …}}", variant.name))
            }
            (Tagging::Untagged, body) => within(body),
        })
        .collect();
    match names.as_slice() {
        [] => "no value at all".to_owned(),
        [one] => one.clone(),
        [all @ .., last] => format!("{} or {last}", all.join(", ")),
    }
}

fn within(body: Body) -> String {
    match body {
        Body::Unit => "`null`".to_owned(),
        Body::Newtype(shape) => words(shape),
        Body::Tuple(places) => tuple(places),
        Body::Struct(of) => object(&of),
    }
}

/// A text in the font of code.
pub fn code(text: &str) -> String {
    // A text with backticks needs more of them around it.
    let longest = text
        .split(|c| c != '`')
        .map(str::len)
        .max()
        .unwrap_or_default();
    if longest == 0 {
        return format!("`{text}`");
    }
    let ticks = "`".repeat(longest + 1);
    format!("{ticks} {text} {ticks}")
}

/// A place within a payload.
pub struct Row<'a> {
    /// `place.zip`, `items[].name`.
    pub path: String,
    /// The key, for a field of the event itself.
    pub key: Option<&'a str>,
    pub words: String,
    /// What else is to know of reading and writing.
    pub notes: Vec<String>,
}

/// All fields of an event, and all that is within them, in the order in which they are declared.
pub fn rows(of: &'static Struct) -> Vec<Row<'static>> {
    let mut rows = Vec::new();
    fields(of, "", &mut rows);
    rows
}

fn fields(of: &'static Struct, before: &str, rows: &mut Vec<Row<'static>>) {
    for field in of.fields {
        if field.flatten {
            // Its keys stand beside the others; those of a map have no names.
            match inner(field.shape()) {
                Shape::Struct(of) => fields(of, before, rows),
                shape => rows.push(Row {
                    path: join(before, "…"),
                    key: None,
                    words: format!("further keys: {}", words(shape)),
                    notes: Vec::new(),
                }),
            }
            continue;
        }
        let path = join(before, field.name);
        rows.push(Row {
            path: path.clone(),
            key: before.is_empty().then_some(field.name),
            words: words(field.shape()),
            notes: notes(field),
        });
        nested(field.shape(), &path, rows);
    }
}

fn inner(shape: &'static Shape) -> &'static Shape {
    match shape {
        Shape::Option(shape) | Shape::Recursive { shape, .. } => inner(shape),
        shape => shape,
    }
}

fn join(before: &str, key: &str) -> String {
    match before {
        "" => key.to_owned(),
        _ => format!("{before}.{key}"),
    }
}

/// What is within a value, as far as it has names.
fn nested(shape: &'static Shape, path: &str, rows: &mut Vec<Row<'static>>) {
    match shape {
        Shape::Option(inner) | Shape::Recursive { shape: inner, .. } => nested(inner, path, rows),
        Shape::Seq(seq) => nested(seq.item, &format!("{path}[]"), rows),
        Shape::Tuple(places) => places_of(places, path, rows),
        Shape::Map(map) => nested(map.value, &format!("{path}{{}}"), rows),
        Shape::Struct(of) => fields(of, path, rows),
        Shape::Enum(of) => {
            for variant in of.variants.iter().filter(|one| one.is_written) {
                let name = variant.name;
                let path = match of.tagging {
                    Tagging::External => join(path, name),
                    Tagging::Internal { tag } => format!("{path}[{tag}={name}]"),
                    Tagging::Adjacent { tag, content } => {
                        format!("{path}[{tag}={name}].{content}")
                    }
                    Tagging::Untagged => path.to_owned(),
                };
                let is_new = of.tagging == Tagging::External
                    || matches!(of.tagging, Tagging::Adjacent { .. });
                if is_new && matches!(variant.body, Body::Newtype(_) | Body::Tuple(_)) {
                    rows.push(Row {
                        path: path.clone(),
                        key: None,
                        words: within(variant.body),
                        notes: Vec::new(),
                    });
                }
                match &variant.body {
                    Body::Unit => {}
                    Body::Newtype(shape) => nested(shape, &path, rows),
                    Body::Tuple(places) => places_of(places, &path, rows),
                    Body::Struct(of) => fields(of, &path, rows),
                }
            }
        }
        _ => {}
    }
}

fn places_of(places: &'static [Element], path: &str, rows: &mut Vec<Row<'static>>) {
    for (at, place) in places.iter().enumerate() {
        nested(place.shape, &format!("{path}[{at}]"), rows);
    }
}

/// Of a field that may be missing, what is written and what is read then.
pub fn missing(field: &Field) -> Option<String> {
    let written = match field.written {
        Written::Always => "always written, ",
        Written::Maybe => "not always written, ",
        Written::Never => "",
    };
    match field.reads {
        Reads::Required | Reads::Ignored => None,
        Reads::Optional => Some(format!("{written}may be missing when read")),
        Reads::Default("") => Some(format!("{written}a default where it is missing")),
        Reads::Default(text) => Some(format!("{written}{} where it is missing", code(text))),
    }
}

fn notes(field: &Field) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(missing(field));
    match (field.written, field.reads) {
        (Written::Never, _) => notes.push("not written".to_owned()),
        (Written::Maybe, Reads::Required | Reads::Ignored) => {
            notes.push("not always written".to_owned());
        }
        _ => {}
    }
    if field.reads == Reads::Ignored {
        notes.push("not read".to_owned());
    }
    if !field.aliases.is_empty() {
        let aliases: Vec<_> = field.aliases.iter().map(|alias| code(alias)).collect();
        notes.push(format!("also read as {}", aliases.join(", ")));
    }
    notes
}

#[cfg(test)]
mod tests {
    use recount_schema::{Body, Enum, Field, Format, Int, Shape, Shaped, Struct, Variant};

    use super::{code, rows, words};

    #[test]
    fn numbers_are_said_with_their_bounds() {
        assert_eq!(words(&Shape::Int(Int::U8)), "whole number, 0 to 255");
        assert_eq!(words(&Shape::Int(Int::I8)), "whole number, −128 to 127");
        assert_eq!(
            words(&Shape::Int(Int::NONZERO_U32)),
            "whole number, 1 to 4294967295"
        );
        assert_eq!(words(&Shape::Int(Int::U64)), "whole number, 0 to 2^64 − 1");
        assert_eq!(
            words(&Shape::Int(Int::I64)),
            "whole number, −2^63 to 2^63 − 1"
        );
        assert_eq!(
            words(&Shape::Int(Int::U128)),
            "whole number, 0 to 2^128 − 1"
        );
        assert_eq!(words(&Shape::Int(Int::I128)), "whole number");
    }

    #[test]
    fn what_is_within_has_rows_of_its_own() {
        const PLACE: Shape = Shape::Struct(Struct::new(&[
            Field::new("zip", &Shape::String(Format::Char)).aliases(&["code"]),
            Field::of::<Option<u8>>("floor"),
        ]));
        const KIND: Shape = Shape::Enum(Enum::new(&[
            Variant::unit("Plain"),
            Variant::new("Timed", Body::Newtype(<u8 as Shaped>::SHAPE)),
        ]));
        const EVENT: Struct = Struct::new(&[
            Field::new("places", &Shape::seq(&PLACE)),
            Field::new("kind", &KIND).default("Kind::Plain"),
        ]);
        let rows = rows(&EVENT);
        let text: Vec<_> = rows
            .iter()
            .map(|row| format!("{} | {} | {}", row.path, row.words, row.notes.join("; ")))
            .collect();
        assert_eq!(
            text,
            [
                "places | list: object of `zip`, `floor` | ",
                "places[].zip | text: one character | also read as `code`",
                "places[].floor | whole number, 0 to 255, or `null` | always written, may be missing when read",
                "kind | `\"Plain\"` or `{\"Timed\": …}` | always written, `Kind::Plain` where it is missing",
                "kind.Timed | whole number, 0 to 255 | ",
            ]
        );
        assert_eq!(rows[0].key, Some("places"));
        assert_eq!(rows[1].key, None);
    }

    #[test]
    fn backticks_do_not_end_code() {
        assert_eq!(code("a`b"), "`` a`b ``");
    }
}
