//! The training plan: its events, its state, its rules.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct PlanId(String);

// What happened to a plan.

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct TrainingPlanCreated {
    pub athlete_id: String,
    pub target_event: String,
    pub duration_weeks: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct TrainingBlockAdded {
    pub phase_name: String,
    pub duration_weeks: u32,
    pub focus: String,
}

/// A workout as the first release stored it: with a single zone. Nothing writes it any more; what is stored is read as
/// [`WorkoutScheduledV2`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct WorkoutScheduled {
    pub date: NaiveDate,
    pub workout_type: String,
    pub duration_minutes: u32,
    pub target_zone: String,
}

/// A workout with the minutes for each zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = WorkoutScheduled)]
pub struct WorkoutScheduledV2 {
    pub date: NaiveDate,
    pub workout_type: String,
    pub duration_minutes: u32,
    pub target_zones: BTreeMap<String, u32>,
    pub weather_conditions: Option<String>,
}

impl From<WorkoutScheduled> for WorkoutScheduledV2 {
    fn from(old: WorkoutScheduled) -> Self {
        Self {
            date: old.date,
            workout_type: old.workout_type,
            duration_minutes: old.duration_minutes,
            target_zones: BTreeMap::from([(old.target_zone, old.duration_minutes)]),
            weather_conditions: None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct WorkoutCompleted {
    pub date: NaiveDate,
    /// The average, in watts.
    pub actual_power: u32,
    /// From 1 to 10.
    pub perceived_effort: u8,
    pub notes: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct PerformanceAnalyzed {
    pub analysis_result: String,
    pub struggling_areas: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct TrainingLoadAdjusted {
    pub old_training_load: f64,
    pub new_training_load: f64,
    pub adjustment_percentage: f64,
    pub reason: String,
}

/// Why a plan refuses a command. That a plan exists already, or does not exist, is the framework's own error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("a workout is already scheduled for {0}")]
    AlreadyScheduled(NaiveDate),
    #[error("no workout is scheduled for {0}")]
    NotScheduled(NaiveDate),
}

/// What the rules need to know of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(stream = "training-plan", id = PlanId, error = PlanError, snapshots, locked)]
pub struct TrainingPlan {
    pub athlete_id: String,
    pub target_event: String,
    pub duration_weeks: u32,
    pub blocks: Vec<TrainingBlockAdded>,
    pub scheduled: BTreeMap<NaiveDate, WorkoutScheduledV2>,
    pub completed: Vec<WorkoutCompleted>,
    pub analyses: usize,
    /// A factor on the intensity of all workouts.
    pub load: f64,
}

#[apply]
impl TrainingPlan {
    fn created(event: TrainingPlanCreated) -> Self {
        Self {
            athlete_id: event.athlete_id,
            target_event: event.target_event,
            duration_weeks: event.duration_weeks,
            blocks: Vec::new(),
            scheduled: BTreeMap::new(),
            completed: Vec::new(),
            analyses: 0,
            load: 1.0,
        }
    }

    fn block_added(&mut self, event: TrainingBlockAdded) {
        self.blocks.push(event);
    }

    fn scheduled(&mut self, event: WorkoutScheduledV2) {
        self.scheduled.insert(event.date, event);
    }

    fn completed(&mut self, event: WorkoutCompleted) {
        self.completed.push(event);
    }

    fn analyzed(&mut self, _: PerformanceAnalyzed) {
        self.analyses += 1;
    }

    fn load_adjusted(&mut self, event: TrainingLoadAdjusted) {
        self.load = event.new_training_load;
    }
}

/// Decisions: they look at the state, and return what happens or why not.
#[expect(
    clippy::unused_self,
    reason = "only what exists can be added to or analysed, even if no rule asks for more"
)]
impl TrainingPlan {
    pub fn create(
        athlete_id: &str,
        target_event: &str,
        duration_weeks: u32,
    ) -> TrainingPlanCreated {
        TrainingPlanCreated {
            athlete_id: athlete_id.into(),
            target_event: target_event.into(),
            duration_weeks,
        }
    }

    pub fn add_block(
        &self,
        phase_name: &str,
        duration_weeks: u32,
        focus: &str,
    ) -> TrainingBlockAdded {
        TrainingBlockAdded {
            phase_name: phase_name.into(),
            duration_weeks,
            focus: focus.into(),
        }
    }

    pub fn schedule(
        &self,
        date: NaiveDate,
        workout_type: &str,
        target_zones: BTreeMap<String, u32>,
    ) -> Result<WorkoutScheduledV2, PlanError> {
        if self.scheduled.contains_key(&date) {
            return Err(PlanError::AlreadyScheduled(date));
        }
        let duration_minutes = target_zones.values().sum();
        let workout_type = workout_type.into();
        Ok(WorkoutScheduledV2 {
            date,
            workout_type,
            duration_minutes,
            target_zones,
            weather_conditions: None,
        })
    }

    pub fn complete(
        &self,
        date: NaiveDate,
        actual_power: u32,
        perceived_effort: u8,
        notes: &str,
    ) -> Result<WorkoutCompleted, PlanError> {
        if !self.scheduled.contains_key(&date) {
            return Err(PlanError::NotScheduled(date));
        }
        Ok(WorkoutCompleted {
            date,
            actual_power,
            perceived_effort,
            notes: notes.into(),
        })
    }

    pub fn analyze(&self, analysis_result: &str, struggling_areas: &[&str]) -> PerformanceAnalyzed {
        PerformanceAnalyzed {
            analysis_result: analysis_result.into(),
            struggling_areas: struggling_areas.iter().map(ToString::to_string).collect(),
        }
    }

    pub fn adjust_load(&self, adjustment_percentage: f64, reason: &str) -> TrainingLoadAdjusted {
        TrainingLoadAdjusted {
            old_training_load: self.load,
            new_training_load: self.load * (1.0 + adjustment_percentage / 100.0),
            adjustment_percentage,
            reason: reason.into(),
        }
    }
}
