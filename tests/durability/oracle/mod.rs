//! Whether a log explains what callers saw: if not, the fault has a name.
//!
//! The log's order is the order of commits, so each answer says something of when a commit was. An append committed between
//! its call and its answer. Who was told version *v* of a stream looked when *v* was committed and *v* + 1 was not; the same
//! goes for pages, conflicts and heads. Each is a bound from below or from above on the moment of one commit, and moments
//! rise with positions. If no bound from below, of a commit or one before it, exceeds one from above, of it or one after it,
//! then all calls can be put in one order that agrees with the log and with real time: the history is linearizable. Else
//! it is not. Where the log's order is another than that of commits, [`Order::Draws`], the same is asked of the commits stream
//! by stream, of the appends as they were called, and of what the log showed.

mod fault;
mod log;
mod moments;

use std::collections::{BTreeMap, HashMap};

pub use fault::{Fault, Who};
pub use log::Log;
pub use moments::Order;
use moments::{Moments, Through};

use crate::history::{Answer, Attempt, Entry, History, Look, Plan, Scope, Sight, Stamp};

/// What was checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checked {
    pub stored: u64,
    pub repeated: u64,
    pub conflicts: u64,
    pub duplicates: u64,
    /// Answers that never came, or left it open.
    pub unknown: u64,
    /// Batches that are stored though nobody lived to be told.
    pub untold: u64,
    pub looks: u64,
    /// Events seen by looks.
    pub seen: u64,
}

/// Checks that a log explains a history; of what was in the log before `from`, somebody else may have been the author.
pub fn check(history: &History, log: &Log, from: usize) -> Result<Checked, Fault> {
    check_in(Order::Commits, history, log, from)
}

/// The same for a log of this order.
pub fn check_in(order: Order, history: &History, log: &Log, from: usize) -> Result<Checked, Fault> {
    let mut checked = Checked::default();
    one_winner_each(history)?;
    let mut batches: BTreeMap<u64, Vec<&Attempt>> = BTreeMap::new();
    for attempt in &history.attempts {
        batches.entry(attempt.plan.batch).or_default().push(attempt);
        match &attempt.answer {
            Some((_, Answer::Stored { repeated, .. })) => {
                checked.stored += 1;
                checked.repeated += u64::from(*repeated);
            }
            Some((_, Answer::Conflict { .. })) => checked.conflicts += 1,
            None | Some((_, Answer::Unknown(_))) => checked.unknown += 1,
            Some((_, Answer::Duplicate)) => checked.duplicates += 1,
            Some((_, Answer::NotTaken(_))) => {}
        }
    }
    for entry in &log.entries()[from.min(log.entries().len())..] {
        if !batches.contains_key(&entry.batch) {
            return Err(Fault::Stray {
                batch: entry.batch,
                position: entry.position,
            });
        }
    }
    let mut moments = Moments::new(log, order);
    // All are found before one is judged, for which it matters that the others are whole.
    let mut found = Vec::with_capacity(batches.len());
    for attempts in batches.values() {
        found.push((attempts, find(&attempts[0].plan, log)?));
    }
    for (attempts, place) in found {
        judge(attempts, place, log, &mut moments)?;
        let told = |attempt: &&Attempt| matches!(attempt.answer, Some((_, Answer::Stored { .. })));
        checked.untold += u64::from(place.is_some() && !attempts.iter().any(told));
    }
    follow(&history.looks, log)?;
    for look in &history.looks {
        checked.looks += 1;
        checked.seen += see(look, log, &mut moments)?;
    }
    moments.rise()?;
    Ok(checked)
}

fn one_winner_each(history: &History) -> Result<(), Fault> {
    let mut owners = HashMap::new();
    for attempt in &history.attempts {
        let Some((_, Answer::Stored { versions, .. })) = &attempt.answer else {
            continue;
        };
        let two = attempt.plan.batch;
        for (part, last) in attempt.plan.parts.iter().zip(versions) {
            for version in last.saturating_sub(part.events) + 1..=*last {
                if part.events == 0 {
                    continue;
                }
                let stream = part.stream;
                let one = *owners.entry((stream, version)).or_insert(two);
                if one != two {
                    return Err(Fault::TwoWinners {
                        one,
                        two,
                        stream,
                        version,
                    });
                }
            }
        }
    }
    Ok(())
}

/// Where a batch stands in the log: at consecutive places from this one, or not at all.
fn find(plan: &Plan, log: &Log) -> Result<Option<usize>, Fault> {
    let batch = plan.batch;
    let of = plan.events();
    let places: Vec<_> = (0..of)
        .filter_map(|index| log.place(batch, index))
        .collect();
    let found = places.len() as u64;
    if found == 0 {
        return Ok(None);
    }
    if found < of {
        return Err(Fault::Torn { batch, found, of });
    }
    let streams = plan
        .parts
        .iter()
        .flat_map(|part| (0..part.events).map(|_| part.stream));
    let first = places[0];
    for (index, stream) in streams.enumerate() {
        if places[index] != first + index || log.entries()[places[index]].stream != stream {
            return Err(Fault::Misplaced { batch });
        }
    }
    Ok(Some(first))
}

/// Judges all attempts at one batch.
fn judge(
    attempts: &[&Attempt],
    place: Option<usize>,
    log: &Log,
    moments: &mut Moments<'_>,
) -> Result<(), Fault> {
    let plan = &attempts[0].plan;
    let batch = plan.batch;
    let mut may_be_stored = false;
    let mut applied: Option<&Attempt> = None;
    let mut told = false;
    for attempt in attempts {
        match &attempt.answer {
            Some((_, Answer::Stored { .. } | Answer::Conflict { .. })) if plan.stolen.is_some() => {
                return Err(Fault::StolenIdMistaken { batch });
            }
            Some((_, Answer::Duplicate)) if plan.stolen.is_none() => {
                return Err(Fault::TakenForAnother { batch });
            }
            None | Some((_, Answer::Unknown(_))) => may_be_stored = plan.stolen.is_none(),
            Some((
                at,
                Answer::Stored {
                    position,
                    versions,
                    repeated,
                },
            )) => {
                let Some(place) = place else {
                    return Err(Fault::Lost { batch });
                };
                stands_where_told(plan, log, place, *position, versions, *repeated)?;
                if !repeated && applied.replace(attempt).is_some() {
                    return Err(Fault::AppliedTwice { batch });
                }
                moments.not_after(place, *at, Who::Attempt(attempt.number));
                told = true;
            }
            Some((_, Answer::Conflict { .. } | Answer::Duplicate | Answer::NotTaken(_))) => {}
        }
    }
    if let Some(first) = place {
        if applied.is_none() && !may_be_stored {
            return Err(if told {
                Fault::NeverApplied { batch }
            } else {
                Fault::RefusedButStored { batch }
            });
        }
        conditions_held(plan, log, first)?;
        // Who was told that it is new, wrote it; else it was one whose answer is missing, the first for all that is known.
        let earliest = applied
            .or_else(|| attempts.iter().copied().min_by_key(|attempt| attempt.begun))
            .expect("an attempt");
        moments.not_before(first, earliest.begun, Who::Attempt(earliest.number));
    }
    for attempt in attempts {
        if let Some((at, Answer::Conflict { stream, actual })) = attempt.answer {
            refused_for_cause(attempt, at, (stream, actual), place, log, moments)?;
        }
    }
    Ok(())
}

/// A conflict tells of a version that the stream had during the call, and that the condition did not allow.
fn refused_for_cause(
    attempt: &Attempt,
    answered: Stamp,
    (stream, version): (u32, u64),
    place: Option<usize>,
    log: &Log,
    moments: &mut Moments<'_>,
) -> Result<(), Fault> {
    let (batch, who) = (attempt.plan.batch, Who::Attempt(attempt.number));
    let mut parts = attempt.plan.parts.iter();
    if !parts.any(|part| part.stream == stream && !part.condition.holds(version)) {
        return Err(Fault::RefusedWithoutCause {
            batch,
            stream,
            version,
        });
    }
    let (seen, unseen) = version_places(log, stream, version, who)?;
    // If another attempt stored the batch, it was not stored yet, or it would have been recognised.
    if seen.is_some() && place.is_some() && seen >= place {
        return Err(Fault::NotRecognised { batch });
    }
    let unseen = match (unseen, place) {
        (Some(next), Some(place)) => Some(next.min(place)),
        (one, other) => one.or(other),
    };
    let during = (attempt.begun, answered);
    moments.observed(seen, unseen, during, Through::Stream, who)
}

/// What an answer says of a batch is what the log says.
fn stands_where_told(
    plan: &Plan,
    log: &Log,
    first: usize,
    position: u64,
    versions: &[u64],
    repeated: bool,
) -> Result<(), Fault> {
    let wrong = Err(Fault::WrongPlace { batch: plan.batch });
    let mut end = first;
    if versions.len() != plan.parts.len() {
        return wrong;
    }
    for (part, version) in plan.parts.iter().zip(versions) {
        if part.events > 0 {
            end += usize::try_from(part.events).expect("a count");
            if log.entries()[end - 1].version != *version {
                return wrong;
            }
        } else if !repeated && version_before(log, part.stream, first) != *version {
            // A repetition says what is there now of a stream that it only checks.
            return wrong;
        }
    }
    if log.entries()[end - 1].position == position {
        Ok(())
    } else {
        wrong
    }
}

/// The version of a stream before what stands at a place.
fn version_before(log: &Log, stream: u32, place: usize) -> u64 {
    log.versions(stream).partition_point(|at| *at < place) as u64
}

fn conditions_held(plan: &Plan, log: &Log, first: usize) -> Result<(), Fault> {
    for part in &plan.parts {
        let version = version_before(log, part.stream, first);
        if !part.condition.holds(version) {
            return Err(Fault::ConditionBroken {
                batch: plan.batch,
                stream: part.stream,
                version,
            });
        }
    }
    Ok(())
}

/// Where a version of a stream stands, and the next one.
fn version_places(
    log: &Log,
    stream: u32,
    version: u64,
    who: Who,
) -> Result<(Option<usize>, Option<usize>), Fault> {
    let versions = log.versions(stream);
    let next = usize::try_from(version).expect("a version");
    if next > versions.len() {
        return Err(Fault::NeverWas {
            who,
            stream,
            version,
        });
    }
    let seen = next.checked_sub(1).map(|last| versions[last]);
    Ok((seen, versions.get(next).copied()))
}

/// Each follower goes on where it was, up to the log's end.
fn follow(looks: &[Look], log: &Log) -> Result<(), Fault> {
    let mut followers = BTreeMap::new();
    for look in looks {
        if let Sight::Page {
            scope,
            after,
            entries,
            ..
        } = &look.sight
        {
            let (at, _) = followers.entry(look.reader).or_insert((0, *scope));
            if at != after {
                return Err(Fault::LostItsPlace {
                    who: Who::Reader(look.reader),
                    at: *at,
                    after: *after,
                });
            }
            *at = entries.last().map_or(*after, |entry| entry.position);
        }
    }
    for (reader, (at, scope)) in followers {
        if let (rest, None) = log.within(scope, at, u64::MAX)
            && let Some(end) = rest.last()
        {
            return Err(Fault::EndedEarly {
                who: Who::Reader(reader),
                at,
                end: log.entries()[*end].position,
            });
        }
    }
    Ok(())
}

/// Compares what was seen with the log, and says how many events that were.
fn see(look: &Look, log: &Log, moments: &mut Moments<'_>) -> Result<u64, Fault> {
    let who = Who::Reader(look.reader);
    let (seen, unseen, count) = match &look.sight {
        Sight::Page {
            scope,
            after,
            entries,
            last,
        } => {
            let to = entries.last().map_or(*after, |entry| entry.position);
            let (places, next) = log.within(*scope, *after, to);
            same(entries.iter(), &places, log, who)?;
            (
                places.last().copied(),
                next.filter(|_| *last),
                entries.len(),
            )
        }
        Sight::Newest {
            scope,
            entries,
            last,
        } => {
            let to = entries.first().map_or(0, |entry| entry.position);
            let oldest = entries.last().filter(|_| !last);
            let after = oldest.map_or(0, |entry| entry.position.saturating_sub(1));
            let (places, next) = log.within(*scope, after, to);
            same(entries.iter().rev(), &places, log, who)?;
            (places.last().copied(), next, entries.len())
        }
        Sight::Version { stream, version } => {
            let (seen, unseen) = version_places(log, *stream, *version, who)?;
            (seen, unseen, 0)
        }
        Sight::Head { position } => {
            let (places, next) = log.within(Scope::All, position.saturating_sub(1), *position);
            if places.is_empty() && *position > 0 {
                return Err(Fault::Phantom {
                    who,
                    position: *position,
                });
            }
            (places.last().copied(), next, 0)
        }
    };
    let through = match &look.sight {
        Sight::Version { .. } => Through::Stream,
        Sight::Page { scope, .. } | Sight::Newest { scope, .. }
            if matches!(scope, Scope::Stream(_)) =>
        {
            Through::Stream
        }
        Sight::Page { .. } | Sight::Newest { .. } | Sight::Head { .. } => Through::Log,
    };
    moments.observed(seen, unseen, (look.begun, look.ended), through, who)?;
    Ok(count as u64)
}

fn same<'a>(
    seen: impl Iterator<Item = &'a Entry>,
    places: &[usize],
    log: &Log,
    who: Who,
) -> Result<(), Fault> {
    let mut there = places.iter().map(|place| &log.entries()[*place]).peekable();
    for entry in seen {
        let position = entry.position;
        match there.next() {
            Some(stored) if stored == entry => {}
            Some(stored) if stored.position < position => {
                return Err(Fault::Missed {
                    who,
                    position: stored.position,
                });
            }
            _ => return Err(Fault::Phantom { who, position }),
        }
    }
    there.next().map_or(Ok(()), |stored| {
        Err(Fault::Missed {
            who,
            position: stored.position,
        })
    })
}
