//! When commits can have been, by all that is known.

use super::{Fault, Log, Who};
use crate::history::Stamp;

/// What is known of when each commit was. A batch is one moment: that of its first place.
pub struct Moments<'a> {
    log: &'a Log,
    not_before: Vec<Option<(Stamp, Who)>>,
    not_after: Vec<Option<(Stamp, Who)>>,
}

impl<'a> Moments<'a> {
    pub fn new(log: &'a Log) -> Self {
        Self {
            log,
            not_before: vec![None; log.entries().len()],
            not_after: vec![None; log.entries().len()],
        }
    }

    /// The first place of the batch that stands at this one.
    fn batch(&self, place: usize) -> usize {
        let entry = self.log.entries()[place];
        place - usize::try_from(entry.index).expect("an index")
    }

    pub fn not_before(&mut self, place: usize, stamp: Stamp, who: Who) {
        let place = self.batch(place);
        let bound = &mut self.not_before[place];
        *bound = Some(bound.map_or((stamp, who), |bound| bound.max_by_stamp((stamp, who))));
    }

    pub fn not_after(&mut self, place: usize, stamp: Stamp, who: Who) {
        let place = self.batch(place);
        let bound = &mut self.not_after[place];
        *bound = Some(bound.map_or((stamp, who), |bound| bound.min_by_stamp((stamp, who))));
    }

    /// At some moment of a call, all up to one place was committed, and nothing from another on.
    pub fn observed(
        &mut self,
        seen: Option<usize>,
        unseen: Option<usize>,
        (begun, ended): (Stamp, Stamp),
        who: Who,
    ) -> Result<(), Fault> {
        if let (Some(seen), Some(unseen)) = (seen, unseen)
            && self.batch(unseen) <= self.batch(seen)
        {
            return Err(Fault::HalfSeen {
                who,
                batch: self.log.entries()[unseen].batch,
            });
        }
        if let Some(seen) = seen {
            self.not_after(seen, ended, who);
        }
        if let Some(unseen) = unseen {
            self.not_before(unseen, begun, who);
        }
        Ok(())
    }

    /// Whether there is a moment for each commit.
    pub fn rise(&self) -> Result<(), Fault> {
        // From the end, the lowest bound from above so far.
        let mut ceilings = self.not_after.clone();
        let mut ceiling: Option<(Stamp, Who)> = None;
        for bound in ceilings.iter_mut().rev() {
            ceiling = match (ceiling, *bound) {
                (Some(one), Some(other)) => Some(one.min_by_stamp(other)),
                (one, other) => one.or(other),
            };
            *bound = ceiling;
        }
        let mut floor: Option<(Stamp, Who)> = None;
        for (place, ceiling) in ceilings.into_iter().enumerate() {
            floor = match (floor, self.not_before[place]) {
                (Some(one), Some(other)) => Some(one.max_by_stamp(other)),
                (one, other) => one.or(other),
            };
            if let (Some((late, begun)), Some((early, answered))) = (floor, ceiling)
                && late > early
            {
                return Err(Fault::Reordered {
                    position: self.log.entries()[place].position,
                    early: answered,
                    late: begun,
                });
            }
        }
        Ok(())
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
