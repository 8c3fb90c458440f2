//! The kinds of events that there are, as the readers of a database remember them.

use std::sync::Arc;

use crate::log::{Kind, Query};

/// All kinds up to the newest one that was there. Kinds are never changed or deleted and their numbers rise, so the newest
/// one's number tells whether this is still all there is.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    /// The kind with number *n* at index *n*; numbers begin at 1.
    by_number: Vec<Option<Arc<Kind>>>,
    newest: i64,
    count: usize,
}

/// The highest number that is believed: databases count, so a higher one is damage.
const MOST: usize = 1 << 20;

/// The kinds that a query can meet.
#[derive(Debug)]
pub(super) enum Chosen {
    /// The query does not ask.
    Any,
    /// It asks, and all that there are fit.
    All,
    /// These.
    These(Vec<i64>),
}

impl Kinds {
    /// Adds the next one; a damaged one is left out, and each of its events is reported.
    pub(super) fn push(&mut self, number: i64, kind: Option<Kind>) {
        self.newest = number;
        self.count += 1;
        let Some(number) = usize::try_from(number).ok().filter(|n| *n <= MOST) else {
            return;
        };
        self.by_number.resize(number + 1, None);
        if let Some(slot) = self.by_number.last_mut() {
            *slot = kind.map(Arc::new);
        }
    }

    /// The number of the newest one; 0 when there is none.
    pub(super) fn newest(&self) -> i64 {
        self.newest
    }

    pub(super) fn get(&self, number: i64) -> Option<&Arc<Kind>> {
        self.by_number.get(usize::try_from(number).ok()?)?.as_ref()
    }

    pub(super) fn choose(&self, query: &Query) -> Chosen {
        if query.tenant.is_none() && query.selectors.is_empty() {
            return Chosen::Any;
        }
        // A stream has one tenant, whose kinds need no second look.
        if query.stream.is_some() && query.selectors.is_empty() {
            return Chosen::Any;
        }
        let fits = |kind: &Kind| {
            (query.tenant.is_none() || query.tenant == kind.tenant)
                && (query.selectors.is_empty()
                    || query
                        .selectors
                        .iter()
                        .any(|selector| selector.fits(kind.category.as_str(), &kind.name)))
        };
        let these: Vec<i64> = (0_i64..)
            .zip(&self.by_number)
            .filter_map(|(number, kind)| fits(kind.as_ref()?).then_some(number))
            .collect();
        if these.len() == self.count && !these.is_empty() {
            Chosen::All
        } else {
            Chosen::These(these)
        }
    }
}
