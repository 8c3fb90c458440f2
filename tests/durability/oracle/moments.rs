//! When commits can have been, by all that is known.

use super::{Fault, Log, Who};
use crate::history::Stamp;

/// What the order of the log says of commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// It is theirs: writers take turns.
    Commits,
    /// It is that in which positions were drawn, each during its append. Writers of different streams may commit in another order;
    /// who reads the log, and not a stream, sees an event when all before it are decided.
    Draws,
}

/// Through what something was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Through {
    /// Its stream, which shows what is committed.
    Stream,
    /// The log, in its order.
    Log,
}

/// What is known of when each commit was. A batch is one moment: that of its first place.
pub struct Moments<'a> {
    log: &'a Log,
    order: Order,
    /// When positions were drawn.
    draws: Bounds,
    /// When batches were committed.
    commits: Bounds,
    /// When they could be seen in the log.
    views: Bounds,
}

/// For each place, what its moment is not before and not after.
#[derive(Clone)]
struct Bounds {
    not_before: Vec<Option<(Stamp, Who)>>,
    not_after: Vec<Option<(Stamp, Who)>>,
}

impl Bounds {
    fn new(places: usize) -> Self {
        Self {
            not_before: vec![None; places],
            not_after: vec![None; places],
        }
    }

    fn not_before(&mut self, place: usize, bound: Option<(Stamp, Who)>) {
        let here = &mut self.not_before[place];
        *here = match (*here, bound) {
            (Some(one), Some(other)) => Some(one.max_by_stamp(other)),
            (one, other) => one.or(other),
        };
    }

    fn not_after(&mut self, place: usize, bound: Option<(Stamp, Who)>) {
        let here = &mut self.not_after[place];
        *here = match (*here, bound) {
            (Some(one), Some(other)) => Some(one.min_by_stamp(other)),
            (one, other) => one.or(other),
        };
    }
}

impl<'a> Moments<'a> {
    pub fn new(log: &'a Log, order: Order) -> Self {
        let bounds = Bounds::new(log.entries().len());
        Self {
            log,
            order,
            draws: bounds.clone(),
            commits: bounds.clone(),
            views: bounds,
        }
    }

    /// The first place of the batch that stands at this one.
    fn batch(&self, place: usize) -> usize {
        let entry = self.log.entries()[place];
        place - usize::try_from(entry.index).expect("an index")
    }

    /// The batch was appended by a call that began then.
    pub fn not_before(&mut self, place: usize, stamp: Stamp, who: Who) {
        let place = self.batch(place);
        self.draws.not_before(place, Some((stamp, who)));
        self.commits.not_before(place, Some((stamp, who)));
    }

    /// The batch was acknowledged then.
    pub fn not_after(&mut self, place: usize, stamp: Stamp, who: Who) {
        let place = self.batch(place);
        self.draws.not_after(place, Some((stamp, who)));
        self.commits.not_after(place, Some((stamp, who)));
    }

    /// At some moment of a call, all up to one place was there, and nothing from another on.
    pub fn observed(
        &mut self,
        seen: Option<usize>,
        unseen: Option<usize>,
        (begun, ended): (Stamp, Stamp),
        through: Through,
        who: Who,
    ) -> Result<(), Fault> {
        let (seen, unseen) = (
            seen.map(|place| self.batch(place)),
            unseen.map(|place| self.batch(place)),
        );
        if let (Some(seen), Some(unseen)) = (seen, unseen)
            && unseen <= seen
        {
            return Err(Fault::HalfSeen {
                who,
                batch: self.log.entries()[unseen].batch,
            });
        }
        let bounds = match through {
            Through::Stream => &mut self.commits,
            Through::Log => &mut self.views,
        };
        if let Some(seen) = seen {
            bounds.not_after(seen, Some((ended, who)));
        }
        if let Some(unseen) = unseen {
            bounds.not_before(unseen, Some((begun, who)));
        }
        Ok(())
    }

    /// Whether there is a moment for each.
    pub fn rise(&self) -> Result<(), Fault> {
        let before = |place: usize| place.checked_sub(1);
        let mut all = self.views.clone();
        if self.order == Order::Commits {
            for place in 0..self.log.entries().len() {
                all.not_before(place, self.commits.not_before[place]);
                all.not_after(place, self.commits.not_after[place]);
            }
            self.rise_from(all, before)?;
            return Ok(());
        }
        self.rise_from(self.draws.clone(), before)?;
        let before_in_stream = |place: usize| {
            let entry = self.log.entries()[place];
            let before = usize::try_from(entry.version).expect("a version") - 1;
            Some(self.log.versions(entry.stream)[before.checked_sub(1)?])
        };
        let commits = self.rise_from(self.commits.clone(), before_in_stream)?;
        // Nothing is seen before it is committed.
        for (place, bound) in commits.into_iter().enumerate() {
            all.not_before(place, bound);
        }
        self.rise_from(all, before)?;
        Ok(())
    }

    /// Whether there is a moment for each that is not before that of the place before; what each is not before, all in all.
    fn rise_from(
        &self,
        mut bounds: Bounds,
        before: impl Fn(usize) -> Option<usize>,
    ) -> Result<Vec<Option<(Stamp, Who)>>, Fault> {
        let places = self.log.entries().len();
        for place in (0..places).rev() {
            if let Some(before) = before(place) {
                let ceiling = bounds.not_after[self.batch(place)];
                bounds.not_after(self.batch(before), ceiling);
            }
        }
        for place in 0..places {
            let batch = self.batch(place);
            if let Some(before) = before(place) {
                let floor = bounds.not_before[self.batch(before)];
                bounds.not_before(batch, floor);
            }
        }
        for place in 0..places {
            let batch = self.batch(place);
            if let (Some((late, begun)), Some((early, answered))) =
                (bounds.not_before[batch], bounds.not_after[batch])
                && late > early
            {
                return Err(Fault::Reordered {
                    position: self.log.entries()[place].position,
                    early: answered,
                    late: begun,
                });
            }
        }
        Ok(bounds.not_before)
    }
}

trait Bound {
    fn min_by_stamp(self, other: Self) -> Self;
    fn max_by_stamp(self, other: Self) -> Self;
}

impl Bound for (Stamp, Who) {
    fn min_by_stamp(self, other: Self) -> Self {
        if other.0 < self.0 { other } else { self }
    }

    fn max_by_stamp(self, other: Self) -> Self {
        if other.0 > self.0 { other } else { self }
    }
}
