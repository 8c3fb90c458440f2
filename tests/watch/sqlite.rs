//! On a file, which is looked at while somebody waits.

use std::path::{Path, PathBuf};

use recount::prelude::*;
use recount::store::sqlite::{SqliteBackend, SqliteOptions};
use recount::store::{Backend, Checkpoint, Effects, ProjectionKey};

use crate::{Follower, PATIENCE, append, delays, soon, wakes_at_once};

/// A folder, and the path of a file in it that is not there yet.
fn file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    (folder, path)
}

async fn open(path: &Path) -> SqliteBackend {
    SqliteOptions::new(path).open().await.unwrap()
}

async fn store(path: &Path) -> Store {
    Store::new(open(path).await)
}

#[tokio::test]
async fn appends_of_another_process_wake_as_they_come() {
    let (_folder, path) = file();
    let store = store(&path).await;
    let delays = delays(&store, &format!("sqlite:{}", path.display()), 60).await;
    assert!(delays[delays.len() / 2] < 40_000, "{delays:?}");
}

#[tokio::test]
async fn each_append_wakes_once_and_what_is_no_append_wakes_nobody() {
    let (_folder, path) = file();
    let (one, two) = (open(&path).await, open(&path).await);
    let (reading, writing) = (Store::new(one.clone()), Store::new(two.clone()));
    let mut follower = Follower::new(&reading);
    append(&writing, "a").await;
    follower.sees(1).await;
    // Whoever begins to look knows nothing of what was seen before.
    soon("the first look wakes", follower.watch.changed()).await;
    let before = follower.woken;
    let key = ProjectionKey {
        name: "accounts",
        fingerprint: 7,
    };
    for (events, (writer, backend)) in (2..).zip([(&reading, &one), (&writing, &two)]) {
        let follows = async {
            follower.sees(events).await;
        };
        // Each of these is seen by whoever looks at the file, since it takes longer than the pause between two looks.
        let writes = async {
            for revision in 0..20 {
                let checkpoint = Checkpoint {
                    revision: (events as u64 - 2) * 20 + revision,
                    position: Position(revision),
                    state: None,
                };
                backend
                    .save_checkpoint(None, key, checkpoint, Effects::default())
                    .await
                    .unwrap();
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            append(writer, "a").await;
        };
        tokio::join!(follows, writes);
    }
    assert_eq!(follower.woken - before, 2);
}

#[test]
fn a_runtime_without_a_timer_is_enough() {
    let (done, ended) = std::sync::mpsc::channel();
    // A thread of its own, since there is no timer to say that it hangs.
    std::thread::spawn(move || {
        let (_folder, path) = file();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (reading, writing) = (store(&path).await, store(&path).await);
            let mut watch = reading.watch();
            for number in 1..=5 {
                append(&writing, "a").await;
                while reading.head().await.unwrap() < Position(number) {
                    watch.changed().await;
                }
                watch.changed().await;
            }
            reading.close().await.unwrap();
            // Now it is polled, also without a timer.
            watch.changed().await;
            watch.changed().await;
        });
        done.send(()).unwrap();
    });
    ended.recv_timeout(PATIENCE).expect("it is woken");
}

#[tokio::test]
async fn a_closed_store_leaves_no_connection_of_its_watches_behind() {
    for _ in 0..20 {
        let (folder, path) = file();
        let store = store(&path).await;
        let mut follower = Follower::new(&store);
        append(&store, "a").await;
        follower.sees(1).await;
        let waiting = tokio::spawn({
            let (store, mut watch) = (store.clone(), store.watch());
            async move {
                while store.head().await.is_ok() {
                    watch.changed().await;
                }
            }
        });
        // So that it waits, and a thread looks at the file.
        tokio::task::yield_now().await;
        soon("the store is closed", store.close()).await.unwrap();
        soon("who waits ends", waiting).await.unwrap();
        // The last connection that is closed takes the write-ahead log with it.
        let mut names: Vec<_> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["log.db", "log.db-turn"]);
    }
}

#[tokio::test]
async fn a_store_that_may_only_be_read_is_woken_too() {
    let (_folder, path) = file();
    let writing = store(&path).await;
    append(&writing, "a").await;
    let reading = SqliteOptions::new(&path).read_only(true).open().await;
    let mut follower = Follower::new(&Store::new(reading.unwrap()));
    follower.sees(1).await;
    append(&writing, "a").await;
    follower.sees(2).await;
}

#[tokio::test]
async fn an_append_of_this_process_has_woken_when_it_returns() {
    let (_folder, path) = file();
    wakes_at_once(&store(&path).await).await;
}
