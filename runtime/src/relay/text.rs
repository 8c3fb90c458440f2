//! Percent-encoding, for texts that a place does not take as they are.
//!
//! Names in the log may be any text; attributes of CloudEvents hold no control characters, and tokens of NATS subjects neither dots
//! nor blanks. What a place does not take is written as `%` and two hexadecimal digits for each byte of UTF-8, and so is `%` itself,
//! so that it can be read back.

use std::borrow::Cow;
use std::fmt::Write;

/// Writes the characters that are not plain, and `%`, as `%XX`.
pub(super) fn escaped(text: &str, is_plain: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_plain = |character| character != '%' && is_plain(character);
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_plain(character) {
            out.push(character);
        } else {
            for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                // Writing into a `String` does not fail.
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    Cow::Owned(out)
}

/// Reads what [`escaped`] wrote; `None` when a `%` is not followed by two hexadecimal digits, or the bytes are not UTF-8.
pub(super) fn unescaped(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut parts = text.split('%');
    out.extend_from_slice(parts.next()?.as_bytes());
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        out.push(u8::from_str_radix(digits, 16).ok()?);
        out.extend_from_slice(rest.as_bytes());
    }
    Some(Cow::Owned(String::from_utf8(out).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_escaped_reads_back_as_it_was() {
        for text in ["", "plain", "50%", "%41", "a b\n\u{85}", "\u{1f980}%\u{0}"] {
            let written = escaped(text, |character| !character.is_control());
            assert!(!written.chars().any(char::is_control), "{written}");
            assert_eq!(unescaped(&written).as_deref(), Some(text));
        }
    }

    #[test]
    fn what_nobody_wrote_so_is_not_read() {
        for text in ["%", "%4", "%4g", "%+4", "%FF", "a%é"] {
            assert_eq!(unescaped(text), None, "{text}");
        }
    }
}
