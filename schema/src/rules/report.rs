//! What was found.

use std::fmt;

use super::path::At;
use super::rule::{Level, Rule};
use crate::text::{Text, same};

/// Whom a problem hits: a set of up to three.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Breaks(u8);

impl Breaks {
    /// Nobody.
    pub const NOTHING: Self = Self(0);
    /// New code cannot read stored payloads.
    pub const BACKWARD: Self = Self(1);
    /// Released code cannot read new payloads.
    pub const FORWARD: Self = Self(2);
    /// Stored payloads are read, but may mean something else.
    pub const MEANING: Self = Self(4);

    /// Those of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of the others are among these.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether there are none.
    pub const fn is_nothing(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Breaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut and = "";
        for (one, name) in [
            (Self::BACKWARD, "backward"),
            (Self::FORWARD, "forward"),
            (Self::MEANING, "meaning"),
        ] {
            if self.has(one) {
                write!(f, "{and}{name}")?;
                and = ", ";
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Breaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Breaks({self})")
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Problem {
    /// The rule that is broken.
    pub rule: Rule,
    /// Whom it hits.
    pub breaks: Breaks,
    /// Where: `.place.zip`, `.tags[]`, `.by_day{}`, `.target<Kind>`; empty for the whole.
    pub path: Text<96>,
    /// What was there, in short words; empty where nothing was, and where a shape is wrong by itself.
    pub before: Text<48>,
    /// What is there now.
    pub after: Text<48>,
}

impl Problem {
    const NONE: Self = Self {
        rule: Rule::UnknownShape,
        breaks: Breaks::NOTHING,
        path: Text::new(),
        before: Text::new(),
        after: Text::new(),
    };

    /// Whether it lies in what a field of the event holds, and not in the field itself.
    pub const fn is_within(&self, field: &str) -> bool {
        let path = self.path.as_str();
        let is_of_field = matches!(
            self.rule,
            Rule::FieldAdded
                | Rule::FieldRemoved
                | Rule::BecameRequired
                | Rule::UnknownFieldDenied
                | Rule::DuplicateField
        );
        is_in(path, field) && !(is_of_field && path.len() == field.len() + 1)
    }

    /// The variant that is gone, and what it is called now if one alone went and one came.
    pub const fn gone_variant(&self) -> Option<(&str, &str)> {
        match (self.rule, last_variant(self.path.as_str())) {
            (Rule::VariantRemoved, Some(was)) => Some((was, self.after.as_str())),
            _ => None,
        }
    }

    /// Before and after: `u16 0..=65535 -> u8 0..=255`, or the rule's title where there is nothing to be said.
    pub(super) const fn push_change<const N: usize>(&self, text: &mut Text<N>) {
        let (before, after) = (self.before.as_str(), self.after.as_str());
        if before.is_empty() && after.is_empty() {
            text.push(self.rule.title());
        } else {
            text.push(if before.is_empty() { "nothing" } else { before });
            text.push(" -> ");
            text.push(if after.is_empty() { "nothing" } else { after });
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut change = Text::<128>::new();
        self.push_change(&mut change);
        write!(f, "[{}] ", self.rule.code())?;
        if !self.path.as_str().is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{change} ({})", self.breaks)
    }
}

/// The problems that were found: the first sixteen, unless another number is asked for, and the number of the rest.
///
/// ```
/// use recount_schema::{Breaks, Shaped, compare};
///
/// let report = compare(<Vec<String>>::SHAPE, <Vec<u8>>::SHAPE);
/// assert!(report.breaks().has(Breaks::BACKWARD));
/// assert_eq!(report.to_string(), "[RC1010] []: string -> integer (backward, forward)\n");
/// ```
#[derive(Clone, Copy)]
pub struct Report<const KEPT: usize = 16> {
    problems: [Problem; KEPT],
    len: usize,
    more: usize,
    breaks: Breaks,
}

impl<const KEPT: usize> Report<KEPT> {
    pub(super) const fn new() -> Self {
        Self {
            problems: [Problem::NONE; KEPT],
            len: 0,
            more: 0,
            breaks: Breaks::NOTHING,
        }
    }

    /// Those that are held, in the order in which they were found.
    pub const fn problems(&self) -> &[Problem] {
        let (problems, _) = self.problems.split_at(self.len);
        problems
    }

    /// How many were found that are not held.
    pub const fn more(&self) -> usize {
        self.more
    }

    /// The one field that came where this one went, with JSON of the same kind: what it is called now, as far as can be told.
    pub const fn renamed(&self, gone: &Problem) -> Option<&Problem> {
        if !matches!(gone.rule, Rule::FieldRemoved) {
            return None;
        }
        let (mut came, mut next) = (None, 0);
        while next < self.len {
            let problem = &self.problems[next];
            next += 1;
            if matches!(problem.rule, Rule::FieldAdded)
                && same(problem.after.as_str(), gone.before.as_str())
                && same(
                    split_last(problem.path.as_str()).0,
                    split_last(gone.path.as_str()).0,
                )
            {
                if came.is_some() {
                    return None;
                }
                came = Some(problem);
            }
        }
        came
    }

    /// Whether nothing was found.
    pub const fn is_clean(&self) -> bool {
        self.breaks.is_nothing()
    }

    /// Whom they hit, those that are not held included.
    pub const fn breaks(&self) -> Breaks {
        self.breaks
    }

    /// Whether one of them is refused unless a policy says something else.
    pub const fn is_denied(&self) -> bool {
        let mut at = 0;
        while at < self.len {
            if let Level::Deny = self.problems[at].rule.level() {
                return true;
            }
            at += 1;
        }
        self.more > 0
    }

    pub(super) const fn push(
        &mut self,
        rule: Rule,
        breaks: Breaks,
        at: &At<'_>,
        before: Text<48>,
        after: Text<48>,
    ) {
        self.breaks = self.breaks.and(breaks);
        let mut path = Text::new();
        at.push_to(&mut path);
        let mut known = 0;
        while known < self.len {
            let problem = &mut self.problems[known];
            if problem.rule as u32 == rule as u32 && same(problem.path.as_str(), path.as_str()) {
                problem.breaks = problem.breaks.and(breaks);
                return;
            }
            known += 1;
        }
        if self.len == KEPT {
            self.more += 1;
            return;
        }
        self.problems[self.len] = Problem {
            rule,
            breaks,
            path,
            before,
            after,
        };
        self.len += 1;
    }
}

/// Whether a path begins with a field.
pub(super) const fn is_in(path: &str, field: &str) -> bool {
    let [b'.', ..] = path.as_bytes() else {
        return false;
    };
    let Some((first, rest)) = path.split_at(1).1.split_at_checked(field.len()) else {
        return false;
    };
    matches!(rest.as_bytes(), [] | [b'.' | b'[' | b'{' | b'<', ..]) && same(first, field)
}

/// A path up to its last key, and that key.
pub(super) const fn split_last(path: &str) -> (&str, &str) {
    let bytes = path.as_bytes();
    let mut at = bytes.len();
    while at > 0 && bytes[at - 1] != b'.' {
        at -= 1;
    }
    path.split_at(at)
}

/// The variant that a path ends with.
const fn last_variant(path: &str) -> Option<&str> {
    let [path @ .., b'>'] = path.as_bytes() else {
        return None;
    };
    let mut at = path.len();
    while at > 0 && path[at - 1] != b'<' {
        at -= 1;
    }
    match str::from_utf8(path.split_at(at).1) {
        Ok(name) => Some(name),
        Err(_) => None,
    }
}

impl<const KEPT: usize> fmt::Debug for Report<KEPT> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report")
            .field("problems", &self.problems())
            .field("more", &self.more)
            .field("breaks", &self.breaks)
            .finish_non_exhaustive()
    }
}

/// A line for each problem.
impl<const KEPT: usize> fmt::Display for Report<KEPT> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in self.problems() {
            writeln!(f, "{problem}")?;
        }
        if self.more > 0 {
            writeln!(f, "and {} more", self.more)?;
        }
        Ok(())
    }
}
