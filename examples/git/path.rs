//! Paths as text: git allows any byte but NUL in a path, events and their JSON hold text.

use std::fmt::{self, Write as _};

use recount::prelude::*;

/// The path of a file from the top of its repository, as text.
///
/// Text in UTF-8 stands as it is. Percent signs, control characters and bytes that are not UTF-8 stand as `%XX`: any
/// percent-decoder gives the very bytes back, no two paths have the same text, and none breaks a line of output. It may be
/// longer than the id of a stream, since it is part of events and never such an id.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ValueObject,
)]
#[serde(transparent)]
pub struct RepoPath(String);

impl RepoPath {
    /// The path that git shows as these bytes.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            for character in chunk.valid().chars() {
                if character == '%' || character.is_control() {
                    let mut buffer = [0; 4];
                    escape(character.encode_utf8(&mut buffer).as_bytes(), &mut text);
                } else {
                    text.push(character);
                }
            }
            escape(chunk.invalid(), &mut text);
        }
        Self(text)
    }
}

fn escape(bytes: &[u8], text: &mut String) {
    for byte in bytes {
        // A string takes everything.
        let _ = write!(text, "%{byte:02X}");
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
