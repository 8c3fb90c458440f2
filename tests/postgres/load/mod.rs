//! The order under load: processes that write in every way there is, pause, undo and are killed, and processes that read
//! meanwhile. An oracle compares what each reader saw with what is there at the end.
//!
//! `writers` are those who append, `child` runs them and readers in processes of their own, `watcher` is a reader that knows
//! nothing of the log's locks, `oracle` says what a reader lost. One reader takes whatever it finds behind the last position: it
//! must lose events, else the load was none.
//!
//! | variable | what it does | without it |
//! |---|---|---|
//! | `RECOUNT_ORDER_SECONDS` | how long they write | 20 |
//! | `RECOUNT_ORDER_SEED` | repeats the choices of a run that failed, as far as its timing allows | another each time |
//!
//! A quarter as long again they write to a server of their own, on which some of the transactions are prepared.

mod child;
#[path = "../../durability/dice.rs"]
mod dice;
mod oracle;
mod watcher;
mod writers;

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use recount::log::Expected;
use tokio_postgres::Client;
use uuid::Uuid;

use self::child::{Job, Process, Task};
use self::dice::Dice;
use self::oracle::{Seen, Verdict, judge};
use crate::cluster::Cluster;
use crate::scene::{one, run};
use crate::server::Schema;
use crate::{event, stream};

/// Streams that all writers share.
const STREAMS: u64 = 64;

/// A number from the environment.
fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")),
    )
}

/// A process of writers, and the next one in its place when it is killed.
struct Writers {
    job: Job,
    process: Process,
    killed: usize,
}

impl Writers {
    fn start(job: Job) -> Self {
        Self {
            process: Process::start(&job),
            job,
            killed: 0,
        }
    }

    fn kill(&mut self, left: Duration) {
        self.process.kill();
        self.killed += 1;
        self.job.number += 10;
        self.job.seed = self.job.seed.wrapping_add(1);
        self.job.milliseconds = u64::try_from(left.as_millis()).unwrap();
        self.process = Process::start(&self.job);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_many_processes_write_is_read_once_and_in_order_by_every_reader() {
    if let Some(schema) = Schema::new().await {
        load(schema, setting("RECOUNT_ORDER_SECONDS").unwrap_or(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_is_where_some_transactions_are_prepared() {
    if let Some(cluster) = Cluster::new(&["max_prepared_transactions = 20"]) {
        let seconds = setting("RECOUNT_ORDER_SECONDS").unwrap_or(20) / 4;
        load(Schema::on(cluster.url()), seconds).await;
    }
}

async fn load(schema: Schema, seconds: u64) {
    let seed = setting("RECOUNT_ORDER_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    println!("RECOUNT_ORDER_SEED={seed}");
    let folder = tempfile::tempdir().unwrap();
    let store = schema.open().await;
    for number in 0..STREAMS {
        let target = stream(&number.to_string());
        let first = store.append(&target, Expected::NoStream, [event("Counted")]);
        first.await.unwrap();
    }
    let client = schema.client().await;
    let begun = Instant::now();
    let end = begun + Duration::from_secs(seconds);
    let job = |number, task| Job {
        url: schema.url(),
        server: schema.server().to_owned(),
        schema: schema.name.clone(),
        folder: folder.path().to_owned(),
        number,
        seed: seed.wrapping_add(number),
        milliseconds: seconds * 1000,
        task,
    };
    let readers: Vec<_> = [vec![5, 32], vec![256, 4096]]
        .into_iter()
        .zip(0..)
        .map(|(sizes, number)| Process::start(&job(number, Task::Read { sizes })))
        .collect();
    let written = Arc::new(AtomicBool::new(false));
    let others = [
        tokio::spawn(watcher::watch(schema.client().await, Arc::clone(&written))),
        tokio::spawn(naive(schema.client().await, Arc::clone(&written))),
    ];
    let mut writers = [100, 200].map(|number| Writers::start(job(number, Task::Write)));
    let ended = Arc::new(AtomicUsize::new(0));
    let disturbing = tokio::spawn(disturb(
        schema.client().await,
        schema.name.clone(),
        end,
        Arc::clone(&ended),
    ));
    let elsewhere = Elsewhere::new(&schema, &client).await;
    let idle = tokio::spawn(idle(schema.client().await, end));
    let mut dice = Dice::new(seed);
    let rounds = u32::try_from(seconds / 4).unwrap().max(2);
    for round in 1..rounds {
        let now = begun + Duration::from_secs(seconds) / rounds * round;
        tokio::time::sleep_until(now.into()).await;
        let one = usize::try_from(dice.below(2)).unwrap();
        writers[one].kill(end.saturating_duration_since(now));
    }
    let mut killed = 0;
    for writer in writers {
        killed += writer.killed;
        writer.process.finish();
    }
    disturbing.await.unwrap();
    idle.await.unwrap();
    end_writers(&client, &schema.name).await;
    // What was prepared by a process that was killed since is nobody's any more.
    writers::forget_prepared(&client, &schema.name).await;
    written.store(true, Ordering::SeqCst);
    let late = end.elapsed();
    for mut reader in readers {
        reader.tell("all have written");
        reader.finish();
    }
    drop(elsewhere);

    let log = oracle::log(&client).await;
    let ended = ended.load(Ordering::SeqCst);
    println!(
        "{} events, {killed} processes killed, {ended} backends ended; {late:?} until all writers had ended, {:?} until readers had",
        log.len(),
        end.elapsed()
    );
    oracle::versions_agree_with_positions(&log);
    let told = oracle::told(folder.path());
    println!("{told}");
    told.agrees_with(&log);
    let prepares = one::<String>(&client, "SHOW max_prepared_transactions").await != "0";
    assert_eq!(told.prepared() > 0, prepares);
    let mut readers = oracle::seen(folder.path());
    assert_eq!(readers.len(), 4);
    let [watched, naive] = others;
    let watched = watched.await.unwrap();
    readers.push(("who watches transactions".to_owned(), watched));
    for (name, reader) in readers {
        assert_eq!(judge(&log, &reader), Verdict::default(), "{name}");
    }
    let naive = judge(&log, &naive.await.unwrap());
    println!("who takes all that it finds: {naive:?}");
    assert!(naive.lost > 0, "the load was none");
    assert!(killed > 0 && ended > 0);
}

/// Reads whatever is behind the last position.
async fn naive(client: Client, written: Arc<AtomicBool>) -> Vec<Seen> {
    let mut seen: Vec<Seen> = Vec::new();
    let page = oracle::page("position > $1 ORDER BY position LIMIT 500");
    let page = client.prepare(&page).await.unwrap();
    loop {
        let at_the_end = written.load(Ordering::SeqCst);
        let last = seen.last().map_or(0, |seen| seen.position);
        let rows = client.query(&page, &[&last]).await.unwrap();
        let is_end = rows.is_empty();
        seen.extend(rows.iter().map(Seen::of));
        if is_end && at_the_end {
            return seen;
        }
        if is_end {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Ends connections of writers and readers while they work.
async fn disturb(client: Client, name: String, end: Instant, ended: Arc<AtomicUsize>) {
    let one = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name LIKE $1 || '%' AND pid <> pg_backend_pid() AND state <> 'idle' ORDER BY random() LIMIT 1";
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let rows = client.query(one, &[&name]).await.unwrap();
        ended.fetch_add(rows.len(), Ordering::SeqCst);
    }
}

/// A transaction that has nothing to do with the log, and has written: open for a while, and again.
async fn idle(client: Client, end: Instant) {
    run(&client, "CREATE TABLE unrelated (a int)").await;
    while Instant::now() < end {
        run(
            &client,
            "BEGIN; INSERT INTO unrelated VALUES (1); SELECT 1 FROM events LIMIT 1",
        )
        .await;
        tokio::time::sleep(
            Duration::from_secs(4).min(end.saturating_duration_since(Instant::now())),
        )
        .await;
        run(&client, "COMMIT").await;
    }
}

/// Ends what processes that were killed have left at work on the server, and waits until it is over.
async fn end_writers(client: &Client, schema: &str) {
    let name = child::writing(schema);
    let end = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = '{name}'"
    );
    let ended = async || one::<i64>(client, &end).await == 0;
    crate::scene::until("all writers have ended", ended).await;
}

/// Another database of the server, in which a transaction is open that has written, and that holds the lowest of the log's locks.
struct Elsewhere {
    name: String,
    server: String,
    _open: Client,
}

impl Elsewhere {
    async fn new(schema: &Schema, client: &Client) -> Self {
        let name = format!("{}_elsewhere", schema.name);
        run(
            client,
            &format!("CREATE DATABASE {name} TEMPLATE template0"),
        )
        .await;
        let open = crate::server::connect(&schema.url_of(&name)).await.unwrap();
        let key: i64 = one(client, "SELECT order_number() << 48").await;
        run(
            &open,
            &format!(
                "CREATE TABLE unrelated (a int); BEGIN; INSERT INTO unrelated VALUES (1); SELECT pg_advisory_xact_lock_shared({key})"
            ),
        )
        .await;
        Self {
            name,
            server: schema.server().to_owned(),
            _open: open,
        }
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        crate::server::run_apart(
            &self.server,
            &format!("DROP DATABASE {} WITH (FORCE)", self.name),
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_plain_column_of_the_sequence_shows_positions_that_are_not_drawn_yet() {
    let Some((_store, client, schema)) = crate::scene::empty().await else {
        return;
    };
    let compare = |column: &str| {
        format!(
            "DO $$
             DECLARE
                 seen bigint;
             BEGIN
                 FOR i IN 1 .. 20000 LOOP
                     seen := {column};
                     IF seen > coalesce(pg_sequence_last_value('positions'), 0) THEN
                         RAISE 'too high';
                     END IF;
                 END LOOP;
             END $$"
        )
    };
    let found = Arc::new(AtomicBool::new(false));
    let mut drawing = Vec::new();
    for _ in 0..2 {
        let (client, found) = (schema.client().await, Arc::clone(&found));
        drawing.push(tokio::spawn(async move {
            while !found.load(Ordering::SeqCst) {
                run(
                    &client,
                    "SELECT count(nextval('positions')) FROM generate_series(1, 20000)",
                )
                .await;
            }
        }));
    }
    // Now and then, hence until it is seen, but not for ever.
    let end = Instant::now() + Duration::from_secs(20);
    let (mut rounds, mut plain) = (0, Ok(()));
    while plain.is_ok() && Instant::now() < end {
        rounds += 1;
        plain = client
            .batch_execute(&compare("(SELECT last_value FROM positions)"))
            .await;
    }
    // As often, and as long, the function shows none.
    for _ in 0..rounds.max(20) {
        run(&client, &compare("pg_sequence_last_value('positions')")).await;
    }
    found.store(true, Ordering::SeqCst);
    for task in drawing {
        task.await.unwrap();
    }
    let plain = plain.expect_err("the column was never ahead in 20 seconds");
    assert_eq!(plain.as_db_error().unwrap().message(), "too high");
    println!(
        "the column was ahead after at most {} looks",
        rounds * 20_000
    );
}

/// The ids of all events, to find one by.
fn ids(log: &[Seen]) -> HashSet<Uuid> {
    log.iter().map(|seen| seen.id).collect()
}
