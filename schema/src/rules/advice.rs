//! What to do about a change that a released version refuses: the same words from the macros, the compiler and the tool.

use crate::text::Text;

/// How long an advice may be.
const LENGTH: usize = 512;

/// The way out that is always there.
///
/// ```
/// use recount_schema::Advice;
///
/// let advice = Advice { version: 1, newest: 1, within: "", bump: "recount schema bump Scheduled" };
/// assert_eq!(
///     advice.text().as_str(),
///     "take the change back, and begin version 2 for it: `recount schema bump Scheduled`",
/// );
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Advice<'a> {
    /// The version that was changed.
    pub version: u32,
    /// The newest version in the lock: an older one is not followed by a new one.
    pub newest: u32,
    /// What the change lies in, if it is not the event itself: a type that its versions share. Empty for the event.
    pub within: &'a str,
    /// The command that begins the next version.
    pub bump: &'a str,
}

impl Advice<'_> {
    /// What to do, in one line.
    #[must_use]
    pub const fn text(&self) -> Text<LENGTH> {
        let is_old = self.version < self.newest;
        let next = self.version as u128 + 1;
        if self.within.is_empty() {
            let text = Text::new().with("take the change back");
            return if is_old {
                text.with(": a later version may have it")
            } else {
                text.with(", and begin version ")
                    .with_number(next)
                    .with(" for it: `")
                    .with(self.bump)
                    .with("`")
            };
        }
        let text = Text::new()
            .with("take back what changed in `")
            .with(self.within)
            .with("`, or in a type within it, which all versions share; ");
        if is_old {
            return text.with("a later version may hold a copy with the change");
        }
        let text = match stem(self.within) {
            Some(stem) => text
                .with("then copy it as `")
                .with(stem)
                .with("V")
                .with_number(next)
                .with("`, with each type on the way to the change, "),
            None => text.with("then copy each type on the way to the change, "),
        };
        text.with("change the copies, and hold those in version ")
            .with_number(next)
            .with(" (if there is none yet: `")
            .with(self.bump)
            .with("`)")
    }
}

/// A type's name without its version; nothing for what is no single name.
const fn stem(name: &str) -> Option<&str> {
    let bytes = name.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_alphanumeric() && bytes[at] != b'_' {
            return None;
        }
        at += 1;
    }
    if bytes.is_empty() || !bytes[0].is_ascii_uppercase() {
        return None;
    }
    while at > 0 && bytes[at - 1].is_ascii_digit() {
        at -= 1;
    }
    if at < bytes.len() && at > 1 && bytes[at - 1] == b'V' {
        let (stem, _) = name.split_at(at - 1);
        return Some(stem);
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(version: u32, within: &str) -> String {
        let advice = Advice {
            version,
            newest: 2,
            within,
            bump: "recount schema bump Moved",
        };
        advice.text().to_string()
    }

    #[test]
    fn what_changed_is_taken_back_first_and_made_in_the_next_version() {
        assert_eq!(
            text(2, ""),
            "take the change back, and begin version 3 for it: `recount schema bump Moved`"
        );
        assert_eq!(
            text(1, ""),
            "take the change back: a later version may have it"
        );
    }

    #[test]
    fn the_next_version_holds_a_copy_of_what_all_versions_share() {
        const EACH: &str = "each type on the way to the change";
        for (within, copied) in [
            ("Address", "it as `AddressV3`, with "),
            ("AddressV2", "it as `AddressV3`, with "),
            ("Ipv4", "it as `Ipv4V3`, with "),
            ("V2", "it as `V2V3`, with "),
            ("BTreeMap<Kind,Address>", ""),
            ("place", ""),
        ] {
            assert_eq!(
                text(2, within),
                format!(
                    "take back what changed in `{within}`, or in a type within it, which all versions share; then copy {copied}{EACH}, \
                     change the copies, and hold those in version 3 (if there is none yet: `recount schema bump Moved`)"
                )
            );
        }
        assert_eq!(
            text(1, "Address"),
            "take back what changed in `Address`, or in a type within it, which all versions share; a later version may hold a copy with the change"
        );
    }
}
