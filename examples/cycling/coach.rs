//! The coach: reacts to a workout that was too hard by analysing it and lowering the load.
//!
//! It is a list of what is to be done, folded from the events and kept in the store, and a loop that does it. A crash
//! between two steps leaves the list as the events say, so the next run goes on where the last one stopped.

use std::collections::BTreeMap;

use recount::log::{EventId, Metadata};
use recount::prelude::*;
use recount::projection::Projector;

use crate::plan::{
    PerformanceAnalyzed, PlanId, TrainingLoadAdjusted, TrainingPlan, WorkoutCompleted,
    WorkoutScheduledV2,
};

/// The effort, of 10, from which a workout counts as hard.
const HARD: u8 = 8;

/// What a rider should hold in a zone, in watts.
fn expected_power(zone: &str) -> u32 {
    match zone {
        "Zone 1" => 140,
        "Zone 2" => 200,
        "Zone 3" => 240,
        "Zone 4" => 270,
        _ => 300,
    }
}

/// The average over a workout's zones, each by its minutes.
fn expected_average(workout: &WorkoutScheduledV2) -> u32 {
    let minutes: u32 = workout.target_zones.values().sum();
    let total: u32 = workout
        .target_zones
        .iter()
        .map(|(zone, minutes)| expected_power(zone) * minutes)
        .sum();
    total.checked_div(minutes).unwrap_or(0)
}

/// What the coach still has to do for a plan.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Task {
    Analyze { because_of: EventId },
    Adjust { because_of: EventId },
}

/// The coach's list.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CoachTasks {
    workouts: BTreeMap<String, BTreeMap<chrono::NaiveDate, u32>>,
    open: BTreeMap<String, Task>,
}

#[projection(name = "coach-tasks", of(TrainingPlan))]
impl CoachTasks {
    fn scheduled(&mut self, event: WorkoutScheduledV2, at: &Envelope) {
        let expected = expected_average(&event);
        self.workouts
            .entry(at.stream.id().to_owned())
            .or_default()
            .insert(event.date, expected);
    }

    fn completed(&mut self, event: WorkoutCompleted, at: &Envelope) {
        let expected = self
            .workouts
            .get_mut(at.stream.id())
            .and_then(|plan| plan.remove(&event.date));
        if event.perceived_effort >= HARD
            && expected.is_some_and(|expected| event.actual_power < expected)
        {
            self.open.insert(
                at.stream.id().to_owned(),
                Task::Analyze { because_of: at.id },
            );
        }
    }

    fn analyzed(&mut self, _: PerformanceAnalyzed, at: &Envelope) {
        if let Some(task @ Task::Analyze { .. }) = self.open.get_mut(at.stream.id()) {
            *task = Task::Adjust { because_of: at.id };
        }
    }

    fn adjusted(&mut self, _: TrainingLoadAdjusted, at: &Envelope) {
        self.open.remove(at.stream.id());
    }
}

/// Does what is on the list until nothing is left; returns what was done.
pub async fn react(store: &Store) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let plans = Repository::<TrainingPlan>::new(store);
    let mut tasks = Projector::<CoachTasks>::stored(store).await?;
    let mut done = Vec::new();
    loop {
        tasks.catch_up().await?;
        let Some((plan, task)) = tasks
            .open
            .first_key_value()
            .map(|(plan, task)| (plan.clone(), *task))
        else {
            return Ok(done);
        };
        let id = PlanId::new(plan)?;
        let (Task::Analyze { because_of } | Task::Adjust { because_of }) = task;
        let plans = plans.with_metadata(Metadata::new().actor("coach").causation(because_of.0));
        let appended = match task {
            Task::Analyze { .. } => {
                let areas = ["power_output", "perceived_effort_high"];
                // A second coach may have been faster: a workout is analysed once.
                let decide = |plan: &TrainingPlan| {
                    let open = plan.analyses < plan.completed.len();
                    Ok(open.then(|| {
                        plan.analyze("High effort at less than the expected power", &areas)
                    }))
                };
                plans.execute(&id, decide).await?
            }
            Task::Adjust { .. } => {
                let decide = |plan: &TrainingPlan| {
                    Ok(plan.adjust_load(-5.0, "The last workout was too hard"))
                };
                plans.execute(&id, decide).await?
            }
        };
        let what = if matches!(task, Task::Analyze { .. }) {
            "performance analyzed"
        } else {
            "load adjusted"
        };
        done.push(format!("{id}: {what}, version {}", appended.version()));
    }
}
