//! The file of an event's version: its shape as JSON that people can read and compare.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use serde_json::{Map, Value, json};
#[cfg(feature = "lock")]
use sha2::{Digest, Sha256};

use super::error::{LockError, line_at};
use super::grammar;
use crate::Shape;

/// The newest format of the files.
pub(super) const FORMAT: u64 = 1;

/// What a version of an event writes and reads.
///
/// ```
/// use recount_schema::lock::Contract;
/// use recount_schema::{Field, Shape, Struct};
///
/// const SHAPE: &Shape = &Shape::Struct(Struct::new(&[Field::of::<u16>("reps"), Field::of::<Option<String>>("note")]));
/// let contract = Contract::new("set.done", 1, SHAPE);
/// assert_eq!(contract.to_text(), r#"{
///   "event": "set.done",
///   "format": 1,
///   "shape": {
///     "struct": {
///       "note": {
///         "read": "optional",
///         "shape": {
///           "option": "string"
///         }
///       },
///       "reps": {
///         "shape": "u16"
///       }
///     }
///   },
///   "version": 1
/// }
/// "#);
/// assert_eq!(Contract::from_text(&contract.to_text(), "v1.json".as_ref())?, contract);
/// # Ok::<(), recount_schema::lock::LockError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Contract {
    /// The stored name of the event.
    pub event: String,
    /// The category of its streams, if it belongs to one aggregate.
    pub category: Option<String>,
    /// The version.
    pub version: u32,
    /// What is written and read.
    ///
    /// It is for ever, as the rules want it, also where it was read from a file: what was read once is kept and found again, so
    /// that memory grows with the number of different shapes only.
    pub shape: &'static Shape,
    /// What it is in Rust: for messages, and no part of the contract.
    pub rust: Rust,
}

/// What a version of an event is called in Rust.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rust {
    /// The name of the type.
    pub ident: String,
    /// The types of its fields, by their names.
    pub fields: BTreeMap<String, String>,
}

impl Rust {
    /// The type within which the JSON of a field must have changed, if the field has the type that it had: without what the standard
    /// library puts around it. Empty if the field itself was changed.
    ///
    /// ```
    /// use recount_schema::lock::Rust;
    ///
    /// let fields = [("places".to_owned(), "Option<Vec<Address>>".to_owned())];
    /// let rust = Rust { ident: "Scheduled".to_owned(), fields: fields.into() };
    /// assert_eq!(rust.within("places", "Option<Vec<Address>>"), "Address");
    /// assert_eq!(rust.within("places", "Option<Vec<AddressV2>>"), "");
    /// ```
    pub fn within<'a>(&self, field: &str, ty: &'a str) -> &'a str {
        if self.fields.get(field).is_none_or(|then| then != ty) {
            return "";
        }
        let is_in_name = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        let names = ty.split(|c| !is_in_name(c));
        let names = names.map(|path| path.rsplit(':').next().unwrap_or(path));
        let mut own = names
            .filter(|name| name.starts_with(|c: char| c.is_alphabetic()) && !is_of_others(name));
        match (own.next(), own.next()) {
            (None, _) => "",
            (Some(name), None) => name,
            // Which of them cannot be told.
            (Some(_), Some(_)) => ty,
        }
    }
}

/// Whether a type's name is that of one of the language, the standard library, `chrono` or `uuid`.
pub fn is_of_others(name: &str) -> bool {
    const NAMES: [&str; 37] = [
        "bool",
        "char",
        "u8",
        "u16",
        "u32",
        "u64",
        "u128",
        "i8",
        "i16",
        "i32",
        "i64",
        "i128",
        "f32",
        "f64",
        "String",
        "str",
        "Uuid",
        "Utc",
        "NaiveDate",
        "NaiveTime",
        "NaiveDateTime",
        "Duration",
        "IpAddr",
        "Ipv4Addr",
        "Ipv6Addr",
        "SocketAddr",
        "PathBuf",
        "SystemTime",
        "Option",
        "Vec",
        "VecDeque",
        "Box",
        "BTreeMap",
        "BTreeSet",
        "HashMap",
        "HashSet",
        "DateTime",
    ];
    NAMES.contains(&name)
}

/// Equal is what has the same text: the order of fields, and the names of recursive shapes, do not count.
impl PartialEq for Contract {
    fn eq(&self, other: &Self) -> bool {
        self.to_text() == other.to_text()
    }
}

impl Eq for Contract {}

impl Contract {
    /// The contract of a shape, without the part about Rust.
    pub fn new(event: impl Into<String>, version: u32, shape: &'static Shape) -> Self {
        Self {
            event: event.into(),
            category: None,
            version,
            shape,
            rust: Rust::default(),
        }
    }

    /// The file's text: keys in order, two spaces, LF at the end of each line.
    pub fn to_text(&self) -> String {
        let mut file = self.contract();
        if self.rust != Rust::default() {
            file.insert(
                "rust".to_owned(),
                json!({ "ident": self.rust.ident, "fields": self.rust.fields }),
            );
        }
        let mut text = String::new();
        grammar::print(&Value::Object(file), 0, &mut text);
        text.push('\n');
        text
    }

    /// The digest of the contract, `sha256:…`; what it is called in Rust does not count.
    #[cfg(feature = "lock")]
    pub fn digest(&self) -> String {
        let mut text = String::new();
        grammar::print(&Value::Object(self.contract()), 0, &mut text);
        digest_of(text.as_bytes())
    }

    fn contract(&self) -> Map<String, Value> {
        let mut file = Map::new();
        file.insert("format".to_owned(), FORMAT.into());
        file.insert("event".to_owned(), self.event.as_str().into());
        if let Some(category) = &self.category {
            file.insert("category".to_owned(), category.as_str().into());
        }
        file.insert("version".to_owned(), self.version.into());
        file.insert("shape".to_owned(), grammar::write(self.shape));
        file
    }

    /// Reads a file's text; the file's name is for errors.
    ///
    /// # Errors
    ///
    /// [`LockError::Truncated`], [`LockError::NewerFormat`], [`LockError::Malformed`].
    pub fn from_text(text: &str, file: &Path) -> Result<Self, LockError> {
        let value: Value = parse(text, file)?;
        let malformed = |problem: String, key: &str| LockError::Malformed {
            file: file.to_owned(),
            line: text
                .find(&format!("\"{key}\""))
                .map_or(1, |at| line_at(&text.as_bytes()[..at])),
            problem,
        };
        let Value::Object(mut object) = value else {
            return Err(malformed("no object".to_owned(), ""));
        };
        match object.remove("format").as_ref().and_then(Value::as_u64) {
            Some(FORMAT) => {}
            Some(found) if found > FORMAT => {
                return Err(LockError::NewerFormat {
                    file: file.to_owned(),
                    found,
                    known: FORMAT,
                });
            }
            _ => {
                return Err(malformed(
                    "`format` is not a known number".to_owned(),
                    "format",
                ));
            }
        }
        let Some(Value::String(event)) = object.remove("event") else {
            return Err(malformed("`event` must be a string".to_owned(), "event"));
        };
        let category = match object.remove("category") {
            None => None,
            Some(Value::String(category)) => Some(category),
            Some(_) => {
                return Err(malformed(
                    "`category` must be a string".to_owned(),
                    "category",
                ));
            }
        };
        let version = object.remove("version").as_ref().and_then(Value::as_u64);
        let Some(version) = version.and_then(|version| u32::try_from(version).ok()) else {
            return Err(malformed(
                "`version` must be a number".to_owned(),
                "version",
            ));
        };
        let Some(shape) = object.remove("shape") else {
            return Err(malformed("`shape` is missing".to_owned(), "format"));
        };
        let shape = kept(&shape).map_err(|error| malformed(error.problem, &error.key))?;
        let rust = match object.remove("rust") {
            None => Rust::default(),
            Some(rust) => read_rust(&rust).ok_or_else(|| {
                malformed(
                    "`rust` must have `ident` and `fields`, of strings".to_owned(),
                    "rust",
                )
            })?,
        };
        if let Some(key) = object.keys().next() {
            return Err(malformed(format!("unknown key `{key}`"), key));
        }
        Ok(Self {
            event,
            category,
            version,
            shape,
            rust,
        })
    }
}

fn read_rust(value: &Value) -> Option<Rust> {
    let object = value.as_object()?;
    if object.len() != 2 {
        return None;
    }
    let fields = object.get("fields")?.as_object()?.iter();
    Some(Rust {
        ident: object.get("ident")?.as_str()?.to_owned(),
        fields: fields
            .map(|(name, of)| Some((name.clone(), of.as_str()?.to_owned())))
            .collect::<Option<_>>()?,
    })
}

/// The shape of a text that was read before, or a new one. A server of an editor reads the same files again and again.
fn kept(value: &Value) -> Result<&'static Shape, grammar::Unreadable> {
    static KEPT: Mutex<BTreeMap<String, &'static Shape>> = Mutex::new(BTreeMap::new());
    let text = value.to_string();
    // A panic of another thread leaves whole entries only.
    let mut kept = KEPT
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(shape) = kept.get(&text) {
        return Ok(shape);
    }
    let shape = grammar::read(value)?;
    let shape: &'static Shape = Box::leak(Box::new(shape));
    kept.insert(text, shape);
    Ok(shape)
}

/// A shape as text: the name of one that needs no more, or JSON as in a contract, in one line.
///
/// ```
/// use recount_schema::Shaped;
/// use recount_schema::lock::{shape_of_text, shape_to_text};
///
/// assert_eq!(shape_to_text(<u64>::SHAPE), "u64");
/// assert_eq!(shape_of_text(r#"{"option":"u64"}"#), Some(<Option<u64>>::SHAPE));
/// ```
pub fn shape_to_text(shape: &Shape) -> String {
    match grammar::write(shape) {
        Value::String(name) => name,
        other => other.to_string(),
    }
}

/// The shape of a text that [`shape_to_text`] wrote; nothing if it is another one's.
pub fn shape_of_text(text: &str) -> Option<&'static Shape> {
    let value = match serde_json::from_str(text) {
        Ok(value @ Value::Object(_)) => value,
        _ => Value::from(text),
    };
    kept(&value).ok()
}

/// JSON, or the line where it is none.
pub(super) fn parse<T: serde::de::DeserializeOwned>(
    text: &str,
    file: &Path,
) -> Result<T, LockError> {
    serde_json::from_str(text).map_err(|error| {
        if error.is_eof() {
            return LockError::Truncated {
                file: file.to_owned(),
                line: error.line(),
            };
        }
        LockError::Malformed {
            file: file.to_owned(),
            line: error.line(),
            problem: error.to_string(),
        }
    })
}

/// `sha256:…`.
#[cfg(feature = "lock")]
pub(super) fn digest_of(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = "sha256:".to_owned();
    for byte in Sha256::digest(bytes) {
        // Writing into a `String` does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
