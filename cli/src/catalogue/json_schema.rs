//! JSON Schema: what is stored of an event.
//!
//! Each payload that serde writes is valid, and of a released version each that it wrote since. What a type merely reads, as an alias,
//! need not be. Recursive shapes become definitions of their own, named after the event, so that one document holds them all.

use std::collections::BTreeMap;

use recount_schema::{
    Body, Element, Enum, Field, Float, Format, Int, Map as Entries, Shape, Tagging, Variant,
    Written,
};
use serde_json::{Map, Value, json};

use super::words::missing;

/// Which words are used, where the drafts differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draft {
    /// 2020-12.
    Newest,
    /// Draft 07, which the schemas of `AsyncAPI` are.
    Seven,
}

/// What is said of a version beside its shape.
#[derive(Debug, Default)]
pub struct About {
    pub description: String,
    /// Of the fields, by their keys.
    pub fields: BTreeMap<String, String>,
    /// It is not written any more.
    pub is_old: bool,
}

/// Schemas by name, which refer to each other.
pub struct Definitions {
    draft: Draft,
    /// What stands before a name in a reference.
    before: &'static str,
    all: Map<String, Value>,
    /// The event that is being described.
    event: String,
    /// The recursive shapes around the place, with the names of their definitions.
    around: Around,
    made: Vec<(&'static Shape, Around, String)>,
}

type Around = Vec<(&'static str, String)>;

/// A document in draft 2020-12.
pub fn document(definitions: Definitions) -> Value {
    let definitions = definitions.into_map();
    json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": definitions })
}

impl Definitions {
    /// Of a document with `$defs`.
    pub fn new() -> Self {
        Self::of(Draft::Newest, "#/$defs/")
    }

    pub fn of(draft: Draft, before: &'static str) -> Self {
        Self {
            draft,
            before,
            all: Map::new(),
            event: String::new(),
            around: Vec::new(),
            made: Vec::new(),
        }
    }

    pub fn into_map(self) -> Map<String, Value> {
        self.all
    }

    /// Adds a version of an event.
    pub fn add(&mut self, name: &str, title: &str, shape: &'static Shape, about: &About) {
        name.clone_into(&mut self.event);
        self.made.clear();
        let mut schema = self.schema(shape);
        for (key, docs) in &about.fields {
            let field = schema
                .get_mut("properties")
                .and_then(|all| all.get_mut(key));
            if let Some(Value::Object(field)) = field {
                field.insert("description".to_owned(), docs.as_str().into());
            }
        }
        if let Value::Object(object) = &mut schema {
            object.insert("title".to_owned(), title.into());
            if !about.description.is_empty() {
                let description = about.description.as_str();
                object.insert("description".to_owned(), description.into());
            }
            if about.is_old && self.draft == Draft::Newest {
                object.insert("deprecated".to_owned(), true.into());
            }
        }
        self.all.insert(name.to_owned(), schema);
    }

    fn schema(&mut self, shape: &'static Shape) -> Value {
        match shape {
            Shape::Null => json!({ "type": "null" }),
            Shape::Bool => json!({ "type": "boolean" }),
            Shape::Int(int) => integer(int),
            Shape::Size { signed } => integer(if *signed { &Int::I64 } else { &Int::U64 }),
            Shape::Float(Float::F32 | Float::F64) => json!({ "type": "number" }),
            Shape::String(format) => string(*format),
            Shape::Option(inner) => json!({ "anyOf": [self.schema(inner), { "type": "null" }] }),
            Shape::Seq(seq) => {
                let mut list = json!({ "type": "array", "items": self.schema(seq.item) });
                if let Some(len) = seq.len {
                    list["minItems"] = len.into();
                    list["maxItems"] = len.into();
                }
                if seq.unique {
                    list["uniqueItems"] = true.into();
                }
                list
            }
            Shape::Tuple(places) => self.tuple(places),
            Shape::Map(map) => self.entries(map),
            Shape::Struct(of) => self.fields(of.fields, None),
            Shape::Enum(of) => self.one_of(of, false),
            Shape::Opaque { name, version } => {
                json!({ "$comment": format!("opaque: {name}@{version}") })
            }
            Shape::Recursive { name, shape: inner } => self.recursive(name, shape, inner),
            Shape::Ref(name) => {
                let mut around = self.around.iter().rev();
                match around.find(|(known, _)| known == name) {
                    Some((_, key)) => self.reference(key),
                    None => json!({}),
                }
            }
            _ => json!({}),
        }
    }

    fn reference(&self, key: &str) -> Value {
        // A name within a pointer within a URI.
        let mut text = self.before.to_owned();
        for c in key.replace('~', "~0").replace('/', "~1").chars() {
            if c.is_ascii_alphanumeric() || "-._~".contains(c) {
                text.push(c);
            } else {
                let mut bytes = [0; 4];
                let bytes = c.encode_utf8(&mut bytes).bytes();
                text.extend(bytes.map(|byte| format!("%{byte:02X}")));
            }
        }
        json!({ "$ref": text })
    }

    fn recursive(
        &mut self,
        name: &'static str,
        shape: &'static Shape,
        inner: &'static Shape,
    ) -> Value {
        let mut made = self.made.iter();
        if let Some((.., key)) = made.find(|(of, at, _)| *of == shape && *at == self.around) {
            return self.reference(key);
        }
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let base: String = name.chars().map(plain).collect();
        let key = match self.made.len() {
            0 => format!("{}.{base}", self.event),
            // Names are free: two that differ may be called alike.
            before => format!("{}.{base}_{}", self.event, before + 1),
        };
        self.made.push((shape, self.around.clone(), key.clone()));
        self.around.push((name, key.clone()));
        let schema = self.schema(inner);
        self.around.pop();
        let reference = self.reference(&key);
        self.all.insert(key, schema);
        reference
    }

    fn tuple(&mut self, places: &'static [Element]) -> Value {
        let items: Vec<_> = places
            .iter()
            .map(|place| self.schema(place.shape))
            .collect();
        let len = items.len();
        let mut schema = json!({ "type": "array", "minItems": len, "maxItems": len });
        // An empty list of schemas is none.
        if len > 0 {
            let word = match self.draft {
                Draft::Newest => "prefixItems",
                Draft::Seven => "items",
            };
            schema[word] = items.into();
        }
        schema
    }

    fn entries(&mut self, map: &Entries) -> Value {
        let mut schema =
            json!({ "type": "object", "additionalProperties": self.schema(map.value) });
        let keys = match map.key {
            Shape::String(format) if *format != Format::Any => Some(string(*format)),
            Shape::Int(int) if int.min >= 0 => Some(json!({ "pattern": "^[0-9]+$" })),
            Shape::Int(_) => Some(json!({ "pattern": "^-?[0-9]+$" })),
            Shape::Enum(of)
                if of.tagging == Tagging::External
                    && of.variants.iter().all(|one| one.body == Body::Unit) =>
            {
                Some(self.one_of(of, false))
            }
            _ => None,
        };
        if let Some(keys) = keys {
            schema["propertyNames"] = keys;
        }
        schema
    }

    /// An object, with a tag among its keys perhaps.
    fn fields(&mut self, fields: &'static [Field], tag: Option<(&str, &str)>) -> Value {
        let mut object = Object::new(tag);
        self.collect(&mut object, fields, false);
        object.into_value()
    }

    fn collect(&mut self, object: &mut Object, fields: &'static [Field], may_miss: bool) {
        for field in fields.iter().filter(|one| one.written != Written::Never) {
            let may_miss = may_miss || field.written == Written::Maybe;
            if field.flatten {
                self.flatten(object, field.shape(), may_miss);
                continue;
            }
            let mut value = self.schema(field.shape());
            // What is `required` is always written; that reading does without it is another matter.
            if let (Some(note), Value::Object(of)) = (missing(field), &mut value) {
                of.insert("$comment".to_owned(), note.into());
            }
            object.properties.insert(field.name.to_owned(), value);
            if !may_miss {
                object.required.push(field.name.into());
            }
        }
    }

    /// Puts the keys of a shape into the object itself.
    fn flatten(&mut self, object: &mut Object, shape: &'static Shape, may_miss: bool) {
        match shape {
            Shape::Null => {}
            Shape::Struct(of) => self.collect(object, of.fields, may_miss),
            Shape::Option(inner) => self.flatten(object, inner, true),
            Shape::Map(map) => object.rest = Some(self.schema(map.value)),
            Shape::Enum(of) if !may_miss => {
                let one_of = self.one_of(of, true);
                object.parts.push(one_of);
                object.is_open = true;
            }
            Shape::Recursive { .. } if !may_miss => {
                let part = self.schema(shape);
                object.parts.push(part);
                object.is_open = true;
            }
            _ => object.is_open = true,
        }
    }

    fn one_of(&mut self, of: &'static Enum, is_flat: bool) -> Value {
        let written = of.variants.iter().filter(|variant| variant.is_written);
        let all: Vec<_> = written
            .map(|variant| self.variant(of.tagging, variant, is_flat))
            .collect();
        if all.is_empty() {
            // There is no value of it: JSON Schema has no list of no schemas.
            return json!({ "not": {} });
        }
        match of.tagging {
            // What is written of one may look like another.
            Tagging::Untagged => json!({ "anyOf": all }),
            _ => json!({ "oneOf": all }),
        }
    }

    fn variant(&mut self, tagging: Tagging, variant: &'static Variant, is_flat: bool) -> Value {
        let name = variant.name;
        if let Tagging::Internal { tag } = tagging {
            let mut object = Object::new(Some((tag, name)));
            match variant.body {
                Body::Unit => {}
                Body::Newtype(shape) => self.flatten(&mut object, shape, false),
                Body::Struct(of) => self.collect(&mut object, of.fields, false),
                // Serde refuses to compile it.
                Body::Tuple(_) => object.is_open = true,
            }
            return object.into_value();
        }
        let content = match &variant.body {
            Body::Unit => None,
            Body::Newtype(shape) => Some(self.schema(shape)),
            Body::Tuple(places) => Some(self.tuple(places)),
            Body::Struct(of) => Some(self.fields(of.fields, None)),
        };
        match (tagging, content) {
            (Tagging::External, None) if !is_flat => json!({ "const": name }),
            (Tagging::External, content) => {
                let content = content.unwrap_or_else(|| json!({ "type": "null" }));
                let mut schema = json!({
                    "type": "object", "properties": { name: content }, "required": [name],
                });
                if !is_flat {
                    schema["additionalProperties"] = false.into();
                }
                schema
            }
            (Tagging::Adjacent { tag, content: key }, content) => {
                let mut object = Object::new(Some((tag, name)));
                if let Some(content) = content {
                    object.properties.insert(key.to_owned(), content);
                    object.required.push(key.into());
                }
                object.into_value()
            }
            (_, None) if is_flat => json!({}),
            (_, None) => json!({ "type": "null" }),
            (_, Some(content)) => content,
        }
    }
}

/// The schema of an object in the making.
#[derive(Default)]
struct Object {
    properties: Map<String, Value>,
    required: Vec<Value>,
    /// Schemas that hold for the object, too.
    parts: Vec<Value>,
    /// Of the values of all other keys.
    rest: Option<Value>,
    /// There may be other keys of other values.
    is_open: bool,
}

impl Object {
    fn new(tag: Option<(&str, &str)>) -> Self {
        let mut object = Self::default();
        if let Some((key, name)) = tag {
            let tag = json!({ "const": name });
            object.properties.insert(key.to_owned(), tag);
            object.required.push(key.into());
        }
        object
    }

    fn into_value(self) -> Value {
        let mut schema = json!({
            "type": "object", "properties": self.properties, "required": self.required,
        });
        if !self.parts.is_empty() {
            schema["allOf"] = self.parts.into();
        }
        if let (Some(rest), false) = (self.rest, self.is_open) {
            schema["additionalProperties"] = rest;
        }
        schema
    }
}

fn integer(int: &Int) -> Value {
    let mut schema = json!({ "type": "integer" });
    // Numbers beyond 64 bits are not what other readers of JSON have.
    if let Ok(min) = i64::try_from(int.min) {
        schema["minimum"] = min.into();
    }
    if let Ok(max) = u64::try_from(int.max) {
        schema["maximum"] = max.into();
    }
    if int.nonzero {
        schema["not"] = json!({ "const": 0 });
    }
    schema
}

fn string(format: Format) -> Value {
    let name = match format {
        Format::Char => return json!({ "type": "string", "minLength": 1, "maxLength": 1 }),
        Format::Uuid => "uuid",
        Format::Date => "date",
        Format::DateTime => "date-time",
        Format::Ipv4 => "ipv4",
        Format::Ipv6 => "ipv6",
        Format::Named(name) => name,
        _ => return json!({ "type": "string" }),
    };
    json!({ "type": "string", "format": name })
}

#[cfg(test)]
mod tests;
