//! A string of bounded length that is built while compiling.

use std::fmt;

/// A string of at most `N` bytes; what does not fit is cut off and the cut is shown by `~`.
///
/// Constant evaluation has no heap, and a constant panic takes one `&str`: so messages are built in place.
///
/// ```
/// use recount_schema::Text;
///
/// const GREETING: Text<16> = Text::new().with("version ").with_number(12);
/// assert_eq!(GREETING.as_str(), "version 12");
/// assert_eq!(Text::<4>::new().with("greeting").as_str(), "gre~");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self {
            bytes: [0; N],
            len: 0,
        }
    }

    /// The text followed by another one.
    #[must_use]
    pub const fn with(mut self, more: &str) -> Self {
        self.push(more);
        self
    }

    /// The text followed by a number.
    #[must_use]
    pub const fn with_number(mut self, number: u128) -> Self {
        self.push_number(number);
        self
    }

    /// Appends a text.
    pub const fn push(&mut self, more: &str) {
        let more = more.as_bytes();
        let mut take = more.len();
        if self.len + take > N {
            take = N.saturating_sub(self.len + 1);
            // Whole characters only.
            while take > 0 && more[take] & 0b1100_0000 == 0b1000_0000 {
                take -= 1;
            }
        }
        let mut at = 0;
        while at < take {
            self.bytes[self.len] = more[at];
            self.len += 1;
            at += 1;
        }
        if take < more.len() && self.len < N {
            self.bytes[self.len] = b'~';
            self.len += 1;
        }
    }

    /// Appends a number.
    pub const fn push_number(&mut self, mut number: u128) {
        let mut digits = [0; 39];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        let (_, digits) = digits.split_at(at);
        if let Ok(digits) = str::from_utf8(digits) {
            self.push(digits);
        }
    }

    /// The text so far.
    pub const fn as_str(&self) -> &str {
        let (text, _) = self.bytes.split_at(self.len);
        match str::from_utf8(text) {
            Ok(text) => text,
            // Only whole characters were put in.
            Err(_) => "",
        }
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// `==` of strings, while compiling.
pub(crate) const fn same(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    // Each step costs while compiling, so as many bytes as can be are one; from the end, where names differ first.
    while let (Some((rest, last)), Some((other_rest, other))) =
        (a.split_last_chunk::<8>(), b.split_last_chunk::<8>())
    {
        if u64::from_le_bytes(*last) != u64::from_le_bytes(*other) {
            return false;
        }
        (a, b) = (rest, other_rest);
    }
    while let ([rest @ .., last], [other_rest @ .., other]) = (a, b) {
        if *last != *other {
            return false;
        }
        (a, b) = (rest, other_rest);
    }
    true
}

/// Whether a list of strings has one.
pub(crate) const fn has(list: &[&str], wanted: &str) -> bool {
    let mut at = 0;
    while at < list.len() {
        if same(list[at], wanted) {
            return true;
        }
        at += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_cut_at_a_whole_character_and_the_cut_is_shown() {
        let mut text = Text::<6>::new().with("über");
        text.push("länge");
        assert_eq!(text.as_str(), "über~");
        text.push("more");
        assert_eq!(text.as_str(), "über~");
        assert_eq!(Text::<0>::new().with("a").as_str(), "");
    }

    #[test]
    fn texts_are_the_same_if_each_byte_is_wherever_they_differ() {
        let text = "abcdefghijklmnopqrstuvwxyz";
        for len in 0..text.len() {
            let one = &text[..len];
            assert!(same(one, String::from(one).as_str()) && !same(one, &text[..=len]));
            for at in 0..len {
                let mut other = one.to_owned();
                other.replace_range(at..=at, "_");
                assert!(!same(one, &other), "{other}");
            }
        }
    }

    #[test]
    fn the_largest_number_fits() {
        let text = Text::<39>::new().with_number(u128::MAX);
        assert_eq!(text.as_str(), u128::MAX.to_string());
    }
}
