//! The stored names that one type reads, as a list that can be built and searched when compiling.

/// The names under which events of one type are stored now and were stored before.
///
/// ```
/// use recount::event::Names;
///
/// const OLD: Names = Names::new(&["Paid"]);
/// const NEW: Names = Names::new(&["MoneyReceived"]).with(&[&OLD]);
/// assert!(NEW.contains("Paid"));
/// assert_eq!(NEW.to_vec(), ["MoneyReceived", "Paid"]);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Names {
    /// The current name first, then names from before a rename.
    own: &'static [&'static str],
    /// The names of types that are upcast into this one, or that this enum's variants hold.
    others: &'static [&'static Names],
    /// The names of types whose stored events are read as this one too.
    splits: &'static [&'static Names],
}

impl Names {
    /// A list of these.
    pub const fn new(own: &'static [&'static str]) -> Self {
        Self {
            own,
            others: &[],
            splits: &[],
        }
    }

    /// The same, with those of other types.
    #[must_use]
    pub const fn with(self, others: &'static [&'static Names]) -> Self {
        Self {
            own: self.own,
            others,
            splits: self.splits,
        }
    }

    /// The same, with those of types whose stored events are read as this one too.
    #[must_use]
    pub const fn split_from(self, splits: &'static [&'static Names]) -> Self {
        Self {
            own: self.own,
            others: self.others,
            splits,
        }
    }

    /// Whether a name is in the list.
    pub fn contains(&self, name: &str) -> bool {
        self.own.contains(&name)
            || self.others.iter().any(|names| names.contains(name))
            || self.splits.iter().any(|names| names.contains(name))
    }

    /// Whether any name comes from a type that is split.
    pub const fn has_splits(&self) -> bool {
        if !self.splits.is_empty() {
            return true;
        }
        let mut i = 0;
        while i < self.others.len() {
            if self.others[i].has_splits() {
                return true;
            }
            i += 1;
        }
        false
    }

    /// Whether a name comes from a type that is split.
    pub fn is_split(&self, name: &str) -> bool {
        self.splits.iter().any(|names| names.contains(name))
            || self.others.iter().any(|names| names.is_split(name))
    }

    /// All names, each once.
    pub fn to_vec(&self) -> Vec<&'static str> {
        let mut all = Vec::new();
        self.collect(&mut all);
        all
    }

    fn collect(&self, all: &mut Vec<&'static str>) {
        for name in self.own {
            if !all.contains(name) {
                all.push(name);
            }
        }
        for names in self.others.iter().chain(self.splits) {
            names.collect(all);
        }
    }

    /// The names of its own, those of others, and those of types that it is split from.
    pub(crate) const fn parts(
        &self,
    ) -> (
        &'static [&'static str],
        &'static [&'static Self],
        &'static [&'static Self],
    ) {
        (self.own, self.others, self.splits)
    }

    /// A name that both lists hold. Two types that are split from a third may share its names.
    pub const fn shared(&self, other: &Self) -> Option<&'static str> {
        match self.held_by(other) {
            None => other.held_by(self),
            name => name,
        }
    }

    /// A name of this list, splits aside, that the other holds.
    const fn held_by(&self, other: &Self) -> Option<&'static str> {
        let mut i = 0;
        while i < self.own.len() {
            if other.has(self.own[i]) {
                return Some(self.own[i]);
            }
            i += 1;
        }
        let mut i = 0;
        while i < self.others.len() {
            if let Some(name) = self.others[i].held_by(other) {
                return Some(name);
            }
            i += 1;
        }
        None
    }

    /// [`contains`](Self::contains), when compiling.
    pub(crate) const fn has(&self, name: &str) -> bool {
        let mut i = 0;
        while i < self.own.len() {
            if same(self.own[i], name) {
                return true;
            }
            i += 1;
        }
        has_any(self.others, name) || has_any(self.splits, name)
    }
}

const fn has_any(lists: &[&Names], name: &str) -> bool {
    let mut i = 0;
    while i < lists.len() {
        if lists[i].has(name) {
            return true;
        }
        i += 1;
    }
    false
}

/// `==` on texts, when compiling.
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

/// A number of a text, when compiling.
pub(crate) const fn hash(text: &str) -> u64 {
    // The odd number next to 2^64 divided by the golden ratio.
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut bytes = text.as_bytes();
    let mut hash = bytes.len() as u64;
    // As with `same`, as many bytes as can be are one step.
    while let Some((chunk, rest)) = bytes.split_first_chunk::<8>() {
        hash = (hash ^ u64::from_le_bytes(*chunk)).wrapping_mul(FACTOR);
        hash ^= hash >> 32;
        bytes = rest;
    }
    while let [byte, rest @ ..] = bytes {
        hash = (hash ^ *byte as u64).wrapping_mul(FACTOR);
        hash ^= hash >> 32;
        bytes = rest;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::{Names, same};

    const BOTH: Names = Names::new(&["NameAndEmailChanged"]);
    const NAME: Names = Names::new(&["NameChanged"]).split_from(&[&BOTH]);
    const EMAIL: Names = Names::new(&["EmailChanged"]).split_from(&[&BOTH]);
    const NAME_V2: Names = Names::new(&["NameChanged"]).with(&[&NAME]);

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
    fn types_that_are_split_from_a_third_share_nothing() {
        assert_eq!(NAME.shared(&EMAIL), None);
        assert_eq!(NAME.shared(&BOTH), Some("NameAndEmailChanged"));
        assert_eq!(BOTH.shared(&NAME), Some("NameAndEmailChanged"));
        assert_eq!(NAME_V2.shared(&NAME), Some("NameChanged"));
    }

    #[test]
    fn a_split_is_seen_through_upcasts() {
        assert!(NAME_V2.has_splits() && NAME_V2.is_split("NameAndEmailChanged"));
        assert!(!NAME_V2.is_split("NameChanged") && !BOTH.has_splits());
        assert_eq!(NAME_V2.to_vec(), ["NameChanged", "NameAndEmailChanged"]);
    }
}
