//! Callers that append: single events and batches, to one stream and to several, under all conditions, some of them twice.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use recount::log::{AppendError, Batch, Expected, Version};
use recount::prelude::*;

use crate::dice::Dice;
use crate::domain::{event, stream};
use crate::history::{Answer, Attempt, Clock, Condition, Part, Plan, Report};

/// Where callers say what they do.
pub type Reporter = Arc<dyn Fn(Report) + Send + Sync>;

/// Streams that all write to all the time.
const BUSY: u64 = 3;
/// Streams that are written to now and then.
const QUIET: u64 = 60;

/// One who calls the store and reports each call before it begins and when it is answered.
pub struct Caller {
    store: Store,
    path: PathBuf,
    clock: Clock,
    report: Reporter,
}

impl Caller {
    pub fn new(store: &Store, clock: &Path, report: &Reporter) -> Self {
        Self {
            store: store.clone(),
            path: clock.to_owned(),
            clock: Clock::open(clock),
            report: Arc::clone(report),
        }
    }

    fn another(&self) -> Self {
        Self::new(&self.store, &self.path, &self.report)
    }

    /// Appends, and is answered. `number` is this attempt's own.
    pub async fn attempt(&mut self, number: u64, plan: &Plan) -> Answer {
        let mut batch = Batch::new();
        let mut index = 0;
        for part in &plan.parts {
            let events = (index..index + part.events).map(|index| event(plan.batch, index));
            batch = batch.append(stream(part.stream), expected(part.condition), events);
            index += part.events;
        }
        if let Some((other, index)) = plan.stolen {
            let last = plan.parts.last().expect("a part").stream;
            batch = batch.append(stream(last), Expected::Any, [event(other, index)]);
        }
        let begun = self.clock.tick();
        (self.report)(Report::Begun(Attempt {
            number,
            plan: plan.clone(),
            begun,
            answer: None,
        }));
        let answer = match self.store.append_batch(batch).await {
            Ok(appended) => Answer::Stored {
                position: appended.position.0,
                versions: appended.streams.iter().map(|part| part.version.0).collect(),
                repeated: appended.repeated,
            },
            Err(AppendError::Conflict { stream, actual, .. }) => Answer::Conflict {
                stream: stream.id().parse().expect("one of ours"),
                actual: actual.0,
            },
            Err(AppendError::Duplicate { .. }) => Answer::Duplicate,
            Err(error @ AppendError::Unavailable { .. }) => Answer::NotTaken(format!("{error:?}")),
            Err(error @ AppendError::Unknown { .. }) => Answer::Unknown(format!("{error:?}")),
            Err(error) => panic!("{plan:?} met {error:?}"),
        };
        let at = self.clock.tick();
        (self.report)(Report::Answered {
            attempt: number,
            at,
            answer: answer.clone(),
        });
        answer
    }
}

fn expected(condition: Condition) -> Expected {
    match condition {
        Condition::Any => Expected::Any,
        Condition::NoStream => Expected::NoStream,
        Condition::StreamExists => Expected::StreamExists,
        Condition::Version(version) => Expected::Version(Version(version)),
    }
}

/// A caller that makes up what to append.
pub struct Writer {
    caller: Caller,
    dice: Dice,
    /// Numbers of attempts and batches are above this.
    last: u64,
    /// Streams from this number on are new, and the same for all who have come equally far.
    fresh: u32,
    planned: u32,
    /// What it was told of streams; others may have gone on since.
    versions: HashMap<u32, u64>,
    /// What it tried lately, to be tried again.
    past: VecDeque<Plan>,
    /// An id that is stored, once there is one.
    known: Option<(u64, u64)>,
}

fn is_taken(answer: Answer) -> Result<(), String> {
    match answer {
        Answer::NotTaken(reason) => Err(reason),
        _ => Ok(()),
    }
}

impl Writer {
    /// `number` is no other writer's in this history; `fresh` may be shared, and streams above it are nobody else's.
    pub fn new(caller: Caller, number: u64, fresh: u32, seed: u64) -> Self {
        Self {
            caller,
            dice: Dice::new(seed ^ number << 20),
            last: number << 32,
            fresh,
            planned: 0,
            versions: HashMap::new(),
            past: VecDeque::new(),
            known: None,
        }
    }

    /// Makes up one thing to do, and does it; an error when the store does not take it.
    pub async fn act(&mut self) -> Result<(), String> {
        let again = match self.past.front() {
            Some(_) if self.dice.percent(8) => {
                Some(self.dice.pick(self.past.make_contiguous()).clone())
            }
            _ => None,
        };
        let plan = again.unwrap_or_else(|| self.plan());
        if self.dice.percent(5) {
            // The same at the same time, as after a timeout that came too early.
            let (number, twin) = (self.number(), plan.clone());
            let mut caller = self.caller.another();
            let twin = tokio::spawn(async move { caller.attempt(number, &twin).await });
            let taken = self.attempt(plan).await;
            let twin = twin.await.expect("the twin is answered");
            taken.and(is_taken(twin))
        } else {
            self.attempt(plan).await
        }
    }

    /// Appends what somebody planned before.
    pub async fn attempt(&mut self, plan: Plan) -> Result<(), String> {
        let number = self.number();
        let answer = self.caller.attempt(number, &plan).await;
        match &answer {
            Answer::Stored { versions, .. } => {
                for (part, version) in plan.parts.iter().zip(versions) {
                    self.versions.insert(part.stream, *version);
                }
                self.known = Some((plan.batch, plan.events() - 1));
            }
            Answer::Conflict { stream, actual } => {
                self.versions.insert(*stream, *actual);
            }
            Answer::Duplicate | Answer::NotTaken(_) | Answer::Unknown(_) => {}
        }
        self.past.push_back(plan);
        if self.past.len() > 16 {
            self.past.pop_front();
        }
        is_taken(answer)
    }

    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn plan(&mut self) -> Plan {
        self.planned += 1;
        let most = if self.dice.percent(20) { 4 } else { 1 };
        let count = 1 + self.dice.below(most);
        let mut parts: Vec<Part> = Vec::new();
        for _ in 0..count {
            let stream = self.stream();
            if parts.iter().all(|part| part.stream != stream) {
                let part = self.part(stream, !parts.is_empty());
                parts.push(part);
            }
        }
        Plan {
            batch: self.number(),
            parts,
            stolen: self.known.filter(|_| self.dice.percent(3)),
        }
    }

    fn stream(&mut self) -> u32 {
        let number = match self.dice.below(100) {
            0..50 => self.dice.below(BUSY),
            50..80 => BUSY + self.dice.below(QUIET),
            _ => return self.fresh + self.planned / 8,
        };
        u32::try_from(number).expect("a small number")
    }

    /// `may_check`: it may also only check its stream.
    fn part(&mut self, stream: u32, may_check: bool) -> Part {
        let known = self.versions.get(&stream).copied().unwrap_or_default();
        let condition = match self.dice.below(100) {
            0..25 => Condition::Any,
            25..35 => Condition::NoStream,
            35..45 => Condition::StreamExists,
            _ => Condition::Version(known),
        };
        let events = match self.dice.below(100) {
            0..20 if may_check => 0,
            0..80 => 1,
            80..95 => 2 + self.dice.below(4),
            _ => 1 + self.dice.below(50),
        };
        Part {
            stream,
            condition,
            events,
        }
    }
}
