//! Rules that are checked when compiling and need more than one item: their messages are put together here.

use crate::event::Names;

/// A text that is put together when compiling.
struct Text {
    bytes: [u8; Text::MAX],
    len: usize,
}

impl Text {
    const MAX: usize = 1024;

    const fn new() -> Self {
        Self {
            bytes: [0; Self::MAX],
            len: 0,
        }
    }

    /// Adds a text; what does not fit is left out.
    const fn with(mut self, text: &str) -> Self {
        let text = text.as_bytes();
        if self.len + text.len() <= Self::MAX {
            let mut i = 0;
            while i < text.len() {
                self.bytes[self.len] = text[i];
                self.len += 1;
                i += 1;
            }
        }
        self
    }

    const fn with_number(self, number: u32) -> Self {
        let rest = if number >= 10 {
            self.with_number(number / 10)
        } else {
            self
        };
        let digit = (number % 10) as usize;
        rest.with(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"][digit])
    }

    const fn as_str(&self) -> &str {
        match std::str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => text,
            Err(_) => "",
        }
    }
}

/// Joins two hashes, so that order counts and equal ones do not cancel out.
pub const fn mix(a: u64, b: u64) -> u64 {
    (a ^ b.rotate_left(29)).wrapping_mul(0x0000_0100_0000_01b3)
}

/// Joins a hash with texts, such that where each ends counts too.
pub const fn mix_texts(mut hash: u64, texts: &[&str]) -> u64 {
    let mut i = 0;
    while i < texts.len() {
        let text = texts[i].as_bytes();
        let mut j = 0;
        while j < text.len() {
            hash = mix(hash, text[j] as u64);
            j += 1;
        }
        hash = mix(hash, u64::MAX);
        i += 1;
    }
    hash
}

/// Refuses an event whose version does not follow that of the type that it is upcast from.
#[track_caller]
pub const fn follows(
    event: &str,
    version: u32,
    previous: &str,
    previous_version: u32,
    instead: &str,
) {
    if version == previous_version + 1 {
        return;
    }
    let text = Text::new()
        .with("`")
        .with(event)
        .with("` is version ")
        .with_number(version)
        .with(" but `")
        .with(previous)
        .with("` is version ")
        .with_number(previous_version);
    let text = if version > previous_version + 1 {
        text.with(
            ": the versions between have no conversion, events stored as such could not be read",
        )
        .with("\n\nhelp: upcast from version ")
        .with_number(version - 1)
        .with(", or ")
        .with(instead)
        .with_number(previous_version + 1)
        .with("` if no other was ever stored")
    } else {
        text.with(": a version is upcast from the one before it, or stored events would go round in a circle")
            .with("\n\nhelp: upcast from a type of version ")
            .with_number(version.saturating_sub(1))
    };
    panic!("{}", text.as_str());
}

/// Refuses an event that shares a stored name with one before it in the list.
#[track_caller]
pub const fn distinct(events: &[(&str, &Names)], event: &str, names: &Names) {
    let mut i = 0;
    while i < events.len() {
        let (other, theirs) = events[i];
        if crate::event::same(other, event) {
            return;
        }
        if let Some(name) = names.shared(theirs) {
            let text = Text::new()
                .with("`")
                .with(event)
                .with("` and `")
                .with(other)
                .with("` are both stored as `")
                .with(name)
                .with("`: one would be read as the other")
                .with("\n\nhelp: write `#[event(name = \"…\")]` on one of them");
            panic!("{}", text.as_str());
        }
        i += 1;
    }
}

/// Refuses a projection's method whose event none of its aggregates applies.
#[track_caller]
pub const fn handled(applied: bool, message: &str) {
    assert!(applied, "{}", message);
}

/// Asks whether an event is the newest version of itself.
#[derive(Debug, Clone, Copy)]
pub struct Newest<T>(std::marker::PhantomData<T>);

/// Never implemented: what the question ends in for an event that a newer version follows.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is an old version: `{By}` follows it, so this handler would never run",
    label = "an old version",
    note = "take `{By}` here: stored `{Self}` events are converted before they are applied"
)]
pub trait IsNewest<By> {}

impl<T: super::Superseded> Newest<T> {
    /// It is not.
    pub const OLD: bool = true;

    /// Taken for a type that a newer version follows; then it does not compile.
    pub fn check()
    where
        T: IsNewest<T::By>,
    {
    }
}

/// Taken for a type that no newer version follows.
pub trait NewestFallback {
    /// It may be.
    const OLD: bool = false;

    /// Nothing to say.
    fn check() {}
}

impl<T> NewestFallback for Newest<T> {}

#[cfg(test)]
mod tests {
    use super::{Text, mix, mix_texts};

    #[test]
    fn a_text_is_put_together() {
        let text = Text::new().with("version ").with_number(1070).with("é");
        assert_eq!(text.as_str(), "version 1070é");
    }

    #[test]
    fn hashes_are_joined_in_order() {
        assert_ne!(mix(1, 2), mix(2, 1));
        assert_ne!(mix(mix(5, 7), 7), 5);
    }

    #[test]
    fn each_text_counts_and_where_it_ends() {
        let all: [&[&str]; 6] = [&[], &[""], &["ab"], &["a", "b"], &["ba"], &["ab", ""]];
        let hashes = all.map(|texts| mix_texts(1, texts));
        for (index, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..index].contains(hash), "{:?}", all[index]);
        }
    }
}
