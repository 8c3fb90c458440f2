//! Processes that follow a log, or feed it: this test's own program, told by a variable what to do.
//!
//! They say nothing unless something is wrong: what they write on their standard error is a complaint.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use recount::log::{AppendError, Expected, NewEvent, StreamId};
use recount::prelude::*;
use recount::projection::{FollowError, Projector, TableProjector};
use recount::reaction::Reactor;
use recount::runner::{OnError, Runner, State};
use serde::{Deserialize, Serialize};

use super::read_models::{Echoes, Entries, Fed, Hesitant, Picky, Sums};
use crate::dice::Dice;

/// What a process is to do, until its standard input ends.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    pub url: String,
    /// Of the log, on a server.
    pub schema: Option<String>,
    /// What is kept beside the log.
    pub folder: PathBuf,
    pub seed: u64,
    pub task: Task,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Task {
    /// Appends so many events at once, and then some more with pauses up to so many milliseconds.
    Feed { first: u64, pause: u64 },
    /// Runs all read models with a lease of so many milliseconds.
    Follow {
        lease: u64,
        /// Builds them anew again and again, and has no reactions.
        rebuilds: bool,
        /// Its code handles what others set aside.
        mended: bool,
    },
}

/// The streams that are fed.
pub const STREAMS: u64 = 16;

const VARIABLE: &str = "RECOUNT_FOLLOWER";

/// What the processes of these tests do; without the variable it is no test.
#[test]
fn process() {
    let Ok(job) = std::env::var(VARIABLE) else {
        return;
    };
    let job: Job = serde_json::from_str(&job).expect("a job");
    let over = Arc::new(AtomicBool::new(false));
    std::thread::spawn({
        let over = Arc::clone(&over);
        move || {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            over.store(true, Ordering::SeqCst);
        }
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let is_over = || over.load(Ordering::SeqCst);
    runtime.block_on(async {
        let store = connect(&job.url).await;
        match job.task.clone() {
            Task::Feed { first, pause } => feed(&store, &job, first, pause, is_over).await,
            Task::Follow {
                lease,
                rebuilds,
                mended,
            } => follow(&store, &job, lease, rebuilds, mended, is_over).await,
        }
    });
}

/// Tries until it comes about: somebody who is stopped may stand in the way for a while.
pub async fn persist<T, E: std::fmt::Display>(mut what: impl AsyncFnMut() -> Result<T, E>) -> T {
    let mut left = 400;
    loop {
        match what().await {
            Ok(done) => return done,
            Err(error) if left == 0 => panic!("it does not pass by itself: {error}"),
            Err(_) => left -= 1,
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn connect(url: &str) -> Store {
    persist(async || Store::connect(url).await).await
}

/// Appends single events, small batches, and a large one now and then.
async fn feed(store: &Store, job: &Job, first: u64, pause: u64, is_over: impl Fn() -> bool) {
    let mut dice = Dice::new(job.seed);
    let (mut number, mut behind) = (0, 0);
    while !is_over() {
        let stream = StreamId::new("source", dice.below(STREAMS).to_string()).expect("a name");
        let count = if number < first {
            500
        } else if dice.percent(3) {
            40 + dice.below(60)
        } else {
            1 + dice.below(3)
        };
        let events: Vec<NewEvent> = (0..count)
            .map(|_| {
                number += 1;
                let poison = number > first && dice.below(150) == 0;
                NewEvent::of(&Fed { number, poison }).expect("it is JSON")
            })
            .collect();
        persist(async || {
            let appended = store.append(&stream, Expected::Any, events.clone()).await;
            match appended {
                Err(error @ (AppendError::Unavailable { .. } | AppendError::Unknown { .. })) => {
                    Err(error)
                }
                other => Ok(other.expect("it is taken")),
            }
        })
        .await;
        if number >= first {
            if dice.percent(10) {
                behind = behind_by(store).await.unwrap_or(behind);
            }
            // They are to be at work all the time, and to catch up soon after.
            let is_ahead = behind > first + 200;
            let pause = if is_ahead { pause * 8 } else { pause };
            tokio::time::sleep(Duration::from_millis(dice.below(pause))).await;
        }
    }
}

/// How many events are not answered yet.
async fn behind_by(store: &Store) -> Option<u64> {
    let events = store.stats().await.ok()?.events_by_name;
    let of = |name: &str| events.get(name).copied().unwrap_or_default();
    Some(of("Fed") - of("Echoed"))
}

/// What is done about an event that is refused for a while, or for good.
pub fn refused() -> OnError {
    OnError::stop().retries(4).pause(Duration::from_millis(5))
}

pub fn set_aside() -> OnError {
    OnError::set_aside()
        .retries(1)
        .pause(Duration::from_millis(5))
}

async fn follow(
    store: &Store,
    job: &Job,
    lease: u64,
    rebuilds: bool,
    mended: bool,
    is_over: impl Fn() -> bool,
) {
    let runner = Runner::new().with_lease(Duration::from_millis(lease));
    let entries = Entries::new(job.schema.as_deref(), !rebuilds);
    let outside = job.folder.join("outside");
    let sums = persist(async || Projector::<Sums>::stored(store).await).await;
    let entries = persist(async || TableProjector::new(entries, store).await).await;
    let hesitant =
        persist(async || TableProjector::new(Hesitant::new(job.schema.as_deref()), store).await)
            .await;
    let picky = persist(async || TableProjector::new(Picky { mended }, store).await).await;
    let sums = runner.add(sums);
    let entries = runner.add(entries);
    if !rebuilds {
        let echoes = persist(async || Reactor::new(Echoes::new(&outside), store).await).await;
        runner.add(echoes);
    }
    runner.add_with(hesitant, refused());
    runner.add_with(picky, set_aside());
    let mut dice = Dice::new(job.seed);
    while !is_over() {
        if rebuilds {
            for rebuilt in [entries.rebuild().await, sums.rebuild().await] {
                match rebuilt {
                    // While many others want the same, the store may refuse one for a while.
                    Ok(_) | Err(FollowError::Store(_) | FollowError::Read(_)) => {}
                    Err(error) => eprintln!("{error}, {error:?}"),
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(50 + dice.below(150))).await;
        if dice.percent(5)
            && let Ok(letters) = store.dead_letters("picky").await
        {
            let _ = store.retry_dead_letters(&letters).await;
        }
        for status in runner.status().await {
            if status.state == State::Stopped {
                eprintln!("{status}");
            }
        }
    }
    runner.shutdown().await;
    store.clone().close().await.expect("it closes");
}

/// A process at work, as its parent sees it.
pub struct Process {
    child: Child,
    complaints: PathBuf,
}

impl Process {
    pub fn start(job: &Job) -> Self {
        let complaints = job.folder.join(format!("complaints-{}", job.seed));
        let file = File::create(&complaints).expect("a file");
        let child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "followers::process::process", "--nocapture"])
            .env(VARIABLE, serde_json::to_string(job).expect("it is JSON"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .expect("a child");
        Self { child, complaints }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Stops it where it is, until it is [continued](Self::go_on).
    pub fn stop(&self) {
        self.signal("STOP");
    }

    pub fn go_on(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.pid().to_string()])
            .status();
        assert!(sent.expect("the command `kill`").success());
    }

    pub fn kill(mut self) {
        self.child.kill().expect("a child that can be killed");
        self.ended();
    }

    /// Lets it end by itself.
    pub fn end(mut self) {
        drop(self.child.stdin.take());
        self.ended();
    }

    fn ended(&mut self) {
        self.child.wait().expect("it ends");
        let complaints = std::fs::read_to_string(&self.complaints).expect("a file");
        assert!(complaints.is_empty(), "{complaints}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that is stopped would outlive a parent that fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
