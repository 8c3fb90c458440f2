//! Callers in a process of their own: this test's own program, told on its standard input what to do.
//!
//! It reports on its standard error, line by line, since the test harness has the standard output for itself. What was
//! written into a pipe can be read after the death of the writer. A line that is no report is a complaint.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use recount::prelude::*;
use recount::projection::Projector;
use recount::repository::LoadError;
use recount::snapshot::SnapshotError;
use serde::{Deserialize, Serialize};

use crate::dice::Dice;
use crate::domain::{Account, Accounts, account_id};
use crate::history::{History, Plan, Report};
use crate::races;
use crate::writers::{Caller, Reporter, Writer};

/// What a child is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    pub url: String,
    /// Where the writers of a race are to write when others end their connections; else to the same.
    pub ended: Option<String>,
    pub clock: PathBuf,
    /// Its writers and readers have this number and those that follow, fewer than [`Job::NUMBERS`].
    pub number: u64,
    pub seed: u64,
    /// As for [`Writer::new`].
    pub fresh: u32,
    pub task: Task,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Task {
    /// Appends until it is killed, first of all these once more.
    Append { again: Vec<Plan> },
    /// Closes the store while others still append.
    Close { after: u32 },
    /// Races until the time is over; then reads on until there is a second line on the standard input.
    Race { milliseconds: u64 },
}

impl Job {
    pub const NUMBERS: u64 = 16;
    const WRITERS: u64 = 5;
}

const VARIABLE: &str = "RECOUNT_DURABILITY_CHILD";

pub fn url(file: &Path) -> String {
    format!("sqlite:{}", file.display())
}

/// What the children of these tests do; without the variable it is no test.
#[test]
fn child() {
    if std::env::var_os(VARIABLE).is_none() {
        return;
    }
    let order = || {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).expect("a line");
        line
    };
    let job = serde_json::from_str(&order()).expect("a job");
    let report: Reporter = Arc::new(|report| {
        let line = serde_json::to_string(&report).expect("it is JSON") + "\n";
        // Nobody listens any more to a child whose parent failed.
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    });
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(work(job, report, move || {
            order();
        }));
}

/// Opens a store whose sessions are ended by others, be it while it is opened.
async fn connect(url: &str) -> Store {
    let begun = Instant::now();
    loop {
        match Store::connect(url).await {
            Ok(store) => return store,
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(10), "{error:?}"),
        }
    }
}

/// `told` returns with the next line on the standard input, or with its end.
async fn work(job: Job, report: Reporter, told: impl FnOnce() + Send + 'static) {
    report(Report::Opening);
    let store = Store::connect(&job.url).await.expect("a store");
    let crew = Crew {
        closing: Arc::default(),
        store,
        report,
        job,
    };
    match crew.job.task.clone() {
        Task::Append { again } => {
            end_with_the_parent(told);
            crew.append(again).await;
        }
        Task::Close { after } => {
            end_with_the_parent(told);
            crew.close(after).await;
        }
        Task::Race { milliseconds } => {
            let Crew {
                store, report, job, ..
            } = crew;
            let course = races::Course {
                clock: job.clock,
                number: job.number,
                seed: job.seed,
                milliseconds,
            };
            let ended = match &job.ended {
                Some(url) => Some(connect(url).await),
                None => None,
            };
            races::take_part(&store, ended.as_ref(), &course, &report, told).await;
            store.close().await.expect("it closes");
        }
    }
}

/// A parent that failed kills nobody, but what it tells its child comes to an end.
fn end_with_the_parent(told: impl FnOnce() + Send + 'static) {
    std::thread::spawn(move || {
        told();
        std::process::exit(1);
    });
}

/// All that works in a child that is going to be killed.
struct Crew {
    store: Store,
    report: Reporter,
    job: Job,
    /// From here on the store may refuse.
    closing: Arc<AtomicBool>,
}

impl Crew {
    fn writer(&self, index: u64) -> Writer {
        let caller = Caller::new(&self.store, &self.job.clock, &self.report);
        Writer::new(
            caller,
            self.job.number + index,
            self.job.fresh,
            self.job.seed,
        )
    }

    async fn append(&self, again: Vec<Plan>) {
        let others = [self.project(), self.take_snapshots()];
        let writers: Vec<_> = (0..Job::WRITERS)
            .map(|index| {
                let mut writer = self.writer(index);
                let mine: Vec<_> = again
                    .iter()
                    .skip(usize::try_from(index).expect("an index"))
                    .step_by(usize::try_from(Job::WRITERS).expect("a count"))
                    .cloned()
                    .collect();
                tokio::spawn(async move {
                    for plan in mine {
                        writer.attempt(plan).await.expect("the store is open");
                    }
                    loop {
                        writer.act().await.expect("the store is open");
                    }
                })
            })
            .collect();
        for task in others.into_iter().chain(writers) {
            task.await.expect("it works until it is killed");
        }
    }

    async fn close(self, after: u32) {
        let mut tasks = vec![self.project(), self.take_snapshots()];
        tasks.extend((1..Job::WRITERS).map(|index| {
            let (mut writer, closing) = (self.writer(index), Arc::clone(&self.closing));
            tokio::spawn(async move {
                let refused = loop {
                    if let Err(refused) = writer.act().await {
                        break refused;
                    }
                };
                assert!(closing.load(Ordering::SeqCst), "{refused}");
            })
        }));
        let mut writer = self.writer(0);
        for _ in 0..after {
            writer.act().await.expect("the store is open");
        }
        self.closing.store(true, Ordering::SeqCst);
        (self.report)(Report::Closing);
        self.store.close().await.expect("it closes");
        for task in tasks {
            task.await.expect("it works until the store is closed");
        }
    }

    /// Keeps a stored projection up to date.
    fn project(&self) -> tokio::task::JoinHandle<()> {
        let (store, closing) = (self.store.clone(), Arc::clone(&self.closing));
        tokio::spawn(async move {
            let error = async {
                let mut accounts = Projector::<Accounts>::stored(&store).await?;
                loop {
                    accounts.catch_up().await?;
                    tokio::task::yield_now().await;
                }
            };
            let error: recount::projection::FollowError = match error.await {
                Ok(never) => never,
                Err(error) => error,
            };
            assert!(closing.load(Ordering::SeqCst), "{error:?}");
        })
    }

    /// Takes snapshots of accounts that are written to.
    fn take_snapshots(&self) -> tokio::task::JoinHandle<()> {
        let (store, closing) = (self.store.clone(), Arc::clone(&self.closing));
        let mut dice = Dice::new(self.job.seed ^ self.job.number);
        tokio::spawn(async move {
            let accounts = Repository::<Account>::new(&store);
            loop {
                let account = account_id(2 * u32::try_from(dice.below(20)).expect("small"));
                match accounts.take_snapshot(&account).await {
                    Ok(_) | Err(SnapshotError::Load(LoadError::NotFound { .. })) => {}
                    Err(error) => {
                        assert!(closing.load(Ordering::SeqCst), "{error:?}");
                        return;
                    }
                }
                tokio::task::yield_now().await;
            }
        })
    }
}

/// A child at work, as its parent sees it.
pub struct Worker {
    child: Child,
    reports: Receiver<Report>,
    reader: JoinHandle<Vec<String>>,
}

impl Worker {
    pub fn start(job: &Job) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "child::child", "--nocapture"])
            .env(VARIABLE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a child");
        let (send, reports) = channel();
        let lines = BufReader::new(child.stderr.take().expect("a pipe"));
        let reader = std::thread::spawn(move || listen(lines, |report| send.send(report).is_ok()));
        let mut worker = Self {
            child,
            reports,
            reader,
        };
        worker.tell(&serde_json::to_string(job).expect("it is JSON"));
        worker
    }

    pub fn tell(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("a pipe");
        // A child that is dead already is noticed by its reports.
        let _ = writeln!(input, "{line}");
    }

    /// Takes reports up to one that fits; false when the child ended before.
    pub fn until(&self, history: &mut History, fits: impl Fn(&Report) -> bool) -> bool {
        while let Ok(report) = self.reports.recv() {
            let found = fits(&report);
            history.take(report);
            if found {
                return true;
            }
        }
        false
    }

    pub fn kill(&mut self) {
        self.child.kill().expect("a child that can be killed");
    }

    /// Takes all other reports of a child that is killed or about to end.
    pub fn finish(mut self, history: &mut History) {
        for report in &self.reports {
            history.take(report);
        }
        self.child.wait().expect("it ends");
        let complaints = self.reader.join().expect("the reader reads");
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    }
}

/// Hands over what a child reports until it is dead; returns what else it said.
fn listen(mut lines: impl BufRead, mut send: impl FnMut(Report) -> bool) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut line = Vec::new();
    while lines
        .read_until(b'\n', &mut line)
        .is_ok_and(|read| read > 0)
    {
        // A last line without an end was cut off by the child's death.
        if line.ends_with(b"\n") {
            match serde_json::from_slice(&line) {
                // What follows a complaint explains nothing any more.
                Ok(report) if complaints.is_empty() => {
                    let _ = send(report);
                }
                _ => complaints.push(String::from_utf8_lossy(&line).trim_end().to_owned()),
            }
        }
        line.clear();
    }
    complaints
}
