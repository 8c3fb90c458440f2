//! Processes are killed and connections are ended while all compete for one log on a server; what they were told must be there,
//! whole, once.

use std::time::{Duration, Instant};

use recount::projection::Projector;

use crate::child::{Job, Task, Worker};
use crate::crash::{explained, folded, projected};
use crate::dice::Dice;
use crate::domain::{Accounts, is_account};
use crate::history::{Answer, History, Plan, Report};
use crate::oracle::{Log, Order, check_in};
use crate::races::{FRESH, schema};
use crate::readers::read_on;
use crate::server::connect;

/// What the dead did not live to hear, and what was left open, to be tried again by the next one.
fn doubtful(history: &History) -> Vec<Plan> {
    let attempts = history.attempts.iter().rev();
    let open =
        attempts.filter(|attempt| matches!(attempt.answer, None | Some((_, Answer::Unknown(_)))));
    open.take(20).map(|attempt| attempt.plan.clone()).collect()
}

#[test]
fn what_was_acknowledged_on_postgres_survives_killed_processes_and_ended_connections() {
    let Some(schema) = schema() else {
        return;
    };
    let seed = crate::seed();
    let mut dice = Dice::new(seed);
    let seconds = crate::setting("RECOUNT_RACE_SECONDS").unwrap_or(5).min(30);
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    // The log is there before anybody is killed.
    runtime
        .block_on(async { schema.open().await.close().await })
        .expect("a log");
    let named = |what: &str| format!("{}&application_name={}_{what}", schema.url(), schema.name);
    let job = |child: u64, task| Job {
        url: named("killed"),
        ended: None,
        clock: folder.path().join("clock"),
        number: child * Job::NUMBERS,
        seed: seed.wrapping_add(child),
        fresh: FRESH,
        task,
    };
    let race = Task::Race {
        milliseconds: seconds * 1000,
    };
    let mut racers = [0, 1].map(|child| {
        Worker::start(&Job {
            url: schema.url(),
            ended: Some(named("ended")),
            ..job(child, race.clone())
        })
    });
    let client = runtime
        .block_on(connect(schema.server()))
        .expect("a connection");
    let end_one = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM (
             SELECT pid FROM pg_stat_activity WHERE application_name = '{}_ended' AND state <> 'idle' ORDER BY random() LIMIT 1
         ) AS one",
        schema.name
    );
    let (mut history, mut deaths, mut ended) = (History::default(), 0, 0);
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        let again = doubtful(&history);
        let mut worker = Worker::start(&job(2 + deaths, Task::Append { again }));
        worker.until(&mut history, |report| {
            matches!(
                report,
                Report::Answered {
                    answer: Answer::Stored { .. },
                    ..
                }
            )
        });
        for _ in 0..=dice.below(8) {
            std::thread::sleep(Duration::from_millis(dice.below(100)));
            let row = runtime
                .block_on(client.query_one(&end_one, &[]))
                .expect("an answer");
            ended += row.get::<_, i64>(0);
        }
        worker.kill();
        worker.finish(&mut history);
        deaths += 1;
    }
    for worker in &racers {
        worker.until(&mut history, |report| matches!(report, Report::Written));
    }
    // What the dead had sent may still be at work on the server, and nobody is to read to the end before it is over.
    let rest = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = '{}_killed'",
        schema.name
    );
    let left = || {
        let row = runtime
            .block_on(client.query_one(&rest, &[]))
            .expect("an answer");
        row.get::<_, i64>(0)
    };
    while left() > 0 {}
    for worker in &mut racers {
        worker.tell("all have written");
    }
    for worker in racers {
        worker.finish(&mut history);
    }
    let mut log = Log::default();
    runtime.block_on(async {
        let store = schema.open().await;
        explained(read_on(&store, &mut log).await);
        let mut stored = Projector::<Accounts>::stored(&store).await.expect("one");
        projected(&store, &log).await;
        stored.catch_up().await.expect("it catches up");
        projected(&store, &log).await;
        for stream in log
            .streams()
            .into_iter()
            .filter(|stream| is_account(*stream))
            .take(40)
        {
            folded(&store, stream, &log).await;
        }
        store.close().await.expect("it closes");
    });
    let checked = explained(check_in(Order::Draws, &history, &log, 0));
    println!(
        "{deaths} deaths, {ended} connections ended, {} events, {checked:?}",
        log.entries().len()
    );
    assert!(deaths > 0 && ended > 0, "{deaths}, {ended}");
    assert!(
        checked.stored > 0 && checked.repeated > 0 && checked.unknown > 0,
        "{checked:?}"
    );
}
