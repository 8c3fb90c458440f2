//! What an athlete's dashboard shows.

use std::collections::BTreeMap;

use recount::prelude::*;

use crate::plan::{TrainingLoadAdjusted, TrainingPlan, TrainingPlanCreated, WorkoutCompleted};

/// One athlete, over all of their plans.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AthleteStats {
    pub workouts: u32,
    total_power: u64,
    pub load_history: Vec<f64>,
}

impl AthleteStats {
    /// Watts, over all workouts.
    #[expect(clippy::cast_precision_loss, reason = "nobody rides 2⁵³ watts")]
    pub fn average_power(&self) -> Option<f64> {
        (self.workouts > 0).then(|| self.total_power as f64 / f64::from(self.workouts))
    }
}

/// The statistics of all athletes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AthleteTrainingStats {
    athletes: BTreeMap<String, AthleteStats>,
    /// Events after the first do not repeat whose plan it is.
    athlete_of_plan: BTreeMap<String, String>,
}

#[projection(name = "athlete-training-stats", of(TrainingPlan))]
impl AthleteTrainingStats {
    fn created(&mut self, event: TrainingPlanCreated, at: &Envelope) {
        self.athletes
            .entry(event.athlete_id.clone())
            .or_default()
            .load_history
            .push(1.0);
        self.athlete_of_plan
            .insert(at.stream.id().to_owned(), event.athlete_id);
    }

    fn completed(&mut self, event: WorkoutCompleted, at: &Envelope) {
        if let Some(athlete) = self.of_plan(at) {
            athlete.workouts += 1;
            athlete.total_power += u64::from(event.actual_power);
        }
    }

    fn load_adjusted(&mut self, event: TrainingLoadAdjusted, at: &Envelope) {
        if let Some(athlete) = self.of_plan(at) {
            athlete.load_history.push(event.new_training_load);
        }
    }
}

impl AthleteTrainingStats {
    fn of_plan(&mut self, at: &Envelope) -> Option<&mut AthleteStats> {
        let athlete = self.athlete_of_plan.get(at.stream.id())?;
        self.athletes.get_mut(athlete)
    }

    pub fn all(&self) -> impl Iterator<Item = (&str, &AthleteStats)> {
        self.athletes
            .iter()
            .map(|(athlete, stats)| (athlete.as_str(), stats))
    }
}
