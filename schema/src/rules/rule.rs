//! The list of rules: a code that never changes its meaning, a line, and the ways out.

/// How serious breaking a rule is, unless a policy says something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// Worth knowing.
    Warn,
    /// Refused.
    Deny,
}

/// Who refuses what breaks a rule, whatever a policy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Guard {
    /// The compiler, under a lock: where stored payloads could not be read, or would be read in part.
    Compiler,
    /// `cargo test`, under a lock.
    Tests,
    /// Nobody: `check` tells it, as an error or as a warning.
    Check,
}

macro_rules! rules {
    ($($(#[doc = $doc:literal])* $rule:ident = $code:literal $level:ident $guard:ident $title:literal: $explanation:literal;)*) => {
        /// A rule that a shape or a change of it can break.
        ///
        /// ```
        /// use recount_schema::{Level, Rule};
        ///
        /// let rule = Rule::from_code("RC1011").unwrap();
        /// assert_eq!(rule, Rule::IntegerRange);
        /// assert_eq!(rule.level(), Level::Deny);
        /// println!("{}: {}\n\n{}", rule.code(), rule.title(), rule.explanation());
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $(#[doc = concat!($code, ": ", $title, ".")] $rule,)*
        }

        impl Rule {
            /// All rules, in the order of their codes.
            pub const ALL: &'static [Self] = &[$(Self::$rule),*];

            /// The code, which never changes its meaning: `RC1011`.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$rule => $code,)* }
            }

            /// What is wrong, in one line.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$rule => $title,)* }
            }

            /// Why it matters, and the ways out.
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$rule => $explanation,)* }
            }

            /// How serious it is by itself.
            pub const fn level(self) -> Level {
                match self { $(Self::$rule => Level::$level,)* }
            }

            /// Who refuses what breaks it.
            pub const fn guard(self) -> Guard {
                match self { $(Self::$rule => Guard::$guard,)* }
            }

            /// The rule with a code, in upper or lower case.
            pub fn from_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|rule| rule.code().eq_ignore_ascii_case(code))
            }
        }
    };
}

rules! {
    FieldRemoved = "RC1001" Warn Compiler "a field of a released event was removed":
        "Stored payloads have the field, and its data is dropped on every read. Code of the last release that needs the field cannot read what is written now.\n\nKeep the field, or write the next version of the event. If only its name in Rust changed, say `#[serde(rename = \"…\")]`. If its data may go, or was never stored: `cargo recount schema accept EVENT --reason \"…\"`.";
    FieldAdded = "RC1002" Deny Compiler "a new field is required, but stored payloads do not contain it":
        "Only `Option` may be missing in JSON by itself, and not if it is read by `deserialize_with` or lies within a newtype that is not `#[serde(transparent)]`. Anything else fails with \"missing field\".\n\nMake it an `Option`, give it `#[serde(default)]`, or write the next version of the event with a conversion. If the event was never stored without it: `cargo recount schema accept EVENT --reason \"…\"`.";
    BecameRequired = "RC1003" Deny Compiler "stored payloads may hold null, or nothing, where a value is now required":
        "The field was an `Option`, had a default, was not always written, or was read under an alias that is gone. Payloads without a value are in the store.\n\nKeep the `Option`, the default or the alias, or write the next version of the event, whose conversion says what takes the place of nothing. If the event was never stored without a value: `cargo recount schema accept EVENT --reason \"…\"`.";
    FieldRenamed = "RC1004" Deny Compiler "released fields were renamed in JSON":
        "A rename in Rust is free as long as the name in JSON stays. `rename` and `rename_all` change the name in JSON, so stored payloads have other keys than those that are read.\n\nKeep the old name with `#[serde(rename = \"…\")]`. `#[serde(alias = \"…\")]` reads both names, but code of the last release cannot read the new one.";
    EventUnlisted = "RC1005" Deny Compiler "a released event is not known to the code any more":
        "History that contains it could not be read.\n\nKeep the type and a method that applies it. A type of another name keeps the stored one with `#[event(name = \"…\")]`; `formerly = \"…\"` is for a stored name that shall change. Or name it as retired: then its events are skipped on purpose.";
    FileMissing = "RC1006" Deny Compiler "a file that the lock lists is missing":
        "Without it nothing is known of a released event, so no change of it could be refused.\n\nRestore the file from version control.";
    Tombstone = "RC1007" Deny Compiler "a name that was given up may not come back":
        "Stored events of that name mean something else, or were erased.\n\nChoose another name.";
    UnknownFieldDenied = "RC1008" Deny Compiler "stored payloads contain a field that is refused":
        "`#[serde(deny_unknown_fields)]` makes each key an error that the type does not have, and released payloads have one.\n\nTake the attribute off; for events it only does harm.";
    BecameOptional = "RC1009" Warn Check "null, or nothing, may now be written where the last release requires a value":
        "Processes of the last release, which run beside the new ones during a deployment, and other services cannot read such payloads.\n\nRelease the reader first, and write `None` only in the release after it; or write the next version of the event.";
    TypeChanged = "RC1010" Deny Compiler "the JSON is of another type":
        "JSON does not convert: a number is no string, a list is no map, null is no object.\n\nTake the old type back, or write the next version of the event with a conversion. A newtype, `Box` or alias around the old type changes nothing in JSON.";
    IntegerRange = "RC1011" Deny Compiler "the integer cannot hold all stored values":
        "Reading fails for values out of range only, so tests with small numbers do not notice.\n\nKeep the wider type, or write the next version of the event, whose conversion says what happens to values that do not fit.";
    Precision = "RC1012" Warn Check "numbers may be rounded":
        "An `f64` holds whole numbers up to 2^53 exactly, an `f32` up to 2^24. Stored numbers beyond that are read as their neighbours.\n\nKeep the type if such numbers occur.";
    StringFormat = "RC1013" Deny Compiler "the string must now have another format":
        "Stored strings that do not have the format cannot be read.\n\nKeep the wider type, or write the next version of the event, whose conversion says what happens to strings that do not fit.";
    Length = "RC1014" Deny Compiler "an array of another length":
        "Tuples and arrays of fixed length are read only if the number of items is right; a place at the end may be missing if it has `#[serde(default)]`, but not because it is an `Option`.\n\nKeep the length, or write the next version of the event.";
    ListOrSet = "RC1015" Warn Check "a list became a set, or a set a list":
        "A set drops repetitions and forgets the order; a list keeps both. Everything stays readable, with another meaning perhaps.\n\nIf that is what you want, accept it.";
    DuplicateField = "RC1016" Deny Compiler "stored payloads hold two keys that are one field now":
        "A name and its alias in the same payload fail with \"duplicate field\".\n\nTake the alias off, or write the next version of the event with a conversion.";
    OpaqueChanged = "RC1017" Deny Compiler "an opaque type has another name or version":
        "Nothing is known of its JSON but its name and version, and whoever counted the version up said that the JSON changed.\n\nWrite the next version of the event, with the old type kept for stored payloads.";
    FloatRange = "RC1018" Deny Compiler "the float cannot hold all stored values":
        "Numbers beyond 3.4e38 are no `f32`: reading them fails, or makes them infinite.\n\nKeep `f64`.";
    UnreadableOutput = "RC1020" Deny Check "a field is not always written, but must be there to be read":
        "With `skip_serializing_if` or `skip_serializing` and without a default, the type cannot read its own payloads.\n\nAdd `#[serde(default)]`.";
    UnitEvent = "RC1021" Deny Compiler "an event without fields must be a struct with braces":
        "A unit struct is written as null, which can never gain a field. `{}` can.\n\nWrite `struct Started {}`.";
    Untagged = "RC1022" Deny Check "an untagged enum in an event":
        "The first variant that fits is read, so that what is stored depends on the order of the variants, and a new variant can swallow the payloads of another one.\n\nUse `#[serde(tag = \"…\")]` or no attribute at all.";
    FlattenedOption = "RC1023" Deny Check "a flattened Option hides errors":
        "If what is inside cannot be read, the result is `None` instead of an error, and the data is lost without a word.\n\nFlatten the struct itself and give its fields defaults, or make it a field of its own.";
    Buffered = "RC1024" Deny Check "serde cannot buffer this":
        "What is flattened, internally tagged or untagged is buffered before it is read; numbers of 128 bits, and keys of maps that are not strings, are not read from there.\n\nUse string keys and 64 bits, or another form of the enum, or a field of its own.";
    PlatformWidth = "RC1025" Deny Check "usize or isize in an event":
        "Their range depends on the platform: what a process of 64 bits writes, one of 32 bits cannot read.\n\nUse `u64` or `i64`.";
    NestedOption = "RC1026" Deny Check "an Option within an Option":
        "Both `None` and `Some(None)` are null, so one of them is read as the other.\n\nUse an enum with names for the three cases.";
    Collision = "RC1027" Deny Check "two fields have one key":
        "Of flattened fields, aliases and the tag of an enum, two have the same name: one is overwritten, or reading fails with \"duplicate field\".\n\nRename one of them.";
    UnknownShape = "RC1028" Deny Compiler "nothing is known of the JSON":
        "A change inside the type could make stored events unreadable unnoticed.\n\nDerive `ValueObject` for the type, or name it `opaque` with a version that you count up when its JSON changes.";
    Recursion = "RC1029" Deny Compiler "a reference to itself that cannot be followed":
        "A shape refers to an enclosing shape by name; the name is not there, or is there twice, or shapes lie within each other too deep.\n\nGive the recursive types different names. Types that contain each other say so: `#[value(recursive_with(Other))]` on each.";
    VariantRemoved = "RC1030" Deny Compiler "stored payloads contain a variant that is not known any more":
        "Reading it fails with \"unknown variant\".\n\nKeep it; for a rename in JSON add `#[serde(alias = \"…\")]`.";
    VariantAdded = "RC1031" Warn Check "the last release does not know a variant":
        "Processes of the last release, which run beside the new ones during a deployment, and other services cannot read it.\n\nRelease the reader first, and write the variant only in the release after it.";
    VariantForm = "RC1032" Deny Compiler "a variant of another form":
        "`\"A\"` is a variant without content, `{\"A\": …}` one with content; neither is read as the other.\n\nKeep the variant and add another one.";
    Tagging = "RC1033" Deny Compiler "the variant's name stands elsewhere":
        "Tags are part of the JSON: `tag`, `content` and `untagged` decide where the name of a variant stands.\n\nKeep them, or write the next version of the event.";
    VariantOrder = "RC1034" Warn Check "another variant of an untagged enum may be read":
        "The first variant that fits is read, so their order is part of the JSON.\n\nKeep the order, and add variants at the end.";
    VariantToOther = "RC1035" Warn Check "a stored variant is read as the one for the rest":
        "The variant was removed, and the one with `#[serde(other)]` takes its place: its data is dropped.\n\nKeep the variant.";
    NotANumber = "RC1036" Warn Check "a number that may be NaN":
        "NaN and the infinities are written as null, which cannot be read again.\n\nStore whole numbers, cents or grams, or check the number before it is recorded.";
    FlattenedDeny = "RC1037" Deny Check "deny_unknown_fields beside flatten":
        "serde does not support the two together.\n\nTake `deny_unknown_fields` off; for events it only does harm.";
    EventForm = "RC1038" Deny Compiler "an event must be a struct with named fields":
        "Only an object can gain fields: places of an array are told apart by their number alone.\n\nGive the fields names.";
    MapKey = "RC1039" Deny Check "keys of a map that JSON does not have":
        "Keys are strings: of a string, a number, a bool or an enum without content serde makes one, of anything else it does not.\n\nUse one of those, or a list of pairs.";
    EventRenamed = "RC1040" Deny Tests "the stored name of a released event changed":
        "Stored events have the old name.\n\nKeep it with `#[event(name = \"…\")]`, or add `formerly = \"…\"`.";
    VersionGap = "RC1041" Deny Check "the versions of an event do not follow one another":
        "A version that was skipped or used twice would make it unclear what a stored payload is.\n\nNumber the versions from 1 without gaps.";
    NoUpcast = "RC1042" Deny Compiler "a released version has no conversion to the newest one":
        "Its stored payloads could not be read.\n\nWrite `impl From<Old> for New`, and name the old type in `#[event(upcast_from = …)]`.";
    StreamChanged = "RC1043" Deny Compiler "the stream or the id of a released aggregate changed":
        "Both are part of the key of every stored stream, so the old ones would not be found: an aggregate's streams lie in the category that `stream = \"…\"` names, under the text of their ids. An integer may become one that holds more, since the digits stay; any other form of the id finds other streams. `[[aggregate]]` in `lock.toml` holds both, and the name of the type by which the aggregate is known.\n\nKeep the stream's name and the form of the id; what the types are called is free. If another type has those streams now, `cargo recount schema accept` says so to the lock.";
    LockEdited = "RC1044" Deny Compiler "a file of a released version is not what the lock says":
        "Released contracts do not change: payloads of that form are in the store.\n\nRestore the file and `lock.toml` from one revision, and write the next version of the event.";
    ConditionalField = "RC1045" Deny Compiler "a field of an event depends on the build":
        "What is stored would depend on features or platforms: a build without the field drops what a build with it stored, and the lock holds only what one of them wrote.\n\nTake `#[cfg]` off the field. A value that some builds do not have is an `Option`.";
    DraftStored = "RC1046" Warn Check "an optimised build stores an event that was never released":
        "What is not released may still change, and then what was stored of it cannot be read. A build without `debug_assertions`, as `--release` makes it, is what is deployed.\n\nRun `cargo recount schema release` before anything is deployed. `RC1046 = \"deny\"` under `[policy.rules]` in `lock.toml` makes it an error, `\"off\"` nothing.";
    DefaultChanged = "RC2001" Warn Tests "a default has another value":
        "Stored payloads without the field now mean something else.\n\nKeep the value, or write the next version of the event, whose conversion sets the old one.";
    SampleUnreadable = "RC2002" Deny Tests "a stored sample cannot be read":
        "A payload as it was released does not come through reading and conversion, although its shape fits: a check inside a type became stricter perhaps.\n\nLoosen the check, or write the next version of the event.";
    ConversionChanged = "RC2003" Deny Tests "a stored sample is converted to something else than before":
        "What a conversion makes of stored payloads is frozen when the version it leads to is released.\n\nTake the old conversion back, or write the next version of the event.";
    ShapeDishonest = "RC2004" Deny Tests "a value is written in another form than its shape says":
        "A `Serialize` or `Deserialize` of one's own does not do what the shape says, so nothing that is checked holds.\n\nMend the shape, or name the type `opaque`.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_code_of_its_own_in_order_and_says_what_to_do() {
        assert!(Rule::ALL.is_sorted_by(|a, b| a.code() < b.code()));
        for rule in Rule::ALL {
            assert_eq!(Rule::from_code(&rule.code().to_lowercase()), Some(*rule));
            assert!(
                !rule.title().ends_with('.') && rule.title().len() < 90,
                "{rule:?}"
            );
            let (why, ways_out) = rule.explanation().split_once("\n\n").unwrap();
            assert!(why.ends_with('.') && ways_out.ends_with('.'), "{rule:?}");
        }
        assert_eq!(Rule::from_code("RC9999"), None);
    }

    #[test]
    fn what_may_never_have_been_stored_can_be_accepted() {
        for rule in [Rule::FieldRemoved, Rule::FieldAdded, Rule::BecameRequired] {
            let way_out = "`cargo recount schema accept EVENT --reason \"…\"`";
            assert!(rule.explanation().contains(way_out), "{rule:?}");
        }
    }
}
