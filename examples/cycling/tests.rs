//! The rules of the plan, what old workouts are read as, and what the coach does.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use recount::Store;
use recount::projection::FollowError;
use recount::reaction::Reactor;
use recount::testing::{given, given_log, golden, upcast};
use tokio::sync::mpsc;

use crate::coach::Coach;
use crate::plan::{
    PerformanceAnalyzed, PlanError, PlanId, TrainingBlockAdded, TrainingLoadAdjusted, TrainingPlan,
    TrainingPlanCreated, WorkoutCompleted, WorkoutScheduled, WorkoutScheduledV2,
};
use crate::stats::AthleteTrainingStats;

fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, day).unwrap_or_default()
}

fn created() -> TrainingPlanCreated {
    TrainingPlan::create("athlete-123", "Century Ride", 16)
}

fn scheduled(on: u32) -> WorkoutScheduledV2 {
    WorkoutScheduledV2 {
        date: day(on),
        workout_type: "Endurance".into(),
        duration_minutes: 60,
        target_zones: BTreeMap::from([("Zone 2".into(), 60)]),
        weather_conditions: None,
    }
}

fn completed(on: u32, actual_power: u32, perceived_effort: u8) -> WorkoutCompleted {
    WorkoutCompleted {
        date: day(on),
        actual_power,
        perceived_effort,
        notes: "Windy".into(),
    }
}

/// A workout as the first release stored it.
fn old_workout(on: u32) -> WorkoutScheduled {
    WorkoutScheduled {
        date: day(on),
        workout_type: "Endurance".into(),
        duration_minutes: 60,
        target_zone: "Zone 2".into(),
    }
}

#[test]
fn a_block_is_added_to_a_plan() {
    given::<TrainingPlan>(created())
        .when(|plan| plan.add_block("Base", 4, "Endurance"))
        .then(TrainingBlockAdded {
            phase_name: "Base".into(),
            duration_weeks: 4,
            focus: "Endurance".into(),
        });
}

#[test]
fn a_day_has_one_workout() {
    let zones = || scheduled(2).target_zones;
    given::<TrainingPlan>((created(), scheduled(1)))
        .when(|plan| plan.schedule(day(2), "Endurance", zones()))
        .then(scheduled(2));
    given::<TrainingPlan>((created(), scheduled(2)))
        .when(|plan| plan.schedule(day(2), "Endurance", zones()))
        .then_err(PlanError::AlreadyScheduled(day(2)));
    given::<TrainingPlan>(created())
        .and_stored(&old_workout(2))
        .when(|plan| plan.schedule(day(2), "Endurance", zones()))
        .then_err(PlanError::AlreadyScheduled(day(2)));
}

#[test]
fn only_what_was_scheduled_is_completed() {
    given::<TrainingPlan>((created(), scheduled(1)))
        .when(|plan| plan.complete(day(1), 210, 6, "Windy"))
        .then(completed(1, 210, 6));
    given::<TrainingPlan>((created(), scheduled(1)))
        .when(|plan| plan.complete(day(2), 210, 6, "Windy"))
        .then_err(PlanError::NotScheduled(day(2)));
}

#[test]
fn a_workout_of_version_1_has_all_its_minutes_in_its_zone() {
    upcast(&old_workout(1)).then(scheduled(1));
}

#[test]
fn every_event_that_was_ever_stored_is_read_as_before() {
    golden::<TrainingPlan>("examples/cycling/golden.jsonl");
}

fn id() -> Result<PlanId, recount::IdError> {
    PlanId::new("plan-001")
}

/// Lets the coach react until nothing new comes of it.
async fn coached(store: &Store) -> Result<(), FollowError> {
    let (says, _) = mpsc::unbounded_channel();
    let mut coach = Reactor::new(Coach::new(says), store).await?;
    while coach.catch_up().await?.events > 0 {}
    Ok(())
}

#[tokio::test]
async fn the_coach_lowers_the_load_after_a_workout_that_was_too_hard()
-> Result<(), recount::IdError> {
    let analyzed = PerformanceAnalyzed {
        analysis_result: "High effort at less than the expected power".into(),
        struggling_areas: vec!["power_output".into(), "perceived_effort_high".into()],
    };
    let adjusted = TrainingLoadAdjusted {
        old_training_load: 1.0,
        new_training_load: 0.95,
        adjustment_percentage: -5.0,
        reason: "The last workout was too hard".into(),
    };
    given_log()
        .stream::<TrainingPlan>(&id()?, created())
        .stored::<TrainingPlan>(&id()?, &old_workout(1))
        .stream::<TrainingPlan>(&id()?, completed(1, 175, 9))
        .when(coached)
        .await
        .then::<TrainingPlan>(&id()?, (analyzed, adjusted))
        .then_nothing_else();
    Ok(())
}

#[tokio::test]
async fn the_coach_leaves_a_workout_alone_that_went_well() -> Result<(), recount::IdError> {
    for went_well in [completed(1, 205, 9), completed(1, 175, 7)] {
        given_log()
            .stream::<TrainingPlan>(&id()?, (created(), scheduled(1), went_well))
            .when(coached)
            .await
            .then_nothing_else();
    }
    Ok(())
}

#[tokio::test]
async fn the_coach_leaves_a_workout_alone_that_was_analysed_by_hand() -> Result<(), recount::IdError>
{
    let analyzed = PerformanceAnalyzed {
        analysis_result: "Signs of fatigue".into(),
        struggling_areas: vec!["power_output".into()],
    };
    given_log()
        .stream::<TrainingPlan>(
            &id()?,
            (created(), scheduled(1), completed(1, 175, 9), analyzed),
        )
        .when(coached)
        .await
        .then_nothing_else();
    Ok(())
}

#[test]
fn an_athletes_average_is_over_all_plans() -> Result<(), recount::IdError> {
    let workouts = |power| (created(), scheduled(1), completed(1, power, 5));
    given_log()
        .stream::<TrainingPlan>(&id()?, workouts(200))
        .stream::<TrainingPlan>(&PlanId::new("plan-002")?, workouts(210))
        .project::<AthleteTrainingStats>()
        .then_check(|stats| {
            let (athlete, stats) = stats.all().next().expect("there is one athlete");
            assert_eq!((athlete, stats.workouts), ("athlete-123", 2));
            assert!(
                stats
                    .average_power()
                    .is_some_and(|watts| (watts - 205.0).abs() < 1e-9)
            );
        });
    Ok(())
}
