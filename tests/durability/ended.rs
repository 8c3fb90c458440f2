//! Processes are killed and connections are ended while all compete for one log on a server; what they were told must be there,
//! whole, once.

use std::time::{Duration, Instant};

use recount::projection::Projector;

use crate::child::{Job, Task, Worker};
use crate::crash::{explained, folded, is_acknowledgement, projected};
use crate::dice::Dice;
use crate::domain::{Accounts, is_account};
use crate::history::{Answer, History, Plan, Report};
use crate::oracle::{Log, Order, check_in};
use crate::races::{FRESH, schema};
use crate::readers::read_on;
use crate::server::{Schema, connect};

/// What the dead did not live to hear, and what was left open, to be tried again by the next one.
fn doubtful(history: &History) -> Vec<Plan> {
    let attempts = history.attempts.iter().rev();
    let open =
        attempts.filter(|attempt| matches!(attempt.answer, None | Some((_, Answer::Unknown(_)))));
    open.take(20).map(|attempt| attempt.plan.clone()).collect()
}

/// A log on a server, and who ends connections there.
struct Scene {
    schema: Schema,
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    client: tokio_postgres::Client,
    seed: u64,
}

impl Scene {
    fn new(seed: u64) -> Option<Self> {
        let schema = schema()?;
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let client = runtime.block_on(async {
            // The log is there before anybody is killed.
            schema.open().await.close().await.expect("a log");
            connect(schema.server()).await.expect("a connection")
        });
        Some(Self {
            folder: tempfile::tempdir().expect("a folder"),
            runtime,
            client,
            schema,
            seed,
        })
    }

    /// The log, by connections that can be told from others.
    fn url(&self, what: &str) -> String {
        format!(
            "{}&application_name={}_{what}",
            self.schema.url(),
            self.schema.name
        )
    }

    fn job(&self, child: u64, task: Task) -> Job {
        let is_race = matches!(task, Task::Race { .. });
        Job {
            url: self.url(if is_race { "races" } else { "killed" }),
            ended: is_race.then(|| self.url("ended")),
            clock: self.folder.path().join("clock"),
            number: child * Job::NUMBERS,
            seed: self.seed.wrapping_add(child),
            fresh: FRESH,
            task,
        }
    }

    /// Ends some of these connections; how many there were.
    fn end(&self, what: &str, which: &str) -> i64 {
        let sql = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM (
                 SELECT pid FROM pg_stat_activity WHERE application_name = '{}_{what}' {which}
             ) AS these",
            self.schema.name
        );
        let row = self.runtime.block_on(self.client.query_one(&sql, &[]));
        row.expect("an answer").get(0)
    }

    /// The log, after a look at what projections and accounts have become.
    fn settle(&self) -> Log {
        let mut log = Log::default();
        self.runtime.block_on(async {
            let store = self.schema.open().await;
            explained(read_on(&store, &mut log).await);
            projected(&store, &log).await;
            let mut stored = Projector::<Accounts>::stored(&store).await.expect("one");
            stored.catch_up().await.expect("it catches up");
            projected(&store, &log).await;
            let streams = log.streams().into_iter();
            for stream in streams.filter(|stream| is_account(*stream)).take(40) {
                folded(&store, stream, &log).await;
            }
            store.close().await.expect("it closes");
        });
        log
    }
}

#[test]
fn what_was_acknowledged_on_postgres_survives_killed_processes_and_ended_connections() {
    let seed = crate::seed();
    let Some(scene) = Scene::new(seed) else {
        return;
    };
    let seconds = crate::setting("RECOUNT_RACE_SECONDS").unwrap_or(5).min(30);
    let race = Task::Race {
        milliseconds: seconds * 1000,
    };
    let mut racers = [0, 1].map(|child| Worker::start(&scene.job(child, race.clone())));
    let (mut dice, mut history) = (Dice::new(seed), History::default());
    let (mut deaths, mut ended) = (0, 0);
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        let again = doubtful(&history);
        let mut worker = Worker::start(&scene.job(2 + deaths, Task::Append { again }));
        worker.until(&mut history, is_acknowledgement);
        for _ in 0..=dice.below(8) {
            std::thread::sleep(Duration::from_millis(dice.below(100)));
            ended += scene.end("ended", "AND state <> 'idle' ORDER BY random() LIMIT 1");
        }
        worker.kill();
        worker.finish(&mut history);
        deaths += 1;
    }
    for worker in &racers {
        worker.until(&mut history, |report| matches!(report, Report::Written));
    }
    // What the dead had sent may still be at work on the server, and nobody is to read to the end before it is over.
    while scene.end("killed", "") > 0 {}
    for worker in &mut racers {
        worker.tell("all have written");
    }
    for worker in racers {
        worker.finish(&mut history);
    }
    let log = scene.settle();
    let checked = explained(check_in(Order::Draws, &history, &log, 0));
    let events = log.entries().len();
    println!("{deaths} deaths, {ended} connections ended, {events} events, {checked:?}");
    assert!(deaths > 0 && ended > 0, "{deaths}, {ended}");
    assert!(checked.stored > 0 && checked.repeated > 0 && checked.unknown > 0);
}
