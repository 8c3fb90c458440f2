//! Names of folders that every file system keeps as they are. Two that differ in case only are refused when they are set.

use std::fmt::Write;

/// The folder of an event, within that of the lock.
///
/// Letters, digits, `-` and `_` stay, and the point between category and name; other bytes are written as `%2e`. Names that
/// Windows reserves get a `%` in front of them.
#[must_use]
pub fn folder(category: Option<&str>, event: &str) -> String {
    let mut name = String::new();
    if let Some(category) = category {
        put(category, &mut name);
        name.push('.');
    }
    put(event, &mut name);
    let stem = name
        .split('.')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let numbered = |device: &str| {
        stem.strip_prefix(device).is_some_and(|number| {
            number.len() == 1 && number.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    if ["con", "prn", "aux", "nul"].contains(&stem.as_str()) || numbered("com") || numbered("lpt") {
        name.insert(0, '%');
    }
    name
}

fn put(text: &str, name: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
            // Writing into a `String` does not fail.
            _ => {
                let _ = write!(name, "%{byte:02x}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_have_folders_that_differ() {
        let all = [
            folder(None, "SetDone"),
            folder(None, "set.done"),
            folder(Some("set"), "done"),
            folder(None, "set%2edone"),
        ];
        for (at, name) in all.iter().enumerate() {
            assert!(!all[..at].contains(name), "{name}");
        }
        assert_eq!(all[0], "SetDone");
        assert_eq!(all[2], "set.done");
    }

    #[test]
    fn no_name_leaves_the_folder_or_is_a_device() {
        assert_eq!(folder(None, "../etc"), "%2e%2e%2fetc");
        assert_eq!(folder(None, "Con"), "%Con");
        assert_eq!(folder(Some("com1"), "x"), "%com1.x");
        assert_eq!(folder(None, ""), "");
    }
}
