//! Objects with known keys, flattened ones looked through.

use super::compare::Walk;
use super::describe::{kind, word};
use super::path::{At, Step};
use super::rule::Rule;
use crate::text::{Text, has, same};
use crate::{Field, Map, Reads, Shape, Struct, Written};

impl<const KEPT: usize> Walk<KEPT> {
    pub(super) const fn reads_struct(&mut self, writer: &Struct, reader: &Struct, at: &At<'_>) {
        self.reads_written(writer.fields, writer, reader, at);
        self.reads_needed(writer, reader.fields, at);
        self.reads_rests(writer, reader, at);
        let mut nth = 0;
        while let Some(rest) = rest(writer.fields, nth) {
            if let Shape::Map(free) = rest {
                self.reads_free_keys(*free, reader.fields, writer, at);
                self.reads_other_rests(rest, nth, reader, at);
            }
            nth += 1;
        }
    }

    /// Each field that is written has a reader, or is ignored by one.
    const fn reads_written(
        &mut self,
        fields: &'static [Field],
        writer: &Struct,
        reader: &Struct,
        at: &At<'_>,
    ) {
        let mut next = 0;
        while next < fields.len() {
            let w = &fields[next];
            next += 1;
            if w.flatten {
                if let Shape::Struct(inner) = w.shape {
                    self.reads_written(inner.fields, writer, reader, at);
                }
                continue;
            }
            if matches!(w.written, Written::Never) {
                continue;
            }
            let outer = at;
            let at = &at.step(Step::Field(w.name));
            let Some(r) = find_read(reader.fields, w.name) else {
                // What the writer wrote for others alone nobody misses, unless it is refused.
                if !matches!(w.reads, Reads::Ignored) || reader.deny_unknown_fields {
                    self.unread(w, reader, at);
                }
                continue;
            };
            // What old code could do without was not there in payloads that are older still.
            let missing = matches!(w.written, Written::Maybe)
                || (!self.forward && matches!(w.reads, Reads::Optional | Reads::Default(_)));
            if missing && matches!(r.reads, Reads::Required) {
                self.nullable(kind(w.shape).with(", or missing"), kind(r.shape), at);
            }
            if let (Reads::Default(before), Reads::Default(after)) = (w.reads, r.reads) {
                self.default_changed(before, after, at);
            }
            if is_doubled(r, w.name, writer) {
                self.fail(
                    Rule::DuplicateField,
                    at,
                    word("two keys"),
                    word("one field"),
                );
            }
            self.reads(w.shape, r.shape, at);
            if !self.forward {
                self.reads_aliases(w, r, writer, reader, outer);
            }
        }
    }

    /// Payloads that are older than a field's name have it under an alias.
    const fn reads_aliases(
        &mut self,
        w: &Field,
        r: &Field,
        writer: &Struct,
        reader: &Struct,
        at: &At<'_>,
    ) {
        let mut next = 0;
        while next < w.aliases.len() {
            let alias = w.aliases[next];
            next += 1;
            if same(r.name, alias) || has(r.aliases, alias) || writes(writer.fields, alias) {
                continue;
            }
            if matches!(r.reads, Reads::Required) {
                let missing = kind(w.shape).with(", or missing");
                self.nullable(missing, kind(r.shape), &at.step(Step::Field(w.name)));
            }
            let at = &at.step(Step::Field(alias));
            match find_read(reader.fields, alias) {
                Some(other) => self.reads(w.shape, other.shape, at),
                None => self.unread(w, reader, at),
            }
        }
    }

    /// A field is written that the reader does not have.
    const fn unread(&mut self, w: &Field, reader: &Struct, at: &At<'_>) {
        let (mut nth, mut is_kept) = (0, false);
        while let Some(rest) = rest(reader.fields, nth) {
            if let Shape::Map(map) = rest {
                self.reads(w.shape, map.value, at);
                is_kept = true;
            }
            nth += 1;
        }
        if is_kept {
            return;
        }
        if reader.deny_unknown_fields {
            self.fail(Rule::UnknownFieldDenied, at, kind(w.shape), word(""));
        } else {
            self.doubt(Rule::FieldRemoved, at, kind(w.shape), word(""));
        }
    }

    /// Each field that must be there is written.
    const fn reads_needed(&mut self, writer: &Struct, fields: &'static [Field], at: &At<'_>) {
        let mut next = 0;
        while next < fields.len() {
            let r = &fields[next];
            next += 1;
            if r.flatten {
                if let Shape::Struct(inner) = r.shape {
                    self.reads_needed(writer, inner.fields, at);
                }
            } else if matches!(r.reads, Reads::Required) && !is_written(r, writer.fields) {
                let at = &at.step(Step::Field(r.name));
                let rule = if self.forward {
                    Rule::FieldRemoved
                } else {
                    Rule::FieldAdded
                };
                self.fail(rule, at, word(""), kind(r.shape));
            }
        }
    }

    /// What is flattened and no struct is compared in order.
    const fn reads_rests(&mut self, writer: &Struct, reader: &Struct, at: &At<'_>) {
        let mut nth = 0;
        loop {
            match (rest(writer.fields, nth), rest(reader.fields, nth)) {
                (None, None) => return,
                (Some(w), Some(r)) => self.reads(w, r, at),
                (Some(w), None) => {
                    if reader.deny_unknown_fields {
                        self.fail(Rule::UnknownFieldDenied, at, flattened(w), word(""));
                    } else {
                        self.doubt(Rule::FieldRemoved, at, flattened(w), word(""));
                    }
                }
                // A map may be empty.
                (None, Some(Shape::Map(_) | Shape::Option(_) | Shape::Any)) => {}
                (None, Some(r)) => {
                    let rule = if self.forward {
                        Rule::FieldRemoved
                    } else {
                        Rule::FieldAdded
                    };
                    self.fail(rule, at, word(""), flattened(r));
                }
            }
            nth += 1;
        }
    }

    /// Each map that is flattened reads all keys that no field has, not only those of its counterpart.
    const fn reads_other_rests(&mut self, free: &Shape, own: usize, reader: &Struct, at: &At<'_>) {
        let mut nth = 0;
        while let Some(other) = rest(reader.fields, nth) {
            if nth != own && matches!(other, Shape::Map(_)) {
                self.reads(free, other, at);
            }
            nth += 1;
        }
    }

    /// A map is read as a struct: its free keys may be any field, and what is flattened reads the whole.
    pub(super) const fn reads_map_as_struct(&mut self, writer: Map, reader: &Struct, at: &At<'_>) {
        self.reads_free_keys(writer, reader.fields, &Struct::new(&[]), at);
        let mut nth = 0;
        while let Some(rest) = rest(reader.fields, nth) {
            self.reads(&Shape::Map(writer), rest, at);
            nth += 1;
        }
    }

    /// Free keys may have the names of fields: each field that can be read must be able to read their values.
    const fn reads_free_keys(
        &mut self,
        free: Map,
        fields: &'static [Field],
        known: &Struct,
        at: &At<'_>,
    ) {
        let mut next = 0;
        while next < fields.len() {
            let r = &fields[next];
            next += 1;
            if r.flatten {
                if let Shape::Struct(inner) = r.shape {
                    self.reads_free_keys(free, inner.fields, known, at);
                }
                continue;
            }
            if matches!(r.reads, Reads::Ignored) {
                continue;
            }
            let at = &at.step(Step::Field(r.name));
            if is_read_by_several(r, known) {
                let (keys, field) = (word("two keys"), word("one field"));
                self.fail(Rule::DuplicateField, at, keys, field);
            }
            if !is_written(r, known.fields) {
                if matches!(r.reads, Reads::Required) {
                    self.nullable(kind(&Shape::Map(free)), kind(r.shape), at);
                }
                self.reads(free.value, r.shape, at);
            }
        }
    }
}

const fn flattened(shape: &Shape) -> Text<48> {
    word("flattened ").with(kind(shape).as_str())
}

/// Whether something that is flattened reads all keys that no field has.
pub(super) const fn takes_the_rest(reader: &Struct) -> bool {
    let mut nth = 0;
    while let Some(rest) = rest(reader.fields, nth) {
        if matches!(rest, Shape::Map(_) | Shape::Any) {
            return true;
        }
        nth += 1;
    }
    false
}

/// The field that reads a key.
const fn find_read(fields: &'static [Field], key: &str) -> Option<&'static Field> {
    let mut next = 0;
    while next < fields.len() {
        let field = &fields[next];
        next += 1;
        if field.flatten {
            if let Shape::Struct(inner) = field.shape
                && let Some(found) = find_read(inner.fields, key)
            {
                return Some(found);
            }
        } else if !matches!(field.reads, Reads::Ignored)
            && (same(field.name, key) || has(field.aliases, key))
        {
            return Some(field);
        }
    }
    None
}

/// Whether a key is written, at least sometimes.
const fn writes(fields: &'static [Field], key: &str) -> bool {
    let mut next = 0;
    while next < fields.len() {
        let field = &fields[next];
        next += 1;
        if field.flatten {
            if let Shape::Struct(inner) = field.shape
                && writes(inner.fields, key)
            {
                return true;
            }
        } else if !matches!(field.written, Written::Never) && same(field.name, key) {
            return true;
        }
    }
    false
}

/// Whether one of the keys of a field that is read is written.
const fn is_written(reader: &Field, writer: &'static [Field]) -> bool {
    if writes(writer, reader.name) {
        return true;
    }
    let mut next = 0;
    while next < reader.aliases.len() {
        if writes(writer, reader.aliases[next]) {
            return true;
        }
        next += 1;
    }
    false
}

/// Whether free keys may be a second key that is the same field for the reader: those that no field of the writer has.
const fn is_read_by_several(reader: &Field, writer: &Struct) -> bool {
    let mut may_be_free = find_read(writer.fields, reader.name).is_none();
    let mut next = 0;
    while next < reader.aliases.len() {
        may_be_free |= find_read(writer.fields, reader.aliases[next]).is_none();
        next += 1;
    }
    may_be_free && !reader.aliases.is_empty()
}

/// Whether the writer writes a second key that is the same field for the reader.
const fn is_doubled(reader: &Field, key: &str, writer: &Struct) -> bool {
    if !same(reader.name, key) && writes(writer.fields, reader.name) {
        return true;
    }
    let mut next = 0;
    while next < reader.aliases.len() {
        let alias = reader.aliases[next];
        if !same(alias, key) && writes(writer.fields, alias) {
            return true;
        }
        next += 1;
    }
    false
}

/// The nth of what is flattened and is no struct.
const fn rest(fields: &'static [Field], nth: usize) -> Option<&'static Shape> {
    let mut left = nth;
    rest_from(fields, &mut left)
}

const fn rest_from(fields: &'static [Field], left: &mut usize) -> Option<&'static Shape> {
    let mut next = 0;
    while next < fields.len() {
        let field = &fields[next];
        next += 1;
        if !field.flatten {
            continue;
        }
        match field.shape {
            Shape::Struct(inner) => {
                if let Some(found) = rest_from(inner.fields, left) {
                    return Some(found);
                }
            }
            // No key comes of it.
            Shape::Null => {}
            other => {
                if *left == 0 {
                    return Some(other);
                }
                *left -= 1;
            }
        }
    }
    None
}
