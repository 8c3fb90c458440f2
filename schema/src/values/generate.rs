//! Payloads at the edges of what a shape allows.

use std::collections::BTreeSet;

use crate::{
    Body, Element, Enum, Field, Float, Format, Int, Reads, Shape, Struct, Tagging, Written,
};

/// How many payloads are made at most.
const MOST: usize = 256;

/// How often a recursive shape is entered: at the end it must be possible to do without.
const TURNS: usize = 2;

/// Payloads that a type of this shape may write, as JSON: the least and the most, each variant, the extremes of numbers and powers of
/// ten, texts of several lengths, with and without what is optional, with empty collections and filled ones. At most 256, each once,
/// in an order that does not change.
///
/// They are texts, since `serde_json::Value` does not hold integers of 128 bits. A place that can hold many things is varied while the
/// others are kept as they are, so that the number grows with the size of the shape and not as its power. A shape that can hold
/// nothing, or of which nothing is known, has none.
///
/// ```
/// use recount_schema::{Shaped, values::payloads};
///
/// assert_eq!(payloads(<Option<u8>>::SHAPE), ["null", "0", "255", "1", "10", "100"]);
/// ```
pub fn payloads(shape: &Shape) -> Vec<String> {
    made(shape, false)
}

/// Payloads in which what may be missing is missing, all of it and all but one thing that has parts: what a type reads there is its
/// defaults. None where nothing may be missing. Otherwise as [`payloads`], which are those that a type may write today.
///
/// ```
/// use recount_schema::{Field, Shape, Struct, values::sparse_payloads};
///
/// const SET: Shape = Shape::Struct(Struct::new(&[Field::of::<u8>("reps"), Field::of::<u8>("rest").default("10")]));
/// assert_eq!(sparse_payloads(&SET), ["{\"reps\":0}"]);
/// ```
pub fn sparse_payloads(shape: &Shape) -> Vec<String> {
    made(shape, true)
}

fn made(shape: &Shape, is_sparse: bool) -> Vec<String> {
    let maker = Maker {
        outer: Vec::new(),
        is_sparse,
    };
    let mut seen = BTreeSet::new();
    let mut all = maker.value(shape);
    all.retain(|payload| seen.insert(payload.clone()));
    all.truncate(MOST);
    all
}

/// Lengths at which checks of texts often draw their line.
const LENGTHS: [usize; 4] = [1, 10, 100, 255];

/// The greatest power of ten that is tried. Checks of numbers often draw their line at one.
const GREATEST_TEN: u128 = 1_000_000_000;

#[derive(Clone)]
struct Maker {
    /// The recursive shapes around, and how often each was entered.
    outer: Vec<(&'static str, &'static Shape, usize)>,
    /// Only values in which something that may be missing is missing.
    is_sparse: bool,
}

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().copied().map(str::to_owned).collect()
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl Maker {
    fn value(&self, shape: &Shape) -> Vec<String> {
        match shape {
            Shape::Null
            | Shape::Bool
            | Shape::Int(_)
            | Shape::Size { .. }
            | Shape::Float(_)
            | Shape::String(_)
            | Shape::Any
                if self.is_sparse =>
            {
                Vec::new()
            }
            Shape::Null => texts(&["null"]),
            Shape::Bool => texts(&["false", "true"]),
            Shape::Int(int) => integers(int),
            Shape::Size { signed: true } => integers(&Int::I64),
            Shape::Size { signed: false } => integers(&Int::U64),
            Shape::Float(Float::F32) => texts(&["0.0", "-0.5", "3.4028235e38", "1e-45"]),
            Shape::Float(Float::F64) => texts(&["0.0", "-0.5", "1.7976931348623157e308", "5e-324"]),
            Shape::String(format) => {
                let mut all: Vec<_> = strings(*format).iter().map(|text| quoted(text)).collect();
                if *format == Format::Any {
                    all.extend(LENGTHS.map(|length| quoted(&"x".repeat(length))));
                }
                all
            }
            Shape::Option(inner) => {
                let mut all = self.whole("null");
                all.extend(self.value(inner));
                all
            }
            Shape::Seq(seq) => self.array(seq.item, seq.len, seq.unique),
            Shape::Tuple(places) => self.tuple(places),
            Shape::Map(map) => {
                let values = self.value(map.value);
                let mut all = self.whole("{}");
                if let Some(value) = values.first() {
                    for key in self.keys(map.key) {
                        all.push(format!("{{{key}:{value}}}"));
                    }
                }
                if let Some(key) = self.keys(map.key).first() {
                    all.extend(
                        values
                            .iter()
                            .skip(1)
                            .map(|value| format!("{{{key}:{value}}}")),
                    );
                }
                all
            }
            Shape::Struct(of) => self.objects(of).iter().map(|pairs| object(pairs)).collect(),
            Shape::Enum(of) => self.variants(of),
            Shape::Any => texts(&["null", "{}", "[1,\"two\",{\"three\":3.5}]"]),
            Shape::Opaque { .. } | Shape::Unknown => Vec::new(),
            Shape::Recursive { name, shape } => {
                let mut inner = self.clone();
                inner.outer.push((name, shape, 1));
                inner.value(shape)
            }
            Shape::Ref(name) => {
                let Some(at) = self.outer.iter().rposition(|(known, ..)| known == name) else {
                    return Vec::new();
                };
                let mut outer = Self {
                    outer: self.outer[..=at].to_vec(),
                    ..*self
                };
                let (_, shape, turns) = &mut outer.outer[at];
                *turns += 1;
                let (shape, turns) = (*shape, *turns);
                if turns > TURNS {
                    return Vec::new();
                }
                outer.value(shape)
            }
        }
    }

    fn full(&self) -> Self {
        Self {
            is_sparse: false,
            ..self.clone()
        }
    }

    /// A value in which nothing is missing.
    fn whole(&self, text: &str) -> Vec<String> {
        if self.is_sparse {
            Vec::new()
        } else {
            texts(&[text])
        }
    }

    /// What can stand at each place. If something shall be missing, the places of which nothing can be missing have what they have
    /// first.
    fn choices<'a, T: 'a>(
        &self,
        places: impl Iterator<Item = &'a T>,
        at: impl Fn(&Self, &T) -> Vec<Vec<String>>,
    ) -> Vec<Vec<Vec<String>>> {
        let places: Vec<_> = places.collect();
        let mut all: Vec<_> = places.iter().map(|place| at(self, place)).collect();
        if self.is_sparse {
            if all.iter().all(Vec::is_empty) {
                return vec![Vec::new()];
            }
            for (choices, place) in all.iter_mut().zip(places) {
                if choices.is_empty() {
                    *choices = at(&self.full(), place);
                    choices.truncate(1);
                }
            }
        }
        all
    }

    fn array(&self, item: &Shape, len: Option<usize>, unique: bool) -> Vec<String> {
        let items = self.value(item);
        let Some(len) = len else {
            let mut all = self.whole("[]");
            all.extend(items.iter().map(|item| format!("[{item}]")));
            if items.len() > 1 {
                all.push(format!("[{}]", items.join(",")));
            }
            if let (Some(item), false) = (items.first(), unique) {
                all.push(format!("[{item},{item}]"));
            }
            return all;
        };
        if len == 0 {
            return self.whole("[]");
        }
        items
            .iter()
            .map(|item| format!("[{}]", vec![item.as_str(); len].join(",")))
            .collect()
    }

    fn tuple(&self, places: &[Element]) -> Vec<String> {
        let choices = self.choices(places.iter(), |maker, place| {
            let values = maker.value(place.shape);
            values.into_iter().map(|value| vec![value]).collect()
        });
        let mut all: Vec<_> = vary(&choices)
            .into_iter()
            .map(|items| format!("[{}]", items.join(",")))
            .collect();
        let last = places.iter().rposition(|place| place.default.is_none());
        let needed = &places[..last.map_or(0, |last| last + 1)];
        if self.is_sparse && needed.len() < places.len() {
            all.extend(self.full().tuple(needed).into_iter().next());
        }
        all
    }

    /// The strings that a key is written as.
    fn keys(&self, shape: &Shape) -> Vec<String> {
        self.full()
            .value(shape)
            .into_iter()
            .filter(|key| !key.starts_with(['{', '[']) && key != "null")
            .map(|key| {
                if key.starts_with('"') {
                    key
                } else {
                    quoted(&key)
                }
            })
            .collect()
    }

    /// Objects as lists of `"key":value`, each key once: those of a flattened map may be the names of fields beside it.
    fn objects(&self, of: &Struct) -> Vec<Vec<String>> {
        let fields = of
            .fields
            .iter()
            .filter(|field| field.flatten || field.written != Written::Never);
        let mut all = vary(&self.choices(fields, Self::field));
        all.retain(|pairs| has_each_key_once(pairs));
        all
    }

    /// What a field can add to an object.
    fn field(&self, field: &Field) -> Vec<Vec<String>> {
        if field.flatten {
            return match field.shape {
                Shape::Struct(inner) => self.objects(inner),
                Shape::Null if !self.is_sparse => vec![Vec::new()],
                other => {
                    let objects = self.value(other).into_iter();
                    objects.filter_map(|text| pairs_of(&text)).collect()
                }
            };
        }
        let values = self.value(field.shape).into_iter();
        let mut all: Vec<_> = values
            .map(|value| vec![format!("{}:{value}", quoted(field.name))])
            .collect();
        let may_be_missing = matches!(field.reads, Reads::Optional | Reads::Default(_));
        if field.written == Written::Maybe || (self.is_sparse && may_be_missing) {
            all.insert(0, Vec::new());
        }
        all
    }

    fn variants(&self, of: &Enum) -> Vec<String> {
        let written = of.variants.iter().filter(|variant| variant.is_written);
        written
            .flat_map(|variant| {
                let contents = match variant.body {
                    Body::Unit => None,
                    Body::Newtype(shape) => Some(self.value(shape)),
                    Body::Tuple(places) => Some(self.tuple(places)),
                    Body::Struct(fields) => Some(self.value(&Shape::Struct(fields))),
                };
                let name = quoted(variant.name);
                match (of.tagging, contents) {
                    (_, None) if self.is_sparse => Vec::new(),
                    (Tagging::External, None) => vec![name],
                    (Tagging::External, Some(contents)) => contents
                        .iter()
                        .map(|content| format!("{{{name}:{content}}}"))
                        .collect(),
                    (Tagging::Internal { tag } | Tagging::Adjacent { tag, .. }, None) => {
                        vec![format!("{{{}:{name}}}", quoted(tag))]
                    }
                    (Tagging::Internal { tag }, Some(contents)) => contents
                        .iter()
                        .filter_map(|content| pairs_of(content))
                        .map(|mut pairs| {
                            pairs.insert(0, format!("{}:{name}", quoted(tag)));
                            pairs
                        })
                        .filter(|pairs| has_each_key_once(pairs))
                        .map(|pairs| object(&pairs))
                        .collect(),
                    (Tagging::Adjacent { tag, content: key }, Some(contents)) => contents
                        .iter()
                        .map(|content| {
                            format!("{{{}:{name},{}:{content}}}", quoted(tag), quoted(key))
                        })
                        .collect(),
                    (Tagging::Untagged, None) => texts(&["null"]),
                    (Tagging::Untagged, Some(contents)) => contents,
                }
            })
            .collect()
    }
}

fn has_each_key_once(pairs: &[String]) -> bool {
    let mut keys = BTreeSet::new();
    pairs.iter().all(|pair| keys.insert(key_of(pair)))
}

/// The key of a pair `"key":value`, with its quotes.
fn key_of(pair: &str) -> &str {
    let mut is_escaped = false;
    let end = pair.char_indices().skip(1).find(|(_, letter)| {
        let is_end = *letter == '"' && !is_escaped;
        is_escaped = *letter == '\\' && !is_escaped;
        is_end
    });
    end.map_or(pair, |(end, _)| &pair[..=end])
}

/// All first choices, then each other choice of one place with the first choices of the others, and last all last choices.
fn vary(places: &[Vec<Vec<String>>]) -> Vec<Vec<String>> {
    let with = |place: usize, choice: usize| -> Vec<String> {
        places
            .iter()
            .enumerate()
            .flat_map(|(at, choices)| choices[if at == place { choice } else { 0 }].clone())
            .collect()
    };
    if places.iter().any(Vec::is_empty) {
        return Vec::new();
    }
    let mut all = vec![with(usize::MAX, 0)];
    for (place, choices) in places.iter().enumerate() {
        all.extend((1..choices.len()).map(|choice| with(place, choice)));
    }
    let last = places.iter().filter_map(|choices| choices.last().cloned());
    all.push(last.flatten().collect());
    all
}

fn object(pairs: &[String]) -> String {
    format!("{{{}}}", pairs.join(","))
}

/// The inside of an object, as one pair or none: what is put beside it needs no more.
fn pairs_of(text: &str) -> Option<Vec<String>> {
    let inside = text.strip_prefix('{')?.strip_suffix('}')?;
    Some(match inside {
        "" => Vec::new(),
        _ => vec![inside.to_owned()],
    })
}

fn integers(int: &Int) -> Vec<String> {
    let mut all = vec![int.min.to_string(), int.max.to_string()];
    if int.min <= 0 && !int.nonzero {
        all.push("0".to_owned());
    }
    if int.holds(&Int::new(1, 1)) {
        all.push("1".to_owned());
    }
    let tens = std::iter::successors(Some(10), |ten| Some(ten * 10));
    let tens = tens.take_while(|ten| *ten <= GREATEST_TEN);
    let within = tens.filter(|ten| int.holds(&Int::new(10, *ten)) && *ten < int.max);
    all.extend(within.map(|ten| ten.to_string()));
    if int.holds(&Int::new(-1, 0)) && int.min < -1 {
        all.push("-1".to_owned());
    }
    all
}

fn strings(format: Format) -> &'static [&'static str] {
    match format {
        Format::Any => &["", "text", "\"\\\n\u{0}\u{1f600}"],
        Format::Char => &["a", "\u{1f600}"],
        Format::Uuid => &[
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
        ],
        Format::Date => &["0001-01-01", "2024-02-29", "9999-12-31"],
        Format::Time => &["00:00:00", "23:59:59.999999999"],
        Format::DateTime => &[
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59.999999999Z",
            "2024-02-29T12:00:00+14:00",
        ],
        Format::NaiveDateTime => &["0001-01-01T00:00:00", "9999-12-31T23:59:59.999999999"],
        Format::Ip => &["0.0.0.0", "::1"],
        Format::Ipv4 => &["0.0.0.0", "255.255.255.255"],
        Format::Ipv6 => &["::1", "ff02::fb"],
        Format::Socket => &["0.0.0.0:0", "[::1]:65535"],
        Format::SocketV4 => &["0.0.0.0:0", "255.255.255.255:65535"],
        Format::SocketV6 => &["[::1]:65535"],
        // How it looks is not known here.
        Format::Named(_) => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Shaped as _, Variant};

    const SET: Struct = Struct::new(&[
        Field::of::<u8>("reps"),
        Field::of::<u8>("rest").default("10"),
        Field::of::<Option<u8>>("note"),
    ]);

    #[test]
    fn what_may_be_missing_is_missing_wherever_it_lies() {
        const OF: &Shape = &Shape::Struct(SET);
        const PLACES: &[Element] = &[
            Element::of::<u8>(),
            Element::new(OF),
            Element::of::<u8>().with_default("1"),
        ];
        const VARIANTS: &[Variant] = &[
            Variant::unit("None"),
            Variant::new("One", Body::Newtype(OF)),
            Variant::new("Number", Body::Newtype(<u8>::SHAPE)),
        ];
        const TAGGED: &Shape =
            &Shape::Enum(Enum::new(VARIANTS).tagged(Tagging::Internal { tag: "t" }));
        const WITHIN: Shape = Shape::Struct(Struct::new(&[
            Field::of::<u8>("a"),
            Field::new("set", OF).optional_if(true),
            Field::new("rest", OTHER).flattened(),
        ]));
        const OTHER: &Shape = &Shape::Struct(Struct::new(&[Field::of::<u8>("b").default("")]));
        let of = |shape| sparse_payloads(&shape);
        assert_eq!(of(*OF), ["{\"reps\":0}"]);
        assert_eq!(of(Shape::Option(OF)), ["{\"reps\":0}"]);
        assert!(of(Shape::seq(OF)).contains(&"[{\"reps\":0}]".to_owned()));
        assert_eq!(of(Shape::array(OF, 1)), ["[{\"reps\":0}]"]);
        assert!(of(Shape::map(<u8>::SHAPE, OF)).contains(&"{\"0\":{\"reps\":0}}".to_owned()));
        assert_eq!(
            of(Shape::Tuple(PLACES)),
            [
                "[0,{\"reps\":0},0]",
                "[0,{\"reps\":0,\"rest\":0,\"note\":null}]"
            ]
        );
        assert_eq!(
            of(Shape::Enum(Enum::new(VARIANTS))),
            ["{\"One\":{\"reps\":0}}"]
        );
        assert_eq!(of(*TAGGED), ["{\"t\":\"One\",\"reps\":0}"]);
        // With the whole missing, and with what is in it.
        assert_eq!(of(WITHIN), ["{\"a\":0}", "{\"a\":0,\"set\":{\"reps\":0}}"]);
    }

    #[test]
    fn where_nothing_may_be_missing_there_is_nothing_to_make() {
        const NEEDED: &[Field] = &[Field::of::<u8>("reps"), Field::of::<String>("name")];
        assert_eq!(sparse_payloads(<u8>::SHAPE), [""; 0]);
        assert_eq!(sparse_payloads(&Shape::Struct(Struct::new(&[]))), [""; 0]);
        let list = Shape::seq(&const { Shape::Struct(Struct::new(NEEDED)) });
        assert_eq!(sparse_payloads(&list), [""; 0]);
    }
}
