//! Payloads judged by a shape, and payloads made from one.
//!
//! What generated tests use: [`validate`] tells whether a value could have been written or can be read, [`payloads`] makes values
//! at the edges of what a shape allows, [`sparse_payloads`] those that lack what may be missing, and [`differs`] whether a payload is still read as it was.

mod differs;
mod generate;
mod validate;

pub use differs::{Difference, differs, events_differ};
pub use generate::{payloads, sparse_payloads};
pub use validate::{Misfit, validate};

pub(crate) mod time {
    //! Dates and times as strings, as far as serde's crates agree on them.

    /// `2026-11-21`, a day that there is; years beyond four digits have a sign.
    pub fn is_date(text: &str) -> bool {
        let signed = text.starts_with(['+', '-']);
        let mut parts = text[usize::from(signed)..].splitn(3, '-');
        let year = parts.next().unwrap_or_default();
        let (Some(year), Some(month), Some(day)) = (
            digits(year, if signed { year.len().clamp(5, 6) } else { 4 }),
            parts.next().and_then(|part| digits(part, 2)),
            parts.next().and_then(|part| digits(part, 2)),
        ) else {
            return false;
        };
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            1..=12 => 31,
            _ => return false,
        };
        (1..=days).contains(&day)
    }

    /// `17:05:00`, with parts of a second perhaps.
    pub fn is_time(text: &str) -> bool {
        let (time, parts) = text.split_once('.').unwrap_or((text, "0"));
        let all: Vec<_> = time.split(':').map(|part| digits(part, 2)).collect();
        matches!(all[..], [Some(..24), Some(..60), Some(..=60)])
            && !parts.is_empty()
            && parts.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// `2026-11-21T17:05:00`.
    pub fn is_naive(text: &str) -> bool {
        text.split_once('T')
            .is_some_and(|(date, time)| is_date(date) && is_time(time))
    }

    /// `2026-11-21T17:05:00Z` or `…+01:00`.
    pub fn is_with_offset(text: &str) -> bool {
        if let Some(naive) = text.strip_suffix('Z') {
            return is_naive(naive);
        }
        let Some(at) = text.rfind(['+', '-']) else {
            return false;
        };
        let (naive, offset) = text.split_at(at);
        is_naive(naive) && is_time(&format!("{}:00", &offset[1..]))
    }

    fn digits(text: &str, count: usize) -> Option<u32> {
        (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse().ok())
            .flatten()
    }
}
