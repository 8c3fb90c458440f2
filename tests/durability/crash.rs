//! Processes are killed while they open a file, write to it and close it, again and again over the same file; what they
//! were told must be there, whole, once.

use std::path::PathBuf;
use std::time::Duration;

use recount::log::Expected;
use recount::prelude::*;
use recount::projection::Projector;
use recount::repository::LoadError;
use recount::snapshot::SnapshotPolicy;
use recount::store::sqlite::SqliteOptions;
use rusqlite::{Connection, OpenFlags};

use crate::child::{Job, Task, Worker, url};
use crate::dice::Dice;
use crate::domain::{Account, Accounts, Fold, account_id, event, is_account, stream};
use crate::history::{Answer, History, Plan, Report};
use crate::oracle::{Fault, Log, check};
use crate::readers::read_on;

/// How many deaths a file sees before it is checked as a whole and another takes its place.
const DEATHS: u64 = 250;

#[test]
fn what_was_acknowledged_survives_every_death_and_what_was_not_is_whole_or_absent() {
    let mut dice = Dice::new(crate::seed());
    let mut left = crate::setting("RECOUNT_KILLS").unwrap_or(200);
    while left > 0 {
        let mut scene = Scene::new(dice.roll());
        let deaths = left.min(DEATHS);
        while scene.deaths < deaths {
            scene.kill();
            scene.look();
        }
        left = left.saturating_sub(scene.deaths);
        scene.settle();
    }
}

/// A file and all that is known of it.
struct Scene {
    dice: Dice,
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    round: u32,
    deaths: u64,
    history: History,
    /// How many attempts of the history were checked.
    checked: usize,
    /// How many batches were found that nobody had lived to be told of.
    untold: u64,
    log: Log,
    /// Batches whose outcome somebody did not live to hear, to be tried again.
    doubtful: Vec<Plan>,
}

impl Scene {
    fn new(seed: u64) -> Self {
        let scene = Self {
            dice: Dice::new(seed),
            folder: tempfile::tempdir().expect("a folder"),
            runtime: tokio::runtime::Builder::new_current_thread()
                .build()
                .expect("a runtime"),
            round: 0,
            deaths: 0,
            history: History::default(),
            checked: 0,
            untold: 0,
            log: Log::default(),
            doubtful: Vec::new(),
        };
        // Later it is also opened for reading only, and then it must be there.
        scene.runtime.block_on(async {
            let store = Store::connect(&url(&scene.file())).await.expect("a store");
            store.close().await.expect("it closes");
        });
        scene
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("log.db")
    }

    /// Lets one process or two work, and kills them.
    fn kill(&mut self) {
        self.round += 1;
        match self.dice.below(100) {
            0..8 => self.kill_the_founder(),
            8..18 => {
                let worker = self.start(0, Task::Append { again: Vec::new() });
                self.strike(worker, |report| matches!(report, Report::Opening), 4_000);
            }
            18..30 => {
                let after = u32::try_from(self.dice.below(60)).expect("small");
                let worker = self.start(0, Task::Close { after });
                self.strike(worker, |report| matches!(report, Report::Closing), 6_000);
            }
            30..60 => {
                // Both try the same batches again.
                let again = self.again();
                let workers = [0, 1].map(|child| {
                    let again = again.clone();
                    self.start(child, Task::Append { again })
                });
                for worker in workers {
                    self.strike(worker, is_acknowledgement, 40_000);
                }
            }
            _ => {
                let again = self.again();
                let worker = self.start(0, Task::Append { again });
                self.strike(worker, is_acknowledgement, 400_000);
            }
        }
    }

    /// Kills a process that makes a new file, which can be used all the same.
    fn kill_the_founder(&mut self) {
        let file = self.folder.path().join(format!("new-{}.db", self.round));
        let job = Job {
            url: url(&file),
            ..self.job(0, Task::Append { again: Vec::new() })
        };
        let mut history = History::default();
        let mut worker = Worker::start(&job);
        worker.until(&mut history, |report| matches!(report, Report::Opening));
        self.pause(4_000);
        worker.kill();
        worker.finish(&mut history);
        self.deaths += 1;
        self.runtime.block_on(async {
            let store = Store::connect(&url(&file)).await.expect("it opens");
            let mut log = Log::default();
            explained(read_on(&store, &mut log).await);
            explained(check(&history, &log, 0));
            let one = store.append(&stream(0), Expected::Any, [event(0, 0)]).await;
            one.expect("it takes an event");
            store.close().await.expect("it closes");
        });
        assert_eq!(integrity(&file), "ok");
    }

    fn job(&self, child: u64, task: Task) -> Job {
        Job {
            url: url(&self.file()),
            ended: None,
            clock: self.folder.path().join("clock"),
            number: (u64::from(self.round) * 2 + child) * Job::NUMBERS,
            seed: self.dice.clone().roll(),
            fresh: self.round * 1000,
            task,
        }
    }

    fn start(&self, child: u64, task: Task) -> Worker {
        Worker::start(&self.job(child, task))
    }

    /// Waits for a report of this kind, then a random time up to so many microseconds, and kills.
    fn strike(&mut self, mut worker: Worker, when: impl Fn(&Report) -> bool, most: u64) {
        worker.until(&mut self.history, when);
        self.pause(most);
        worker.kill();
        worker.finish(&mut self.history);
        self.deaths += 1;
    }

    /// Lets the others work for a time; short times are as likely as long ones.
    fn pause(&mut self, most: u64) {
        let bits = 7 + self.dice.below(u64::from(most.ilog2()) - 6);
        let micros = self.dice.below(2 << bits).min(most);
        std::thread::sleep(Duration::from_micros(micros));
    }

    /// What is to be tried again: all that was left open lately, some that was long ago, some that never was.
    fn again(&mut self) -> Vec<Plan> {
        let lately = self.doubtful.len().saturating_sub(10);
        let mut again = self.doubtful[lately..].to_vec();
        for _ in 0..3 {
            if !self.doubtful.is_empty() {
                again.push(self.dice.pick(&self.doubtful).clone());
            }
            if !self.history.attempts.is_empty() {
                again.push(self.dice.pick(&self.history.attempts).plan.clone());
            }
        }
        again
    }

    /// Checks what the dead left. At times nobody looks, so that the next one dies over what the last one left; and most
    /// look without touching anything, so that it is there for the next one.
    fn look(&mut self) {
        let look = self.dice.below(100);
        if look < 20 {
            return;
        }
        let writable = look < 27;
        let file = self.file();
        let options = SqliteOptions::new(&file).read_only(!writable);
        let seen = self.log.entries().len();
        let account = 2 * u32::try_from(self.dice.below(20)).expect("small");
        let log = &mut self.log;
        self.runtime.block_on(async {
            let store = Store::new(options.open().await.expect("it opens"));
            explained(read_on(&store, log).await);
            projected(&store, log).await;
            folded(&store, account, log).await;
            store.close().await.expect("it closes");
        });
        let news = self.history.since(self.checked);
        self.untold += explained(check(&news, &self.log, seen)).untold;
        let open: Vec<_> = self.history.attempts[self.checked..]
            .iter()
            .filter(|attempt| matches!(&attempt.answer, None | Some((_, Answer::Unknown(_)))))
            .map(|attempt| attempt.plan.clone())
            .collect();
        self.doubtful.extend(open);
        self.checked = self.history.attempts.len();
        if self.round.is_multiple_of(10) {
            assert_eq!(integrity(&file), "ok");
        }
    }

    /// Checks everything once more, from the first event.
    fn settle(self) {
        let mut log = Log::default();
        self.runtime.block_on(async {
            let store = Store::connect(&url(&self.file())).await.expect("a store");
            explained(read_on(&store, &mut log).await);
            let mut stored = Projector::<Accounts>::stored(&store).await.expect("one");
            stored.catch_up().await.expect("it catches up");
            projected(&store, &log).await;
            let mut anew = Projector::<Accounts>::in_memory(&store);
            anew.catch_up().await.expect("it catches up");
            assert_eq!(*stored, *anew);
            for stream in log.streams() {
                if is_account(stream) {
                    folded(&store, stream, &log).await;
                }
            }
            store.close().await.expect("it closes");
        });
        let checked = explained(check(&self.history, &log, 0));
        assert_eq!(integrity(&self.file()), "ok");
        let (deaths, untold, events) = (self.deaths, self.untold, log.entries().len());
        println!("{deaths} deaths, {events} events, {untold} batches unheard of, {checked:?}");
        // Else too little was at stake; of a few deaths nothing can be said.
        if deaths >= 100 {
            assert!(checked.stored > deaths && checked.repeated > 0);
            assert!(checked.unknown > 0 && untold > 0);
        }
    }
}

pub fn explained<T>(checked: Result<T, Fault>) -> T {
    checked.unwrap_or_else(|fault| panic!("{fault}"))
}

pub fn is_acknowledgement(report: &Report) -> bool {
    matches!(
        report,
        Report::Answered {
            answer: Answer::Stored { .. },
            ..
        }
    )
}

/// The stored projection is what the log comes to at its position.
pub async fn projected(store: &Store, log: &Log) {
    let accounts = Projector::<Accounts>::stored(store)
        .await
        .expect("a projection");
    let position = accounts.position().0;
    let handled = log
        .entries()
        .iter()
        .take_while(|entry| entry.position <= position)
        .filter(|entry| is_account(entry.stream));
    assert_eq!(accounts.fold, Fold::of(handled), "at position {position}");
}

/// An account is what its events come to, with and without its snapshot.
pub async fn folded(store: &Store, number: u32, log: &Log) {
    let (id, there) = (account_id(number), log.stream(number).next().is_some());
    let with = Repository::<Account>::new(store);
    let without = with.clone().with_snapshots(SnapshotPolicy::never());
    for accounts in [with, without] {
        match accounts.load(&id).await {
            Ok(account) => assert_eq!(account.fold, Fold::of(log.stream(number)), "{id}"),
            Err(LoadError::NotFound { .. }) => assert!(!there, "{id}"),
            Err(error) => panic!("{error:?}"),
        }
    }
}

fn integrity(file: &std::path::Path) -> String {
    Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .expect("it opens")
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .expect("a verdict")
}
