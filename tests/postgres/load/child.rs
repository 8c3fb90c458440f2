//! Writers and readers in a process of their own: this test's own program, told on its standard input what to do.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use recount::Store;
use recount::log::{Position, Query};
use recount::store::postgres::PostgresOptions;
use serde::{Deserialize, Serialize};

use super::dice::Dice;
use super::oracle::Seen;
use super::writers::{ByHand, Report, append};
use crate::scene::one;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    pub url: String,
    pub server: String,
    pub schema: String,
    /// Where it leaves what it was told or has seen.
    pub folder: PathBuf,
    pub number: u64,
    pub seed: u64,
    /// How long it writes.
    pub milliseconds: u64,
    pub task: Task,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Task {
    Write,
    /// Reads in pages of each of these sizes, until there is a second line on the standard input and nothing is left.
    Read {
        sizes: Vec<usize>,
    },
}

const VARIABLE: &str = "RECOUNT_ORDER_CHILD";

/// What the processes of this test do; without the variable it is no test.
#[test]
fn child() {
    if std::env::var_os(VARIABLE).is_none() {
        return;
    }
    let order = || {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).unwrap();
        line
    };
    let job: Job = serde_json::from_str(&order()).unwrap();
    let told = Arc::new(AtomicBool::new(false));
    std::thread::spawn({
        let told = Arc::clone(&told);
        move || {
            if order().is_empty() {
                // The parent is gone.
                std::process::exit(1);
            }
            told.store(true, Ordering::SeqCst);
        }
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        match &job.task {
            Task::Write => write(&job).await,
            Task::Read { sizes } => read(&job, sizes, &told).await,
        }
    });
}

/// What the connections of writers are called.
pub fn writing(schema: &str) -> String {
    format!("{schema}_writes")
}

async fn open(job: &Job, name: &str, settings: &str) -> Store {
    let url = format!("{}&application_name={name}{settings}", job.url);
    let options = PostgresOptions::from_url(&url).unwrap().connections(4);
    // It may be ended while it connects.
    let begun = Instant::now();
    loop {
        match options.clone().open().await {
            Ok(backend) => return Store::new(backend),
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(10), "{error:?}"),
        }
    }
}

async fn write(job: &Job) {
    const EACH: u64 = 3;
    let end = Instant::now() + Duration::from_millis(job.milliseconds);
    let file = File::create(job.folder.join(format!("writer-{}", job.number))).unwrap();
    let report = Report::new(file);
    let client = crate::server::connect(&job.server).await.unwrap();
    let prepares = one::<String>(&client, "SHOW max_prepared_transactions").await != "0";
    // Commits that wait for one another, if that may be asked for, and deadlocks that do not last.
    let is_superuser = one::<String>(&client, "SHOW is_superuser").await == "on";
    let (set, options) = if is_superuser {
        let set =
            "SET commit_delay = 5000; SET commit_siblings = 1; SET deadlock_timeout = '50ms';";
        (
            set,
            "&options=-c%20commit_delay%3D5000%20-c%20commit_siblings%3D1%20-c%20deadlock_timeout%3D50ms",
        )
    } else {
        ("", "")
    };
    let careless = "&options=-c%20synchronous_commit%3Doff";
    let name = writing(&job.schema);
    let stores = [
        open(job, &name, options).await,
        open(job, &name, careless).await,
    ];
    let mut tasks = Vec::new();
    for number in 0..EACH {
        let dice = |kind: u64| Dice::new(job.seed ^ (number * 2 + kind) << 32);
        let store = stores[usize::from(number == 0)].clone();
        tasks.push(tokio::spawn(append(store, dice(0), end, report.clone())));
        let by_hand = ByHand {
            schema: job.schema.clone(),
            server: job.server.clone(),
            dice: dice(1),
            report: report.clone(),
            settings: match number {
                0 => "SET synchronous_commit = off".to_owned(),
                1 => set.to_owned(),
                _ => String::new(),
            },
            prepares,
        };
        tasks.push(tokio::spawn(by_hand.run(end)));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

async fn read(job: &Job, sizes: &[usize], told: &Arc<AtomicBool>) {
    let mut readers = Vec::new();
    for &size in sizes {
        let name = format!("{}_reads", job.schema);
        let (store, told) = (open(job, &name, "").await, Arc::clone(told));
        readers.push(tokio::spawn(
            async move { follow(&store, size, &told).await },
        ));
    }
    for (reader, size) in readers.into_iter().zip(sizes) {
        let seen: String = reader.await.unwrap().iter().map(Seen::to_string).collect();
        std::fs::write(job.folder.join(format!("reader-{size}")), seen).unwrap();
    }
}

/// Goes on from the last event that was seen, also after its connection was ended.
async fn follow(store: &Store, size: usize, told: &AtomicBool) -> Vec<Seen> {
    let mut seen: Vec<Seen> = Vec::new();
    let mut head = Position::START;
    loop {
        let at_the_end = told.load(Ordering::SeqCst);
        // The end never goes back, be it by a head or by an event that was seen.
        if let Ok(now) = store.head().await {
            assert!(now >= head, "{head} and then {now}");
            head = now;
        }
        let last = seen.last().map_or(0, |seen| seen.position.cast_unsigned());
        let mut reader = store.read(Query::all().after(Position(last)).page_size(size));
        let ended = loop {
            match reader.next_page().await {
                Ok(Some(page)) => seen.extend(page.iter().map(|record| Seen {
                    position: record.position().0.cast_signed(),
                    stream: record.stream().to_owned(),
                    version: record.version().0.cast_signed(),
                    id: record.id().0,
                })),
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        if ended && at_the_end {
            return seen;
        }
        head = head.max(
            seen.last()
                .map_or(head, |seen| Position(seen.position.cast_unsigned())),
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A process at work, as its parent sees it; killed when the parent fails.
pub struct Process(Child);

impl Process {
    pub fn start(job: &Job) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "load::child::child", "--nocapture"])
            .env(VARIABLE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut process = Self(child);
        process.tell(&serde_json::to_string(job).unwrap());
        process
    }

    pub fn tell(&mut self, line: &str) {
        let input = self.0.stdin.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
    }

    pub fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Waits for its end, which is a good one.
    pub fn finish(mut self) {
        // Waiting would close it, and its end means that nobody waits.
        let input = self.0.stdin.take();
        let status = self.0.wait().unwrap();
        drop(input);
        assert!(status.success(), "{status}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended cannot be killed, which is as well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
