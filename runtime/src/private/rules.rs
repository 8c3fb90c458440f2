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

/// Joins a hash with others, one after the other.
pub const fn mix_all(mut hash: u64, others: &[u64]) -> u64 {
    let mut i = 0;
    while i < others.len() {
        hash = mix(hash, others[i]);
        i += 1;
    }
    hash
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

/// The events that an aggregate applies, or the variants of an enum of events: what they are called here, and their stored names.
#[derive(Debug, Clone, Copy)]
pub struct EventList {
    events: &'static [(&'static str, &'static Names)],
    /// No two of them share a name, as far as a look at each tells.
    are_apart: bool,
}

impl EventList {
    /// The list. Comparing each with each takes time that grows with the square of their number, and the compiler is slow at it; so
    /// their names are put into a table first, in which those of different events do not meet as a rule.
    pub const fn new(events: &'static [(&'static str, &'static Names)]) -> Self {
        let mut table = NameTable::new();
        let mut i = 0;
        while i < events.len() {
            table.add_all(events[i].1, i + 1);
            i += 1;
        }
        Self {
            events,
            are_apart: table.are_apart,
        }
    }
}

/// Hashes of names, and the number of the event that has each, from 1.
struct NameTable {
    slots: [(u64, usize); NameTable::SLOTS],
    count: usize,
    are_apart: bool,
}

impl NameTable {
    const SLOTS: usize = 1024;

    const fn new() -> Self {
        Self {
            slots: [(0, 0); Self::SLOTS],
            count: 0,
            are_apart: true,
        }
    }

    const fn add_all(&mut self, names: &Names, event: usize) {
        let (own, others, splits) = names.parts();
        let mut i = 0;
        while i < own.len() {
            self.add(crate::event::hash(own[i]), event);
            i += 1;
        }
        let mut i = 0;
        while i < others.len() {
            self.add_all(others[i], event);
            i += 1;
        }
        let mut i = 0;
        while i < splits.len() {
            self.add_all(splits[i], event);
            i += 1;
        }
    }

    /// One that another event has, or that has no room, makes it necessary to compare each with each.
    const fn add(&mut self, hash: u64, event: usize) {
        self.count += 1;
        if self.count > Self::SLOTS / 2 {
            self.are_apart = false;
        }
        #[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
        let mut slot = hash as usize % Self::SLOTS;
        while self.are_apart {
            let (known, of) = self.slots[slot];
            if of == 0 {
                self.slots[slot] = (hash, event);
                return;
            }
            if known == hash {
                self.are_apart = of == event;
                return;
            }
            slot = (slot + 1) % Self::SLOTS;
        }
    }
}

/// Refuses an event that shares a stored name with one before it in the list.
#[track_caller]
pub const fn distinct(list: &EventList, event: &str, names: &Names) {
    if list.are_apart {
        return;
    }
    let events = list.events;
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
                .with("\n\nhelp: write `#[event(name = \"…\")]` on one of them, or take out the one that is an older version of the other");
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

/// Never implemented: what it ends in to record a `Result`.
#[diagnostic::on_unimplemented(
    message = "a `Result` cannot be recorded: the decision may refuse, and then there is no `{Self}`",
    label = "write `?` behind this",
    note = "with `?`, what is refused is returned, and what was decided is recorded"
)]
pub trait Unwrapped<E> {}

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
    use super::{EventList, NameTable, Text, distinct, mix, mix_texts};
    use crate::event::Names;

    #[test]
    fn a_text_is_put_together() {
        let text = Text::new().with("version ").with_number(1070).with("é");
        assert_eq!(text.as_str(), "version 1070é");
    }

    /// A list that lasts as long as one in a constant, of events that are stored under these names each.
    fn list(names: impl Iterator<Item = Vec<String>>) -> EventList {
        let leaked = |text: String| -> &'static str { text.leak() };
        let events = names.enumerate().map(|(at, names)| {
            let names: Vec<_> = names.into_iter().map(leaked).collect();
            let names: &Names = Box::leak(Box::new(Names::new(names.leak())));
            (leaked(format!("Event{at}")), names)
        });
        EventList::new(events.collect::<Vec<_>>().leak())
    }

    fn is_refused(list: &EventList) -> bool {
        let distinct = |(event, names): &(&str, &Names)| distinct(list, event, names);
        std::panic::catch_unwind(|| list.events.iter().for_each(distinct)).is_err()
    }

    #[test]
    fn a_shared_name_is_found_among_few_and_among_more_than_the_table_holds() {
        for count in [2, 100, NameTable::SLOTS] {
            let own = |at: usize| vec![format!("event-{at}-happened"), format!("event-{at}")];
            let apart = list((0..count).map(own));
            assert_eq!(apart.are_apart, count < NameTable::SLOTS / 2);
            let last_shares = |at| {
                if at == count - 1 {
                    vec!["event-0".to_owned()]
                } else {
                    own(at)
                }
            };
            let shared = list((0..count).map(last_shares));
            assert!(!shared.are_apart && is_refused(&shared), "{count}");
            if count <= 100 {
                assert!(!is_refused(&apart));
            }
        }
    }

    #[test]
    fn an_event_may_have_a_name_twice() {
        let twice = list([vec!["paid".to_owned(), "paid".to_owned()]].into_iter());
        assert!(twice.are_apart);
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
