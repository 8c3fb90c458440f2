//! Processes that run projections and reactions are killed, stopped for longer than their lease and started, again and again over one
//! log; what they leave must be what a fold of the log comes to, each event once, and nobody may write without the lease.
//!
//! `read_models` is what they run, `process` is how, `settled` says what should come of it.

#[path = "followers/process.rs"]
mod process;
#[path = "followers/read_models.rs"]
mod read_models;
#[path = "followers/settled.rs"]
mod settled;

use std::time::{Duration, Instant};

use recount::prelude::*;
use recount::projection::{Projector, TableProjector};
use recount::reaction::Reactor;
use recount::runner::Runner;

use self::process::{Job, Process, Task, persist, refused, set_aside};
use self::read_models::{Echoes, Entries, Fed, Hesitant, Picky, Source, SourceId, Sums};
use self::settled::{Log, rows};
use crate::child::url;
use crate::dice::Dice;
use crate::races::schema;
use crate::server::Schema;

/// How many follow at once.
const FOLLOWERS: usize = 3;

/// How long anything may take that must come.
const LONG: Duration = Duration::from_mins(1);

/// A log, who feeds it and who follows it.
struct Scene {
    // Before the schema, so that they are gone when it is dropped.
    feeder: Option<Process>,
    followers: Vec<Process>,
    store: Store,
    runtime: tokio::runtime::Runtime,
    folder: tempfile::TempDir,
    schema: Option<Schema>,
    dice: Dice,
    lease: u64,
    rebuilds: bool,
    started: u64,
    /// How long it took until another one went on after a death.
    takeovers: Vec<Duration>,
}

impl Scene {
    /// On a server's schema, or else on a file.
    fn new(schema: Option<Schema>, lease: u64, rebuilds: bool) -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("log.db");
        let url = schema.as_ref().map_or_else(|| url(&file), Schema::url);
        let store = runtime.block_on(Store::connect(&url)).expect("a store");
        let mut scene = Self {
            feeder: None,
            followers: Vec::new(),
            store,
            runtime,
            folder,
            schema,
            dice: Dice::new(crate::seed()),
            lease,
            rebuilds,
            started: 0,
            takeovers: Vec::new(),
        };
        // What is built anew is to take a while.
        let first = if rebuilds { 3000 } else { 0 };
        scene.feeder = Some(scene.start(Task::Feed { first, pause: 60 }));
        scene.fill_up(FOLLOWERS);
        scene
    }

    fn start(&mut self, task: Task) -> Process {
        self.started += 1;
        let file = self.folder.path().join("log.db");
        Process::start(&Job {
            url: self.schema.as_ref().map_or_else(|| url(&file), Schema::url),
            schema: self.schema.as_ref().map(|schema| schema.name.clone()),
            folder: self.folder.path().to_owned(),
            seed: self.dice.clone().roll() ^ self.started,
            task,
        })
    }

    /// Lets as many follow.
    fn fill_up(&mut self, to: usize) {
        while self.followers.len() < to {
            let task = Task::Follow {
                lease: self.lease,
                rebuilds: self.rebuilds,
                mended: self.dice.percent(15),
            };
            let process = self.start(task);
            self.followers.push(process);
        }
    }

    /// Who wrote the newest entry.
    fn writer(&self) -> Option<u32> {
        let text = "SELECT pid FROM {entries} ORDER BY position DESC LIMIT 1";
        let reader = recount::projection::TableReader::<Entries>::new(&self.store);
        // There are no tables at first.
        let pid = self.runtime.block_on(reader.row::<u32>(text, ()));
        pid.unwrap_or_default()
    }

    /// Waits for it.
    fn comes(what: &str, mut come: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !come() {
            assert!(begun.elapsed() < LONG, "{what} in {LONG:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn pause(&mut self, most: u64) {
        std::thread::sleep(Duration::from_millis(self.dice.below(most)));
    }

    /// One of them, rather the one that writes entries now, and whether it is that one.
    fn somebody(&mut self) -> (Process, bool) {
        let writer = self.writer();
        let mut at = self
            .followers
            .iter()
            .position(|one| Some(one.pid()) == writer);
        if at.is_none() || self.dice.percent(40) {
            let any = self.dice.below(self.followers.len() as u64);
            at = usize::try_from(any).ok();
        }
        let process = self.followers.swap_remove(at.expect("there are some"));
        let is_writer = Some(process.pid()) == writer;
        (process, is_writer)
    }

    /// Kills one.
    fn kill(&mut self) {
        let (process, writes) = self.somebody();
        let pid = process.pid();
        let died = Instant::now();
        process.kill();
        self.fill_up(FOLLOWERS);
        if writes && !self.rebuilds {
            Self::comes("another one goes on", || self.writer() != Some(pid));
            self.takeovers.push(died.elapsed());
        }
    }

    /// Stops one for longer than its lease, so that it wakes up as one that still believes in it.
    fn freeze(&mut self) {
        let (process, _) = self.somebody();
        process.stop();
        let over = self.lease * 5 / 4;
        std::thread::sleep(Duration::from_millis(over));
        self.pause(self.lease);
        process.go_on();
        self.followers.push(process);
    }

    /// Lets one end in peace.
    fn end(&mut self) {
        let (process, _) = self.somebody();
        process.end();
        self.fill_up(FOLLOWERS);
    }

    /// What is there while all are at work.
    fn look(&self) {
        self.runtime.block_on(async {
            settled::sums(&self.store).await;
            let entries = settled::entries(&self.store).await;
            if !self.rebuilds {
                settled::reigns(&entries);
            }
            settled::answers(&Log::read(&self.store).await);
        });
    }

    /// So many deaths, and what else happens to processes in between.
    fn strike(&mut self, deaths: u64) {
        Self::comes("the first entry is written", || self.writer().is_some());
        let mut left = deaths;
        while left > 0 {
            let most = 1 << self.dice.below(8);
            self.pause(most);
            match self.dice.below(100) {
                0..12 => self.freeze(),
                12..18 => self.end(),
                18..24 => self.look(),
                _ => {
                    self.kill();
                    left -= 1;
                }
            }
        }
    }

    /// Lets everything catch up, and looks at all of it.
    ///
    /// Of danger there was as much as the lease has changed hands.
    fn settle(mut self, danger: usize) {
        self.feeder.take().expect("it feeds").end();
        self.fill_up(FOLLOWERS);
        self.runtime.block_on(self.caught_up());
        // Dead or in peace, it makes no difference any more.
        for (nth, process) in std::mem::take(&mut self.followers).into_iter().enumerate() {
            if nth % 2 == 0 {
                process.kill();
            } else {
                process.end();
            }
        }
        let outside = self.folder.path().join("outside");
        let (log, entries, aside) = self.runtime.block_on(async {
            let aside = settled::picky(&self.store, &Log::read(&self.store).await).await;
            self.mend().await;
            let log = Log::read(&self.store).await;
            settled::answers(&log);
            assert_eq!(settled::sums(&self.store).await, log.events());
            settled::hesitant(&self.store, &log).await;
            settled::tally(&self.store, &log).await;
            let entries = settled::entries(&self.store).await;
            (log, entries, aside)
        });
        assert_eq!(entries.len(), log.fed());
        print!("{} processes, {} events fed", self.started, log.fed());
        if self.rebuilds {
            println!(", {aside} were set aside");
        } else {
            assert!(log.is_answered());
            let again = settled::outside(&log, &outside);
            let reigns = settled::reigns(&entries);
            let takeovers = shown(&mut self.takeovers);
            println!(", {aside} were set aside, {again} told again, {reigns:?}, {takeovers}");
            let most = Duration::from_millis(self.lease + 2000);
            let last = self.takeovers.last().copied().unwrap_or_default();
            assert!(last < most, "{last:?}");
            assert!(reigns.changes >= danger, "{reigns:?}");
        }
        self.runtime
            .block_on(self.store.clone().close())
            .expect("it closes");
    }

    /// Waits until everything is handled, by whoever is left.
    async fn caught_up(&self) {
        let store = &self.store;
        let begun = Instant::now();
        loop {
            let log = Log::read(store).await;
            let counted = [
                rows::<Entries, usize>(store, "SELECT count(*) AS n FROM {entries}").await,
                rows::<Hesitant, usize>(store, "SELECT count(*) AS n FROM {waited_for}").await,
                rows::<Picky, usize>(store, "SELECT count(*) AS n FROM {picked}").await,
            ];
            let letters = persist(async || store.dead_letters("picky").await).await;
            let [entries, waited_for, picked] = counted.map(|rows| rows.first().copied());
            let handled = [
                entries,
                waited_for,
                picked.map(|picked| picked + letters.len()),
            ];
            let sums = settled::sums(store).await;
            let fed = log.fed();
            let is_answered = self.rebuilds || log.is_answered();
            if handled == [Some(fed); 3] && sums == log.events() && is_answered {
                break;
            }
            let told = format!("{fed} fed, {handled:?}, {sums} in all of {}", log.events());
            assert!(begun.elapsed() < LONG, "all is handled: {told}");
            // It is no small thing to look at.
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// Runs everything here, with code that handles what was set aside.
    async fn mend(&self) {
        let store = &self.store;
        let log = Log::read(store).await;
        let runner = Runner::new().with_lease(Duration::from_millis(self.lease));
        let schema = self.schema.as_ref().map(|schema| &*schema.name);
        let entries = Entries::new(schema, !self.rebuilds);
        let entries = TableProjector::new(entries, store).await.expect("entries");
        let hesitant = TableProjector::new(Hesitant::new(schema), store).await;
        let hesitant = hesitant.expect("what was waited for");
        let outside = self.folder.path().join("outside");
        let echoes = Reactor::new(Echoes::new(&outside), store)
            .await
            .expect("one");
        runner.add(Projector::<Sums>::stored(store).await.expect("sums"));
        runner.add(entries);
        if !self.rebuilds {
            runner.add(echoes);
        }
        runner.add_with(hesitant, refused());
        let picky = Picky { mended: true };
        let picky = TableProjector::new(picky, store).await.expect("one");
        let picky = runner.add_with(picky, set_aside());
        for handle in runner.handles() {
            let caught_up = tokio::time::timeout(LONG, handle.caught_up()).await;
            caught_up.expect("in time").expect("it catches up");
        }
        let letters = store.dead_letters("picky").await.expect("letters");
        store
            .retry_dead_letters(&letters)
            .await
            .expect("it is told");
        let begun = Instant::now();
        loop {
            let letters = store.dead_letters("picky").await.expect("letters");
            let Some(letter) = letters.first() else {
                break;
            };
            let status = picky.status().await;
            let left = letters.len();
            assert!(begun.elapsed() < LONG, "{left} left, {letter:?}, {status}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(settled::picky(store, &log).await, 0);
        runner.shutdown().await;
    }
}

/// The shortest, the middle and the longest of some times, which are in order afterwards.
fn shown(times: &mut [Duration]) -> String {
    times.sort_unstable();
    match (times.first(), times.get(times.len() / 2), times.last()) {
        (Some(least), Some(middle), Some(most)) => format!(
            "{} takeovers: {least:.0?}, {middle:.0?}, {most:.0?}",
            times.len()
        ),
        _ => "no takeover".to_owned(),
    }
}

/// How many die in each test.
fn deaths() -> u64 {
    crate::setting("RECOUNT_KILLS").unwrap_or(200).div_ceil(5)
}

fn are_killed(schema: Option<Schema>) {
    let mut scene = Scene::new(schema, 400, false);
    scene.strike(deaths());
    scene.settle(3);
}

#[test]
fn what_killed_and_frozen_followers_of_a_file_leave_is_what_its_log_comes_to() {
    are_killed(None);
}

#[test]
fn what_killed_and_frozen_followers_of_a_server_leave_is_what_its_log_comes_to() {
    if let Some(schema) = schema() {
        are_killed(Some(schema));
    }
}

fn rebuild(schema: Option<Schema>) {
    let mut scene = Scene::new(schema, 400, true);
    scene.strike(deaths() / 2);
    scene.settle(0);
}

#[test]
fn read_models_of_a_file_that_are_built_anew_by_processes_that_die_stay_whole() {
    rebuild(None);
}

#[test]
fn read_models_of_a_server_that_are_built_anew_by_processes_that_die_stay_whole() {
    if let Some(schema) = schema() {
        rebuild(Some(schema));
    }
}

/// Two that are stopped in turns, for as long as the shortest lease lasts.
fn fight(schema: Option<Schema>) {
    let mut scene = Scene::new(schema, 100, false);
    while scene.followers.len() > 2 {
        scene.followers.pop().expect("one").end();
    }
    let end = Instant::now() + Duration::from_secs(5);
    while Instant::now() < end {
        for process in &scene.followers {
            process.stop();
            std::thread::sleep(Duration::from_millis(150));
            process.go_on();
        }
    }
    // So short a lease is lost whenever the machine is busy, and they would go on for long.
    for process in std::mem::take(&mut scene.followers) {
        process.end();
    }
    scene.lease = 400;
    scene.settle(2);
}

#[test]
fn of_two_that_fight_for_the_read_models_of_a_file_only_one_writes_at_a_time() {
    fight(None);
}

#[test]
fn of_two_that_fight_for_the_read_models_of_a_server_only_one_writes_at_a_time() {
    if let Some(schema) = schema() {
        fight(Some(schema));
    }
}

/// Lets somebody work for so many steps, and then drops the work.
async fn so_far(steps: usize, work: impl Future) {
    let (mut work, mut left) = (std::pin::pin!(work), steps);
    std::future::poll_fn(|context| {
        if left == 0 || work.as_mut().poll(context).is_ready() {
            return std::task::Poll::Ready(());
        }
        left -= 1;
        std::task::Poll::Pending
    })
    .await;
}

#[test]
fn a_save_that_is_dropped_anywhere_leaves_no_transaction_open_for_others_on_its_connection() {
    let Some(schema) = schema() else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let name = &schema.name;
        let url = format!("{}&application_name={name}", schema.url());
        let store = Store::connect(&url).await.expect("a store");
        let sources = Repository::<Source>::new(&store);
        let id = SourceId::new("0").expect("an id");
        let client = schema.client().await;
        let open = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = '{name}' AND state LIKE 'idle in transaction%'"
        );
        for steps in 0..40 {
            let entries = TableProjector::new(Entries::new(None, false), &store).await;
            let mut entries = entries.expect("entries");
            let fed = Fed {
                number: 1,
                poison: false,
            };
            let fed = sources.execute(&id, |_| Ok(fed.clone())).await;
            fed.expect("it is stored");
            so_far(steps, entries.catch_up()).await;
            // The server may still be busy with what was on its way.
            let begun = Instant::now();
            while client.query_one(&open, &[]).await.expect("a count").get::<_, i64>(0) > 0 {
                assert!(begun.elapsed() < Duration::from_secs(5), "after {steps} steps");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        store.close().await.expect("it closes");
    });
}
