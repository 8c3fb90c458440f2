//! Whether what one shape writes can be read by another one.

use super::describe::{kind, name, range, width, word};
use super::path::{At, Binder, Step};
use super::report::{Breaks, Report};
use super::rule::Rule;
use super::{structs, variants};
use crate::text::Text;
use crate::{
    Element, Enum, Field, Float, Format, Map, Reads, Seq, Shape, Struct, Tagging, Written,
};

/// How deep shapes may lie within each other.
pub(super) const DEPTH: usize = 200;

/// `f32::MAX`.
const F32_MAX: u128 = 0xffff_ff00_0000_0000_0000_0000_0000_0000;

/// How many pairs of shapes are looked at. Recursive shapes that never come back to the same pair would go on for long.
const STEPS: usize = 20_000;

/// What may be wrong with a change from one shape to another.
///
/// Everything is asked twice: whether new code reads what old code wrote, and whether old code reads what new code writes. What
/// is the same in JSON is no change: newtypes, boxes, aliases, the order of fields, fields that move into a flattened struct.
///
/// ```
/// use recount_schema::{Breaks, Report, Shaped, compare};
///
/// const REPORT: Report = compare(<Option<u8>>::SHAPE, u8::SHAPE);
/// const _: () = assert!(REPORT.breaks().has(Breaks::BACKWARD));
/// assert_eq!(REPORT.to_string(), "[RC1003] integer or null -> integer (backward)\n");
/// ```
///
/// Of many problems the first sixteen are told; [`Report::of`] tells as many as it is asked for.
pub const fn compare(old: &Shape, new: &Shape) -> Report {
    Report::of(old, new)
}

impl<const KEPT: usize> Report<KEPT> {
    /// What [`compare`] finds, and as many of the problems as are to be told.
    ///
    /// ```
    /// use recount_schema::{Report, Shape, Shaped};
    ///
    /// const REPORT: Report<1> = Report::of(<(u16, u16)>::SHAPE, <(u8, u8)>::SHAPE);
    /// assert_eq!((REPORT.problems().len(), REPORT.more()), (1, 1));
    /// ```
    pub const fn of(old: &Shape, new: &Shape) -> Self {
        let mut walk = Walk::new(false);
        walk.reads(old, new, &At::ROOT);
        walk.forward = true;
        walk.reads(new, old, &At::ROOT);
        walk.report
    }
}

/// One direction of a comparison. One that keeps no problem tells at least whom they hit, and costs a third of the time less
/// while compiling.
pub(super) struct Walk<const KEPT: usize> {
    pub(super) report: Report<KEPT>,
    /// The writer is the new shape, and the reader the old one.
    pub(super) forward: bool,
    /// How many pairs of shapes were looked at.
    steps: usize,
}

impl<const KEPT: usize> Walk<KEPT> {
    pub(super) const fn new(forward: bool) -> Self {
        Self {
            report: Report::new(),
            forward,
            steps: 0,
        }
    }

    const fn push(&mut self, rule: Rule, breaks: Breaks, at: &At<'_>, w: Text<48>, r: Text<48>) {
        if self.forward {
            self.report.push(rule, breaks, at, r, w);
        } else {
            self.report.push(rule, breaks, at, w, r);
        }
    }

    /// What is written cannot be read.
    pub(super) const fn fail(
        &mut self,
        rule: Rule,
        at: &At<'_>,
        writer: Text<48>,
        reader: Text<48>,
    ) {
        let breaks = if self.forward {
            Breaks::FORWARD
        } else {
            Breaks::BACKWARD
        };
        self.push(rule, breaks, at, writer, reader);
    }

    /// What is stored is read, as something else perhaps. What old code makes of new payloads ends with it.
    pub(super) const fn doubt(
        &mut self,
        rule: Rule,
        at: &At<'_>,
        writer: Text<48>,
        reader: Text<48>,
    ) {
        if !self.forward {
            self.push(rule, Breaks::MEANING, at, writer, reader);
        }
    }

    pub(super) const fn other_type(&mut self, writer: &Shape, reader: &Shape, at: &At<'_>) {
        self.fail(Rule::TypeChanged, at, kind(writer), kind(reader));
    }

    /// Reports why the reader cannot read all that the writer writes.
    pub(super) const fn reads(&mut self, writer: &Shape, reader: &Shape, at: &At<'_>) {
        self.steps += 1;
        if at.depth > DEPTH || self.steps > STEPS {
            self.fail(
                Rule::Recursion,
                at,
                word("deeper than can be followed"),
                word(""),
            );
            return;
        }
        match (writer, reader) {
            (Shape::Unknown, _) | (_, Shape::Unknown) => {
                self.fail(Rule::UnknownShape, at, kind(writer), kind(reader));
            }
            (Shape::Ref(w), Shape::Ref(r)) if at.compares(w, r) => {}
            // First of all what may be null, so that recursive shapes meet each other as pairs.
            (Shape::Ref(name), Shape::Option(inner)) if !is_nullable(at.find(true, name)) => {
                self.reads(writer, inner, at);
            }
            (Shape::Recursive { name, shape }, Shape::Option(inner))
                if !is_nullable(Some(Binder { name, shape })) =>
            {
                self.reads(writer, inner, at);
            }
            (Shape::Ref(name), _) => match at.find(true, name) {
                Some(Binder { name, shape }) => {
                    self.reads(
                        &Shape::Recursive { name, shape },
                        reader,
                        &at.step(Step::Same),
                    );
                }
                None => self.fail(Rule::Recursion, at, kind(writer), kind(reader)),
            },
            (_, Shape::Ref(name)) => match at.find(false, name) {
                Some(Binder { name, shape }) => {
                    self.reads(
                        writer,
                        &Shape::Recursive { name, shape },
                        &at.step(Step::Same),
                    );
                }
                None => self.fail(Rule::Recursion, at, kind(writer), kind(reader)),
            },
            (Shape::Recursive { name: wn, shape: w }, Shape::Recursive { name: rn, shape: r }) => {
                let writer = Some(Binder { name: wn, shape: w });
                let reader = Some(Binder { name: rn, shape: r });
                self.reads(w, r, &at.bind(writer, reader));
            }
            (Shape::Recursive { name, shape }, _) => {
                self.reads(shape, reader, &at.bind(Some(Binder { name, shape }), None));
            }
            (_, Shape::Recursive { name, shape }) => {
                self.reads(writer, shape, &at.bind(None, Some(Binder { name, shape })));
            }
            (Shape::Int(int), Shape::Any) => {
                if !crate::Int::U64.holds(int) && !crate::Int::I64.holds(int) {
                    self.doubt(Rule::Precision, at, range(int), kind(reader));
                }
            }
            (_, Shape::Any)
            | (Shape::Null, Shape::Option(_) | Shape::Null)
            | (Shape::Bool, Shape::Bool) => {}
            (Shape::Option(inner), Shape::Option(_)) => self.reads(inner, reader, at),
            (_, Shape::Option(inner)) => self.reads(writer, inner, at),
            (Shape::Option(inner), _) => {
                self.nullable(kind(writer), kind(reader), at);
                self.reads(inner, reader, at);
            }
            _ => self.reads_values(writer, reader, at),
        }
    }

    /// The shapes are neither optional nor references.
    const fn reads_values(&mut self, writer: &Shape, reader: &Shape, at: &At<'_>) {
        match (writer, reader) {
            (Shape::Int(_) | Shape::Size { .. }, Shape::Int(_) | Shape::Size { .. }) => {
                let (Some(w), Some(r)) = (bounds(writer), bounds(reader)) else {
                    return;
                };
                if !r.holds(&w) {
                    self.fail(Rule::IntegerRange, at, range(&w), range(&r));
                }
            }
            (Shape::Int(_) | Shape::Size { .. }, Shape::Float(float)) => {
                let Some(int) = bounds(writer) else { return };
                let exact: u128 = match float {
                    Float::F32 => 1 << 24,
                    Float::F64 => 1 << 53,
                };
                // The greatest of all is rounded up to more than `f32` holds.
                if matches!(float, Float::F32) && int.max > F32_MAX {
                    self.fail(Rule::FloatRange, at, range(&int), word(width(*float)));
                }
                if int.max > exact || int.min.unsigned_abs() > exact {
                    self.doubt(Rule::Precision, at, range(&int), word(width(*float)));
                }
            }
            (Shape::Float(w), Shape::Float(r)) => {
                let (before, after) = (word(width(*w)), word(width(*r)));
                if matches!((w, r), (Float::F64, Float::F32)) {
                    self.fail(Rule::FloatRange, at, before, after);
                }
                if *w as u8 != *r as u8 {
                    self.doubt(Rule::Precision, at, before, after);
                }
            }
            (Shape::String(w), Shape::String(r)) => {
                if !fits(*w, *r) {
                    self.fail(Rule::StringFormat, at, word(name(*w)), word(name(*r)));
                }
            }
            (Shape::Enum(w), Shape::String(Format::Any)) if variants::only_names(w) => {}
            (Shape::Enum(w), Shape::Enum(r)) => self.reads_enum(w, r, at),
            (Shape::Seq(_) | Shape::Tuple(_), Shape::Seq(_) | Shape::Tuple(_)) => {
                self.reads_array(writer, reader, at);
            }
            (Shape::Seq(_) | Shape::Tuple(_), Shape::Struct(r)) if !self.forward => {
                self.reads_positions(writer, r, at);
            }
            (Shape::Map(w), Shape::Map(r)) => {
                self.reads_key(w.key, r.key, &at.step(Step::Key));
                self.reads(w.value, r.value, &at.step(Step::Value));
            }
            (Shape::Struct(w), Shape::Struct(r)) => self.reads_struct(w, r, at),
            (Shape::Struct(w), Shape::Map(r)) => self.reads_fields_as_map(w.fields, *r, at),
            (Shape::Map(w), Shape::Struct(r)) => self.reads_map_as_fields(*w, r, at),
            (
                Shape::Opaque {
                    name: w,
                    version: v,
                },
                Shape::Opaque {
                    name: r,
                    version: u,
                },
            ) => {
                if *v != *u || !crate::text::same(w, r) {
                    self.fail(Rule::OpaqueChanged, at, kind(writer), kind(reader));
                }
            }
            _ => self.other_type(writer, reader, at),
        }
    }

    /// What is written may be null, or missing, and the reader needs a value.
    pub(super) const fn nullable(&mut self, writer: Text<48>, reader: Text<48>, at: &At<'_>) {
        let rule = if self.forward {
            Rule::BecameOptional
        } else {
            Rule::BecameRequired
        };
        self.fail(rule, at, writer, reader);
    }

    const fn reads_array(&mut self, writer: &Shape, reader: &Shape, at: &At<'_>) {
        match (writer, reader) {
            (Shape::Seq(w), Shape::Seq(r)) => {
                if r.len.is_some() && !is_len(w.len, r.len) {
                    self.fail(Rule::Length, at, kind(writer), kind(reader));
                }
                if w.unique != r.unique {
                    self.doubt(Rule::ListOrSet, at, kind(writer), kind(reader));
                }
                self.reads(w.item, r.item, &at.step(Step::Item));
            }
            (Shape::Tuple(w), Shape::Seq(Seq { item, len, unique })) => {
                if len.is_some() && !is_len(Some(w.len()), *len) {
                    self.fail(Rule::Length, at, kind(writer), kind(reader));
                }
                if *unique {
                    self.doubt(Rule::ListOrSet, at, kind(writer), kind(reader));
                }
                let mut place = 0;
                while place < w.len() {
                    self.reads(w[place].shape, item, &at.step(Step::Place(place)));
                    place += 1;
                }
            }
            (_, Shape::Tuple(r)) => {
                let Some(len) = len(writer) else {
                    self.fail(Rule::Length, at, kind(writer), kind(reader));
                    return;
                };
                if len > r.len() || (len < r.len() && !all_default(r, len)) {
                    self.fail(Rule::Length, at, kind(writer), kind(reader));
                }
                let mut place = 0;
                while place < len && place < r.len() {
                    let w = item(writer, place);
                    self.reads(w, r[place].shape, &at.step(Step::Place(place)));
                    if let Shape::Tuple(w) = writer
                        && let (Some(before), Some(after)) = (w[place].default, r[place].default)
                    {
                        self.default_changed(before, after, &at.step(Step::Place(place)));
                    }
                    place += 1;
                }
            }
            _ => self.other_type(writer, reader, at),
        }
    }

    /// An array is read as a struct by position, as serde has it: places that are missing must have a default.
    const fn reads_positions(&mut self, writer: &Shape, reader: &Struct, at: &At<'_>) {
        let Some(len) = len(writer) else {
            self.other_type(writer, &Shape::Struct(*reader), at);
            return;
        };
        let (mut field, mut place) = (0, 0);
        while field < reader.fields.len() {
            let r = &reader.fields[field];
            field += 1;
            if r.flatten || (place >= len && !is_read_without_a_place(r)) {
                self.other_type(writer, &Shape::Struct(*reader), at);
                return;
            }
            if !matches!(r.reads, Reads::Ignored) {
                if place < len {
                    self.reads(item(writer, place), r.shape, &at.step(Step::Field(r.name)));
                }
                place += 1;
            }
        }
        if place < len {
            self.fail(
                Rule::Length,
                at,
                kind(writer),
                kind(&Shape::Struct(*reader)),
            );
        }
    }

    /// Keys of JSON are strings, so a reader of strings reads the keys of any writer.
    const fn reads_key(&mut self, writer: &Shape, reader: &Shape, at: &At<'_>) {
        match reader {
            Shape::String(Format::Any) if !matches!(writer, Shape::Unknown) => {}
            _ => self.reads(writer, reader, at),
        }
    }

    const fn reads_fields_as_map(&mut self, fields: &'static [Field], reader: Map, at: &At<'_>) {
        let mut next = 0;
        while next < fields.len() {
            let field = &fields[next];
            next += 1;
            if field.flatten {
                match field.shape {
                    Shape::Struct(inner) => self.reads_fields_as_map(inner.fields, reader, at),
                    other => self.reads(other, &Shape::Map(reader), at),
                }
            } else if !matches!(field.written, Written::Never) {
                if !variants::is_name_read_by(field.name, reader.key) {
                    self.other_type(&Shape::STRING, reader.key, &at.step(Step::Key));
                }
                self.reads(field.shape, reader.value, &at.step(Step::Field(field.name)));
            }
        }
    }

    const fn reads_map_as_fields(&mut self, writer: Map, reader: &Struct, at: &At<'_>) {
        if reader.deny_unknown_fields {
            self.fail(
                Rule::UnknownFieldDenied,
                at,
                kind(&Shape::Map(writer)),
                kind(&Shape::Struct(*reader)),
            );
        } else if !structs::takes_the_rest(reader) {
            let (map, fields) = (Shape::Map(writer), Shape::Struct(*reader));
            self.doubt(Rule::FieldRemoved, at, kind(&map), kind(&fields));
        }
        self.reads_map_as_struct(writer, reader, at);
    }

    pub(super) const fn default_changed(&mut self, before: &str, after: &str, at: &At<'_>) {
        if !before.is_empty() && !after.is_empty() && !crate::text::same(before, after) {
            let (before, after) = (word("default ").with(before), word("default ").with(after));
            self.doubt(Rule::DefaultChanged, at, before, after);
        }
    }

    const fn reads_enum(&mut self, writer: &Enum, reader: &Enum, at: &At<'_>) {
        match (writer.tagging, reader.tagging) {
            (Tagging::Untagged, Tagging::Untagged) => self.reads_untagged(writer, reader, at),
            _ => self.reads_tagged(writer, reader, at),
        }
    }
}

/// Whether nothing that is written fails to be read.
pub(super) const fn is_read(writer: &Shape, reader: &Shape, at: &At<'_>, forward: bool) -> bool {
    let mut trial = Walk::<0>::new(forward);
    trial.reads(writer, reader, at);
    !trial.report.breaks().has(Breaks::BACKWARD) && !trial.report.breaks().has(Breaks::FORWARD)
}

/// Whether a recursive shape may be null as a whole.
const fn is_nullable(binder: Option<Binder>) -> bool {
    match binder {
        Some(Binder {
            shape: Shape::Option(_) | Shape::Null | Shape::Recursive { .. } | Shape::Ref(_),
            ..
        }) => true,
        Some(_) | None => false,
    }
}

const fn bounds(shape: &Shape) -> Option<crate::Int> {
    match shape {
        Shape::Int(int) => Some(*int),
        // What they are on the platforms of today.
        Shape::Size { signed: true } => Some(crate::Int::I64),
        Shape::Size { signed: false } => Some(crate::Int::U64),
        _ => None,
    }
}

const fn fits(writer: Format, reader: Format) -> bool {
    match (writer, reader) {
        (_, Format::Any)
        | (Format::Ipv4 | Format::Ipv6, Format::Ip)
        | (Format::SocketV4 | Format::SocketV6, Format::Socket) => true,
        (Format::Named(w), Format::Named(r)) => crate::text::same(w, r),
        (Format::Any | Format::Named(_), _) | (_, Format::Named(_)) => false,
        _ => crate::text::same(name(writer), name(reader)),
    }
}

/// The length of what is written, where it is fixed.
const fn len(writer: &Shape) -> Option<usize> {
    match writer {
        Shape::Seq(seq) => seq.len,
        Shape::Tuple(places) => Some(places.len()),
        _ => None,
    }
}

const fn item(writer: &Shape, place: usize) -> &'static Shape {
    match writer {
        Shape::Seq(seq) => seq.item,
        Shape::Tuple(places) => places[place].shape,
        _ => &Shape::Unknown,
    }
}

const fn is_len(a: Option<usize>, b: Option<usize>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a == b)
}

const fn all_default(places: &[Element], from: usize) -> bool {
    let mut place = from;
    while place < places.len() {
        if places[place].default.is_none() {
            return false;
        }
        place += 1;
    }
    true
}

const fn is_read_without_a_place(field: &Field) -> bool {
    matches!(field.reads, Reads::Default(_) | Reads::Ignored)
}
