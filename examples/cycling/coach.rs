//! The coach: reacts to a workout that was too hard by analysing it, and to the analysis by lowering the load.
//!
//! Both are commands in answer to an event, given through [`Act`]: handled again, as after a crash between two steps, an event is
//! answered with what was done the first time. Each names the event as its cause, so the log tells why the load went down.

use recount::prelude::*;
use tokio::sync::mpsc;

use crate::plan::{PerformanceAnalyzed, TrainingPlan, WorkoutCompleted, WorkoutScheduledV2};

/// Who is said to have acted.
const ACTOR: &str = "coach";

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

/// Reacts to events, and says what it did.
#[derive(Debug)]
pub struct Coach {
    says: mpsc::UnboundedSender<String>,
}

/// What stood in the way; the event is handled again.
type Failed = Box<dyn std::error::Error + Send + Sync>;

#[reaction(name = "coach", of(TrainingPlan))]
impl Coach {
    async fn completed(
        &self,
        event: WorkoutCompleted,
        at: &Envelope,
        act: &Act,
    ) -> Result<(), Failed> {
        if event.perceived_effort < HARD {
            return Ok(());
        }
        let areas = ["power_output", "perceived_effort_high"];
        let mut was_hard = false;
        let analyze = |plan: &TrainingPlan| {
            let scheduled = plan.scheduled.get(&event.date);
            let is_weak = scheduled.is_some_and(|it| event.actual_power < expected_average(it));
            // Somebody else may have been faster: a workout is analysed once.
            was_hard = is_weak && plan.analyses < plan.completed.len();
            let result = "High effort at less than the expected power";
            Ok(was_hard.then(|| plan.analyze(result, &areas)))
        };
        let (id, act) = (at.id_of::<TrainingPlan>()?, as_coach(act));
        let version = act.execute(&id, analyze).await?.version();
        if was_hard {
            self.say(format!("{id}: performance analyzed, version {version}"));
        }
        Ok(())
    }

    async fn analyzed(
        &self,
        _: PerformanceAnalyzed,
        at: &Envelope,
        act: &Act,
    ) -> Result<(), Failed> {
        // Who analyses by hand also draws the conclusions.
        if at.metadata.actor.as_deref() != Some(ACTOR) {
            return Ok(());
        }
        let (id, act) = (at.id_of::<TrainingPlan>()?, as_coach(act));
        let adjust =
            |plan: &TrainingPlan| Ok(plan.adjust_load(-5.0, "The last workout was too hard"));
        let adjusted = act.execute(&id, adjust).await?;
        self.say(format!(
            "{id}: load adjusted, version {}",
            adjusted.version()
        ));
        Ok(())
    }
}

impl Coach {
    pub fn new(says: mpsc::UnboundedSender<String>) -> Self {
        Self { says }
    }

    fn say(&self, what: String) {
        // Nobody need listen.
        let _ = self.says.send(what);
    }
}

fn as_coach(act: &Act) -> Act {
    act.with_metadata(Metadata::new().actor(ACTOR))
}
