//! Servers that end in the middle of it all: what was acknowledged stays, nothing is applied twice, and the work goes on.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use recount::Store;
use recount::log::{AppendError, Batch, EventId, Expected, NewEvent, Position, Query};
use recount::prelude::*;
use recount::repository::ExecuteError;
use tokio::sync::watch;

use crate::cluster::{Cluster, Stop};
use crate::{event, run, seen, stream};

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
struct TillId(String);

/// The number says which command it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Counted {
    command: usize,
}

/// Adds, so that an event applied twice shows.
#[derive(Debug, Clone, Default, PartialEq, Aggregate)]
#[aggregate(stream = "till", id = TillId)]
struct Till {
    commands: usize,
}

#[apply]
impl Till {
    fn counted(&mut self, _: Counted) {
        self.commands += 1;
    }
}

/// How a task of the test tells and is told how it stands.
#[derive(Clone)]
struct Run {
    /// Whether the server is there; who fails meanwhile waits for it.
    up: watch::Receiver<bool>,
    done: Arc<AtomicBool>,
    /// Whether all who write have ended.
    written: Arc<AtomicBool>,
    /// How much was acknowledged by all.
    acknowledged: Arc<watch::Sender<usize>>,
}

impl Run {
    fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }

    fn acknowledge(&self) {
        self.acknowledged.send_modify(|count| *count += 1);
    }

    async fn server(&mut self) {
        self.up.wait_for(|up| *up).await.unwrap();
    }
}

/// What became of a command, as its caller was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Done,
    NotDone,
    Unknown,
}

/// Commands on few tills, so that tasks meet; what each was told.
async fn command(store: Store, task: usize, mut of: Run) -> Vec<(usize, Told)> {
    let tills = Repository::<Till>::new(&store);
    let mut told = Vec::new();
    while !of.is_done() {
        let number = task * 1_000_000 + told.len();
        let id = TillId::new(format!("{}", number % 3)).unwrap();
        let outcome = tills
            .execute(&id, |_| Ok(Counted { command: number }))
            .await;
        told.push((
            number,
            match outcome {
                Ok(_) => {
                    of.acknowledge();
                    Told::Done
                }
                Err(ExecuteError::Append(AppendError::Unknown { .. })) => Told::Unknown,
                Err(
                    ExecuteError::Append(_)
                    | ExecuteError::Load(_)
                    | ExecuteError::Contended { .. },
                ) => Told::NotDone,
                Err(error) => panic!("{error:?}"),
            },
        ));
        if told.last().is_some_and(|(_, told)| *told != Told::Done) {
            of.server().await;
        }
    }
    told
}

/// Batches of two events in two streams, each appended until it is acknowledged; the ids of all, in order.
async fn append(store: Store, task: usize, mut of: Run) -> Vec<(EventId, EventId)> {
    let mut ids = Vec::new();
    while !of.is_done() {
        let events: [NewEvent; 2] = [event("First"), event("Second")];
        ids.push((events[0].id, events[1].id));
        let [first, second] = events;
        let batch = Batch::new()
            .append(
                stream(&format!("own {task}")),
                Expected::Version(recount::log::Version(ids.len() as u64 - 1)),
                [first],
            )
            .append(stream("shared"), Expected::Any, [second]);
        // Repeated as it is: it may be there already.
        while let Err(error) = store.append_batch(batch.clone()).await {
            assert!(error.is_transient(), "{error:?}");
            of.server().await;
        }
        of.acknowledge();
    }
    ids
}

/// Reads all events again and again while the others work; they are seen once and in order.
async fn follow(store: Store, mut of: Run) -> Vec<EventId> {
    let (mut last, mut ids) = (Position::START, Vec::new());
    loop {
        let is_last = of.written.load(Ordering::Acquire);
        let mut reader = store.read(Query::all().after(last));
        loop {
            match reader.next_page().await {
                Ok(Some(page)) => {
                    for record in page.iter() {
                        assert!(record.position() > last);
                        last = record.position();
                        ids.push(record.id());
                    }
                }
                Ok(None) if is_last => return ids,
                Ok(None) => break,
                Err(_) => {
                    of.server().await;
                    break;
                }
            }
        }
        tokio::task::yield_now().await;
    }
}

/// Waits until as much as this more was acknowledged.
async fn wait_for_more(of: &Run, more: usize) {
    let mut acknowledged = of.acknowledged.subscribe();
    let wanted = *acknowledged.borrow() + more;
    acknowledged
        .wait_for(|count| *count >= wanted)
        .await
        .unwrap();
}

/// Ends the server in each way, and then sessions by themselves, while others work.
async fn end_again_and_again(cluster: &Arc<Cluster>, of: &Run, up: &watch::Sender<bool>) {
    for how in [Stop::Fast, Stop::Immediate, Stop::Kill, Stop::Kill] {
        wait_for_more(of, 100).await;
        up.send_replace(false);
        let server = Arc::clone(cluster);
        let restarted = tokio::task::spawn_blocking(move || server.restart(how));
        restarted.await.unwrap();
        up.send_replace(true);
    }
    let client = cluster.client().await;
    for _ in 0..20 {
        wait_for_more(of, 5).await;
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'recount' ORDER BY random() LIMIT 2";
        run(&client, sql).await;
    }
    wait_for_more(of, 100).await;
}

/// Each command is stored as often as its caller was told.
async fn check_commands(store: &Store, told: &[(usize, Told)]) {
    let stored = store.read(Query::all().category("till")).collect().await;
    let mut times: HashMap<usize, usize> = HashMap::new();
    for event in stored.unwrap() {
        let counted: Counted = serde_json::from_slice(&event.payload).unwrap();
        *times.entry(counted.command).or_default() += 1;
    }
    for (command, told) in told {
        let times = times.remove(command).unwrap_or(0);
        let right = match told {
            Told::Done => times == 1,
            Told::NotDone => times == 0,
            Told::Unknown => times <= 1,
        };
        assert!(
            right,
            "{command} was told {told:?} and is stored {times} times"
        );
    }
    assert!(times.is_empty(), "{times:?}");
}

/// Each batch is stored once, those of a task in its order.
async fn check_batches(store: &Store, ids: &[Vec<(EventId, EventId)>]) {
    let read = async |id: &str| -> Vec<EventId> {
        let events = store.read(Query::stream(&stream(id))).collect().await;
        events.unwrap().iter().map(|event| event.id).collect()
    };
    let mut shared = read("shared").await;
    shared.sort_unstable();
    let mut wanted: Vec<_> = ids.iter().flatten().map(|(_, second)| *second).collect();
    wanted.sort_unstable();
    assert_eq!(shared, wanted);
    for (task, ids) in ids.iter().enumerate() {
        let wanted = ids.iter().map(|(first, _)| *first);
        assert!(wanted.eq(read(&format!("own {task}")).await), "{task}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_every_end_of_the_server_and_nothing_is_applied_twice() {
    let Some(cluster) = Cluster::new(&[]) else {
        return;
    };
    let cluster = Arc::new(cluster);
    let (up, is_up) = watch::channel(true);
    let of = Run {
        up: is_up,
        done: Arc::default(),
        written: Arc::default(),
        acknowledged: Arc::new(watch::Sender::new(0)),
    };
    // Two handles, as two processes have them.
    let stores = [
        Store::connect(&cluster.url()).await.unwrap(),
        Store::connect(&cluster.url()).await.unwrap(),
    ];
    let (mut commands, mut appends, mut readers) = (Vec::new(), Vec::new(), Vec::new());
    for task in 0..6 {
        let store = stores[task % 2].clone();
        commands.push(tokio::spawn(command(store.clone(), task, of.clone())));
        appends.push(tokio::spawn(append(store.clone(), task, of.clone())));
        if task < 2 {
            readers.push(tokio::spawn(follow(store, of.clone())));
        }
    }
    end_again_and_again(&cluster, &of, &up).await;
    of.done.store(true, Ordering::Release);

    let store = &stores[0];
    let mut told = Vec::new();
    for task in commands {
        told.extend(task.await.unwrap());
    }
    let mut ids = Vec::new();
    for task in appends {
        ids.push(task.await.unwrap());
    }
    of.written.store(true, Ordering::Release);
    check_commands(store, &told).await;
    check_batches(store, &ids).await;
    let all = store.read(Query::all()).collect().await.unwrap();
    for reader in readers {
        let read = reader.await.unwrap();
        let apart = read
            .iter()
            .zip(&all)
            .position(|(read, event)| *read != event.id);
        assert_eq!(
            (read.len(), apart),
            (all.len(), None),
            "a reader saw another log"
        );
    }
    let count = |wanted: Told| told.iter().filter(|(_, told)| *told == wanted).count();
    println!(
        "{} commands done, {} not, {} unknown; {} batches; {} events",
        count(Told::Done),
        count(Told::NotDone),
        count(Told::Unknown),
        ids.iter().flatten().count(),
        all.len()
    );
}

/// A disk so small that it fills up, in the folder of a server, which unmounts it at its end. `None` when this user may not mount one,
/// which is said, and fails where `CI` is set.
fn mount(cluster: &Cluster, size: &str) -> Option<PathBuf> {
    let place = cluster.folder().join("small");
    std::fs::create_dir(&place).unwrap();
    let mut mount = Command::new("mount");
    mount.args([
        "-t",
        "tmpfs",
        "-o",
        &format!("size={size},mode=777"),
        "tmpfs",
    ]);
    let mounted = mount.arg(&place).status();
    if !mounted.is_ok_and(|status| status.success()) {
        println!("NOT RUN on a full disk: no disk can be mounted here");
        assert!(std::env::var_os("CI").is_none(), "a disk is needed here");
        return None;
    }
    Some(place)
}

#[tokio::test]
async fn a_full_disk_is_told_and_the_log_goes_on_when_there_is_space() {
    let Some(cluster) = Cluster::new(&[]) else {
        return;
    };
    let Some(disk) = mount(&cluster, "8m") else {
        return;
    };
    let ballast = disk.join("ballast");
    std::fs::write(&ballast, vec![0; 4 << 20]).unwrap();
    let (store, client) = (
        Store::connect(&cluster.url()).await.unwrap(),
        cluster.client().await,
    );
    let place = disk.join("space");
    std::fs::create_dir(&place).unwrap();
    Cluster::give(&place);
    run(
        &client,
        &format!("CREATE TABLESPACE small LOCATION '{}'", place.display()),
    )
    .await;
    run(&client, "ALTER TABLE recount.events SET TABLESPACE small").await;

    let (large, mut written) = ("x".repeat(100 << 10), 0);
    // Not to be compressed away.
    run(
        &client,
        "ALTER TABLE recount.events ALTER COLUMN payload SET STORAGE EXTERNAL",
    )
    .await;
    let error = loop {
        let noted = NewEvent::json("Noted", 1, &large).unwrap();
        match store.append(&stream("a"), Expected::Any, [noted]).await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 100, "the disk does not fill up");
    };
    assert!(matches!(error, AppendError::Full { .. }), "{error:?}");
    assert!(
        error.to_string().contains(store.url()) && written > 0,
        "{error}"
    );
    // What is there can be read, and it stays like this while nobody makes space.
    assert_eq!(seen(&store).await.len(), written);
    let noted = NewEvent::json("Noted", 1, &large).unwrap();
    let batch = Batch::new().append(stream("a"), Expected::Any, [noted]);
    let error = store.append_batch(batch.clone()).await.unwrap_err();
    assert!(matches!(error, AppendError::Full { .. }), "{error:?}");
    std::fs::remove_file(ballast).unwrap();
    assert!(!store.append_batch(batch).await.unwrap().repeated);
    assert_eq!(seen(&store).await.len(), written + 1);
}
