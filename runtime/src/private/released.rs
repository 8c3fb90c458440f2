//! Released events against the list of an aggregate's, while compiling.

use recount_schema::Text;

use super::{Shapes, StoredShape};
use crate::event::{Names, same};

/// Refuses a list that leaves a released event of its category unread. Of each the category, the stored name, and the oldest and the
/// newest of its versions that may be stored, and at which place of the list it is likely to be. A search for each takes time that grows with
/// the square of their number, so it is looked for there first.
///
/// # Panics
///
/// While compiling: that is its purpose.
#[track_caller]
pub const fn reads_all(
    category: &str,
    released: &[(&'static str, &'static str, u32, u32, u32)],
    names: &Names,
    shapes: &Shapes,
    retired: &[&str],
) {
    let mut next = 0;
    while next < released.len() {
        let (of, name, oldest, newest, likely) = released[next];
        next += 1;
        if !same(of, category) || is_among(name, retired) {
            continue;
        }
        if let Some(now) = shapes.at(likely)
            && same(now.name, name)
        {
            assert_versions(name, oldest, newest, now);
            continue;
        }
        if !names.has(name) {
            let text = Text::<1024>::new()
                .with("[RC1005] released event `")
                .with(name)
                .with("` is applied by no method of this block: stored events of it could not be read")
                .with("\n\nhelp: bring its method back, or take off the `#[cfg]` that hides it; if only its type was renamed, write `#[event(name = \"")
                .with(name)
                .with("\")]` on it; if it shall be stored under another name from now on, `#[event(formerly = \"")
                .with(name)
                .with("\")]`; to pass over what is stored, write `retired(\"")
                .with(name)
                .with("\")` in `#[aggregate(…)]`");
            panic!("{}", text.as_str());
        }
        // Under a name from before a rename, an older type is read by a newer one: its own derive has checked that.
        if let Some(now) = shapes.named(name) {
            assert_versions(name, oldest, newest, now);
        }
    }
}

#[track_caller]
const fn assert_versions(name: &str, oldest: u32, newest: u32, now: &StoredShape) {
    let text = Text::<512>::new();
    if now.version < newest {
        let text = text
            .with("[RC1005] version ")
            .with_number(newest as u128)
            .with(" of `")
            .with(name)
            .with("` is released, and the newest type here is version ")
            .with_number(now.version as u128)
            .with(": stored events of it could not be read")
            .with("\n\nhelp: bring the type of version ")
            .with_number(newest as u128)
            .with(" back, and take it in this block");
        panic!("{}", text.as_str());
    }
    if now.oldest > oldest {
        let text = text
            .with("[RC1042] version ")
            .with_number(oldest as u128)
            .with(" of `")
            .with(name)
            .with("` is released, and nothing converts it: the oldest version that is read is ")
            .with_number(now.oldest as u128)
            .with("\n\nhelp: write `#[event(upcast_from = …)]` on the type of version ")
            .with_number(now.oldest as u128);
        panic!("{}", text.as_str());
    }
}

/// Refuses to pass over an event that a method applies, and that is written therefore.
///
/// # Panics
///
/// While compiling: that is its purpose.
#[track_caller]
pub const fn not_applied(retired: &str, names: &Names) {
    if names.has(retired) {
        let text = Text::<512>::new()
            .with("`")
            .with(retired)
            .with("` is applied by a method: its events are not passed over")
            .with("\n\nhelp: take `retired(\"")
            .with(retired)
            .with("\")` off; or give the event up: delete its method and its type");
        panic!("{}", text.as_str());
    }
}

const fn is_among(name: &str, names: &[&str]) -> bool {
    let mut next = 0;
    while next < names.len() {
        if same(names[next], name) {
            return true;
        }
        next += 1;
    }
    false
}

/// Refuses a type, as what another is upcast from, that does not say under which of these names its version was released.
///
/// # Panics
///
/// While compiling: that is its purpose.
#[track_caller]
pub const fn previous_is_named(names: &Names, ty: &str, version: u32, released: &[&str]) {
    let mut next = 0;
    while next < released.len() {
        if !names.has(released[next]) {
            let text = Text::<512>::new()
                .with("version ")
                .with_number(version as u128)
                .with(" of the released event `")
                .with(released[next])
                .with("` is read by `")
                .with(ty)
                .with("`, which does not say that it was called that: it could not be checked")
                .with("\n\nhelp: write `#[event(formerly = \"")
                .with(released[next])
                .with("\")]` on `")
                .with(ty)
                .with("` too, or `name` as its next version does");
            panic!("{}", text.as_str());
        }
        next += 1;
    }
}

/// Refuses a released event whose stored name or version stands only at the type that it is upcast from, where the macro cannot see
/// it. What it took them for is the last but one and the one before, 0 for nothing.
///
/// # Panics
///
/// While compiling: that is its purpose.
#[track_caller]
pub const fn must_be_named(
    name: &str,
    version: u32,
    seen_name: &str,
    seen_version: u32,
    frozen: &[(&str, u32)],
) {
    if same(name, seen_name) && version == seen_version {
        return;
    }
    let mut next = 0;
    while next < frozen.len() {
        let (of, number) = frozen[next];
        if same(of, name) && number == version {
            let text = Text::<512>::new()
                .with("this is version ")
                .with_number(version as u128)
                .with(" of the released event `")
                .with(name)
                .with("`, which only the type says that it is upcast from: it could not be checked")
                .with("\n\nhelp: write `#[event(name = \"")
                .with(name)
                .with("\", version = ")
                .with_number(version as u128)
                .with(", …)]` here too");
            panic!("{}", text.as_str());
        }
        next += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Shape;

    const fn stored(name: &'static str, version: u32) -> StoredShape {
        StoredShape {
            name,
            version,
            oldest: 1,
            shape: &Shape::Null,
        }
    }

    /// Whether a list of two events is refused.
    fn is_refused(name: &'static str, newest: u32, likely: u32) -> bool {
        const OPENED: &Shapes = &Shapes::new(&[stored("Opened", 2)]);
        const CLOSED: &Shapes = &Shapes::new(&[stored("account.closed", 1)]);
        let names = const { Names::new(&["Opened", "account.closed"]) };
        let shapes = const { Shapes::new(&[]).with(&[OPENED, CLOSED]) };
        let released = [
            ("other", "Gone", 1, 1, u32::MAX),
            ("account", name, 1, newest, likely),
        ];
        std::panic::catch_unwind(|| reads_all("account", &released, &names, &shapes, &[])).is_err()
    }

    #[test]
    fn the_place_where_an_event_is_likely_to_be_changes_no_answer() {
        for likely in [0, 1, 2, u32::MAX] {
            assert!(!is_refused("Opened", 2, likely) && !is_refused("account.closed", 1, likely));
            assert!(is_refused("Opened", 3, likely) && is_refused("account.closed", 2, likely));
            assert!(is_refused("Gone", 1, likely), "{likely}");
        }
    }
}
