//! Paths as text: git allows any byte but NUL in a path, events and their JSON hold text.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The path of a file from the top of its repository, as text that can be read back to the very bytes.
///
/// Text in UTF-8 stands as it is. Percent signs, control characters and bytes that are not UTF-8 stand as `%XX`, so no two
/// paths have the same text, and none breaks a line of output. It has no limit of length: it is part of events, never the
/// id of a stream.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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

    /// The bytes that git knows it by.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len());
        let mut rest = self.0.as_bytes();
        while let [first, after @ ..] = rest {
            if let (b'%', Some((digits, after))) = (first, after.split_at_checked(2))
                && let Some(byte) = from_hex(digits)
            {
                bytes.push(byte);
                rest = after;
            } else {
                bytes.push(*first);
                rest = after;
            }
        }
        bytes
    }
}

fn escape(bytes: &[u8], text: &mut String) {
    for byte in bytes {
        text.push_str(&format!("%{byte:02X}"));
    }
}

fn from_hex(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
