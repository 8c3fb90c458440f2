//! A cycling coach: a plan in six steps, its history, time travel and what-if, an event of an older version, a
//! projection, a snapshot, and a coach that reacts by itself.
//!
//! Run it with `cargo run --example cycling`, or on a file of your own with `-- --store sqlite:cycling.db`.

mod coach;
mod plan;
mod stats;
#[path = "../support/mod.rs"]
mod support;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::process::ExitCode;

use chrono::{Days, NaiveDate};
use plan::{PlanId, TrainingPlan, WorkoutScheduled};
use recount::event::Event as _;
use recount::log::{Expected, NewEvent, Query};
use recount::prelude::*;
use recount::projection::Projector;
use recount::reaction::Reactor;
use recount::runner::{Live, Runner};
use stats::AthleteTrainingStats;
use support::{AnyError, Options, progress};
use tokio::sync::mpsc;

use coach::Coach;

#[tokio::main]
async fn main() -> ExitCode {
    support::ended(run().await)
}

async fn run() -> Result<(), AnyError> {
    let Some(options) = Options::read("cycling", &[])? else {
        return Ok(());
    };
    let store = options.open_store().await?;
    // The statistics are kept up to date from here on, while everything else happens.
    let runner = Runner::new();
    let stats = runner.add(Projector::<AthleteTrainingStats>::stored(&store).await?);
    let plans = Repository::<TrainingPlan>::new(&store);
    let id = PlanId::new("plan-001")?;

    six_steps(&plans, &id).await?;
    history(&plans, &id).await?;
    audit_trail(&store, &plans, &id).await?;
    time_travel(&plans, &id).await?;
    what_if(&plans, &id).await?;
    temporal_queries(&store, &plans, &id).await?;
    rules(&plans, &id).await?;
    older_events_and_the_coach(&store, &plans, &runner).await?;
    dashboard(&stats).await?;
    snapshot(&store, &plans, &id).await?;
    progress::at_the_end(&progress::all_of(&runner)).await;
    runner.shutdown().await;

    store.close().await?;
    Ok(())
}

/// The workflow. The plan is loaded before each step, so each begins with what the events say.
async fn six_steps(plans: &Repository<TrainingPlan>, id: &PlanId) -> Result<(), AnyError> {
    let plan = plans.find(id).await?;
    let mut version = plan.map_or(Version::NONE, |plan| Root::version(&plan));
    if version > Version::NONE {
        println!("{id} is there, at version {version}.");
    }
    for step in version.0 + 1..=6 {
        let done = match step {
            1 => {
                let created = TrainingPlan::create("athlete-123", "Century Ride (100 miles)", 16);
                version = plans.create(id, created).await?.version();
                "plan for athlete-123: Century Ride (100 miles) in 16 weeks".to_owned()
            }
            2 => {
                let mut plan = plans.load(id).await?;
                plan.record(plan.add_block("Base Building", 4, "Aerobic capacity and endurance"));
                version = plans.save(&mut plan).await?.version();
                format!(
                    "4 weeks of Base Building; training blocks: {}",
                    plan.blocks.len()
                )
            }
            3 => {
                let mut plan = plans.load(id).await?;
                let zones = BTreeMap::from([("Zone 2".to_owned(), 60)]);
                plan.record(plan.schedule(tomorrow(), "Endurance", zones)?);
                version = plans.save(&mut plan).await?.version();
                format!(
                    "60 min Zone 2 on {}; scheduled workouts: {}",
                    tomorrow(),
                    plan.scheduled.len()
                )
            }
            4 => {
                let mut plan = plans.load(id).await?;
                let date = plan
                    .scheduled
                    .keys()
                    .next()
                    .copied()
                    .unwrap_or_else(tomorrow);
                plan.record(plan.complete(
                    date,
                    180,
                    8,
                    "Legs felt heavy, target power was hard to hold",
                )?);
                version = plans.save(&mut plan).await?.version();
                format!(
                    "completed at 180 W, effort 8 of 10; completed workouts: {}",
                    plan.completed.len()
                )
            }
            5 => {
                let mut plan = plans.load(id).await?;
                let areas = ["power_output", "perceived_effort_high"];
                plan.record(plan.analyze("Signs of fatigue and declining power", &areas));
                version = plans.save(&mut plan).await?.version();
                "performance analyzed: struggles with the prescribed power".to_owned()
            }
            _ => {
                let mut plan = plans.load(id).await?;
                plan.record(plan.adjust_load(
                    -5.0,
                    "Analysis shows that the athlete struggles with the current load",
                ));
                version = plans.save(&mut plan).await?.version();
                format!("training load lowered by 5 %, to {:.2}", plan.load)
            }
        };
        println!("Step {step}: {done}");
        println!("        version {version}");
    }
    println!();
    Ok(())
}

fn tomorrow() -> NaiveDate {
    Utc::now().date_naive() + Days::new(1)
}

async fn history(plans: &Repository<TrainingPlan>, id: &PlanId) -> Result<(), AnyError> {
    println!("--- Event history ---");
    let mut history = plans.history(id)?;
    while let Some(past) = history.next().await? {
        println!(
            "{}. {} ({})",
            past.at.version,
            past.event.name(),
            past.at.recorded_at.format("%Y-%m-%d %H:%M:%S")
        );
        println!("   {}", serde_json::to_value(&past.event)?["payload"]);
    }
    println!();
    Ok(())
}

async fn audit_trail(
    store: &Store,
    plans: &Repository<TrainingPlan>,
    id: &PlanId,
) -> Result<(), AnyError> {
    println!("--- Audit trail ---");
    let mut reader = store.read(Query::stream(&plans.stream(id)?));
    while let Some(page) = reader.next_page().await? {
        for record in page.iter() {
            println!(
                "{} {}",
                record.recorded_at().format("%H:%M:%S"),
                record.name()
            );
        }
    }
    println!();
    Ok(())
}

async fn time_travel(plans: &Repository<TrainingPlan>, id: &PlanId) -> Result<(), AnyError> {
    println!("--- Time travel: the plan at version 3 ---");
    let then = plans.load_at(id, Version(3)).await?;
    println!("Scheduled workouts: {}", then.scheduled.len());
    println!("Completed workouts: {}", then.completed.len());
    println!("Training load: {:.2}\n", then.load);
    Ok(())
}

/// A root that is never saved is a what-if.
async fn what_if(plans: &Repository<TrainingPlan>, id: &PlanId) -> Result<(), AnyError> {
    println!("--- What if the load had been lowered by 10 %? ---");
    let mut instead = plans.load_at(id, Version(5)).await?;
    instead.record(instead.adjust_load(-10.0, "More careful"));
    println!("The load would be {:.2}.", instead.load);
    println!(
        "Nothing was stored: the plan is at version {}.\n",
        Root::version(&plans.load(id).await?)
    );
    Ok(())
}

async fn temporal_queries(
    store: &Store,
    plans: &Repository<TrainingPlan>,
    id: &PlanId,
) -> Result<(), AnyError> {
    println!("--- Temporal queries ---");
    let stream = plans.stream(id)?;
    let performance = Query::stream(&stream).names(["WorkoutCompleted", "PerformanceAnalyzed"]);
    println!(
        "Performance-related events: {}",
        store.read(performance).collect().await?.len()
    );

    let adjusted = store
        .read(Query::stream(&stream).names(["TrainingLoadAdjusted"]))
        .collect()
        .await?;
    println!("Training load adjustments: {}", adjusted.len());
    if let Some(last) = adjusted.last() {
        let payload: serde_json::Value = serde_json::from_slice(&last.payload)?;
        println!(
            "Reason of the last: {}\n",
            payload["reason"].as_str().unwrap_or("none")
        );
    }
    Ok(())
}

/// "accepted", or why not.
fn outcome<T, E: std::fmt::Display>(result: Result<T, E>) -> String {
    result.map_or_else(|error| error.to_string(), |_| "accepted".to_owned())
}

/// What the plan refuses; nothing is stored.
async fn rules(plans: &Repository<TrainingPlan>, id: &PlanId) -> Result<(), AnyError> {
    println!("--- Rules ---");
    let refused = plans
        .create(id, TrainingPlan::create("athlete-999", "Another", 1))
        .await;
    println!("A second plan: {}", outcome(refused));

    let nowhere = PlanId::new("plan-404")?;
    let refused = plans
        .execute(&nowhere, |plan| Ok(plan.add_block("Build", 4, "Threshold")))
        .await;
    println!("A block without a plan: {}", outcome(refused));

    let date = plans
        .load(id)
        .await?
        .scheduled
        .keys()
        .next()
        .copied()
        .unwrap_or_else(tomorrow);
    let refused = plans
        .execute(id, |plan| plan.schedule(date, "Recovery", BTreeMap::new()))
        .await;
    println!("A second workout that day: {}", outcome(refused));

    let other = date + Days::new(30);
    let refused = plans
        .execute(id, |plan| plan.complete(other, 200, 5, ""))
        .await;
    println!("An unscheduled workout: {}\n", outcome(refused));
    Ok(())
}

/// A second plan holds a workout that an older release stored, and the coach takes its last two steps.
async fn older_events_and_the_coach(
    store: &Store,
    plans: &Repository<TrainingPlan>,
    runner: &Runner,
) -> Result<(), AnyError> {
    println!("--- A workout of version 1, and the coach ---");
    let id = PlanId::new("plan-002")?;
    if !plans.exists(&id).await? {
        plans
            .create(&id, TrainingPlan::create("athlete-456", "Hill Climb", 8))
            .await?;
        let workout = WorkoutScheduled {
            date: tomorrow(),
            workout_type: "Endurance".into(),
            duration_minutes: 60,
            target_zone: "Zone 2".into(),
        };
        // As the first release wrote it: no code of today writes version 1.
        let stored = NewEvent::of(&workout)?;
        store
            .append(&plans.stream(&id)?, Expected::Version(Version(1)), [stored])
            .await?;
    }
    let plan = plans.load(&id).await?;
    for workout in plan.scheduled.values() {
        println!(
            "Stored as version 1, read as version 2: target zones {:?}",
            workout.target_zones
        );
    }
    if plan.completed.is_empty() {
        let date = plan
            .scheduled
            .keys()
            .next()
            .copied()
            .unwrap_or_else(tomorrow);
        plans
            .execute(&id, |plan| {
                plan.complete(date, 175, 9, "Could not hold the zone")
            })
            .await?;
    }
    // The plan before was analysed by hand, so the coach begins only now; it finds nothing left to do there.
    let (says, mut said) = mpsc::unbounded_channel();
    runner.add(Reactor::new(Coach::new(says), store).await?);
    // What the coach does, it reacts to once more.
    let mut seen = Position::START;
    while seen < store.head().await? {
        seen = store.head().await?;
        progress::caught_up(&progress::all_of(runner)).await?;
    }
    while let Ok(done) = said.try_recv() {
        println!("The coach: {done}");
    }
    let plan = plans.load(&id).await?;
    println!(
        "{id} is at version {}, its load is {:.2}.\n",
        Root::version(&plan),
        plan.load
    );
    Ok(())
}

async fn dashboard(stats: &Live<Projector<AthleteTrainingStats>>) -> Result<(), AnyError> {
    println!("--- Athletes ---");
    stats.caught_up().await?;
    let stats = stats.read().await;
    for (athlete, stats) in stats.all() {
        let power = stats.average_power().map_or_else(
            || "no power yet".to_owned(),
            |watts| format!("{watts:.0} W"),
        );
        let load: Vec<String> = stats
            .load_history
            .iter()
            .map(|load| format!("{load:.2}"))
            .collect();
        println!(
            "{athlete}: workouts {}, average {power}, load {}",
            stats.workouts,
            load.join(" → ")
        );
    }
    println!();
    Ok(())
}

async fn snapshot(
    store: &Store,
    plans: &Repository<TrainingPlan>,
    id: &PlanId,
) -> Result<(), AnyError> {
    println!("--- Snapshot ---");
    let version = plans.take_snapshot(id).await?;
    let from_snapshot = Root::into_state(plans.load(id).await?);
    println!("Taken at version {version}.");
    let deleted = store.delete_snapshots(None).await?;
    let from_events = plans.load(id).await?;
    println!(
        "Deleted {deleted}; the plan is the same without it: {}",
        from_snapshot == *from_events
    );
    Ok(())
}
