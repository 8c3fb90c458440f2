//! What only a file can do: be opened again, be shared, be damaged, be something else.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use recount::log::{AppendError, Expected, NewEvent, Query, ReadError, StreamId};
use recount::prelude::*;
use recount::store::ConnectError;
use recount::store::sqlite::SqliteOptions;
use rusqlite::Connection;

fn url(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

async fn open(path: &Path) -> Store {
    Store::connect(&url(path)).await.unwrap()
}

async fn refused(path: &Path) -> ConnectError {
    Store::connect(&url(path)).await.unwrap_err()
}

fn stream(id: &str) -> StreamId {
    StreamId::new("account", id).unwrap()
}

fn events(count: usize) -> Vec<NewEvent> {
    (0..count)
        .map(|number| NewEvent::json("Counted", 1, &number).unwrap())
        .collect()
}

/// A folder, and the path of a file in it that is not there yet.
fn file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    (folder, path)
}

/// A connection that is not ours: as the `sqlite3` shell opens it.
fn shell(path: &Path) -> Connection {
    Connection::open(path).unwrap()
}

#[tokio::test]
async fn what_was_appended_is_there_after_reopening() {
    let (_folder, path) = file();
    let store = open(&path).await;
    let batch = events(3);
    let first = store
        .append(&stream("a"), Expected::NoStream, batch.clone())
        .await
        .unwrap();
    store.close().await.unwrap();

    let store = open(&path).await;
    let again = store
        .append(&stream("a"), Expected::NoStream, batch)
        .await
        .unwrap();
    assert!(again.repeated);
    assert_eq!(again.position, first.position);
    let next = store
        .append(&stream("a"), Expected::Version(Version(3)), events(1))
        .await
        .unwrap();
    assert!(next.position > first.position);
}

#[tokio::test]
async fn a_closed_store_answers_with_errors() {
    let (_folder, path) = file();
    let store = open(&path).await;
    let clone = store.clone();
    store.close().await.unwrap();
    assert!(
        clone
            .append(&stream("a"), Expected::Any, events(1))
            .await
            .is_err()
    );
    assert!(clone.read(Query::all()).collect().await.is_err());
    assert!(clone.stats().await.is_err());
    clone.close().await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let (_folder, path) = file();
    std::fs::write(&path, "Dear diary, this is no database. ".repeat(100)).unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = refused(&path).await;
    assert!(
        matches!(error, ConnectError::NotADatabase { .. }),
        "{error}"
    );
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_directory_is_refused() {
    let (folder, _) = file();
    let error = refused(folder.path()).await;
    assert!(
        matches!(error, ConnectError::NotADatabase { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("directory"), "{error}");
}

#[tokio::test]
async fn a_path_in_a_folder_that_is_not_there_is_refused_by_name() {
    let (folder, _) = file();
    let error = refused(&folder.path().join("missing/log.db")).await;
    let text = format!(
        "{error}: {:?}",
        std::error::Error::source(&error).map(ToString::to_string)
    );
    assert!(
        matches!(error, ConnectError::Unavailable { .. }) && text.contains("missing"),
        "{text}"
    );
}

#[tokio::test]
async fn another_applications_database_is_refused_and_left_alone() {
    let (_folder, path) = file();
    shell(&path)
        .execute_batch("CREATE TABLE photos (name TEXT); INSERT INTO photos VALUES ('cat.jpg');")
        .unwrap();
    let error = refused(&path).await;
    assert!(
        matches!(&error, ConnectError::Foreign { table, .. } if table == "photos"),
        "{error}"
    );
    let tables: i64 = shell(&path)
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .unwrap();
    assert_eq!(tables, 1);
}

#[tokio::test]
async fn a_file_of_a_newer_schema_is_refused_and_left_alone() {
    let (_folder, path) = file();
    open(&path).await.close().await.unwrap();
    shell(&path)
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let error = refused(&path).await;
    assert!(
        matches!(error, ConnectError::NewerSchema { found: 99, .. }),
        "{error}"
    );
    let version: i64 = shell(&path)
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap();
    assert_eq!(version, 99);
}

#[tokio::test]
async fn urls_say_what_is_wrong_with_them() {
    for (url, part) in [
        ("bank.db", "memory:"),
        ("sqlite:", "sqlite:"),
        ("mysql://x", "memory:"),
        ("mysql://me:secret@host/bank", "mysql://…@host/bank"),
        ("sqlite:x.db?synchronous=sometimes", "synchronous"),
        ("sqlite:x.db?colour=red", "colour"),
        ("sqlite:x.db?max_bytes=many", "max_bytes"),
    ] {
        let error = Store::connect(url).await.unwrap_err();
        assert!(error.to_string().contains(part), "{url}: {error}");
    }
}

#[tokio::test]
async fn a_store_that_may_only_be_read_answers_reads_and_refuses_appends() {
    let (_folder, path) = file();
    let store = open(&path).await;
    store
        .append(&stream("a"), Expected::NoStream, events(3))
        .await
        .unwrap();
    store.close().await.unwrap();
    let store = Store::new(
        SqliteOptions::new(&path)
            .read_only(true)
            .open()
            .await
            .unwrap(),
    );
    assert_eq!(store.read(Query::all()).collect().await.unwrap().len(), 3);
    let error = store
        .append(&stream("a"), Expected::Any, events(1))
        .await
        .unwrap_err();
    assert!(matches!(error, AppendError::ReadOnly { .. }), "{error}");
}

#[tokio::test]
async fn a_full_store_refuses_writes_whole_batches_or_nothing_and_stays_readable() {
    let (_folder, path) = file();
    let store = Store::new(
        SqliteOptions::new(&path)
            .max_bytes(400 << 10)
            .open()
            .await
            .unwrap(),
    );
    let mut stored = 0;
    let error = loop {
        let large: Vec<_> = (0..4)
            .map(|_| NewEvent::json("Large", 1, &"x".repeat(5000)).unwrap())
            .collect();
        match store.append(&stream("a"), Expected::Any, large).await {
            Ok(_) => stored += 4,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, AppendError::Full { .. }), "{error}");
    assert!(stored > 10);
    assert_eq!(
        store.read(Query::all()).collect().await.unwrap().len(),
        stored
    );
    store.close().await.unwrap();
    let store = open(&path).await;
    assert_eq!(
        store.version(&stream("a")).await.unwrap(),
        Version(stored as u64)
    );
    store
        .append(
            &stream("a"),
            Expected::Version(Version(stored as u64)),
            events(1),
        )
        .await
        .unwrap();
}

#[tokio::test]
async fn sql_can_read_the_log_and_change_nothing_of_it() {
    let (_folder, path) = file();
    let store = open(&path).await;
    let appended = store
        .append(&stream("a"), Expected::NoStream, events(2))
        .await
        .unwrap();
    let shell = shell(&path);
    let row: (i64, String, String, i64, String, String) = shell
        .query_row(
            "SELECT position, category, id, version, name, payload FROM log ORDER BY position DESC",
            [],
            |row| {
                Ok((
                    row.get(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                    row.get(4)?,
                    row.get(5)?,
                ))
            },
        )
        .unwrap();
    assert_eq!(
        row,
        (
            i64::try_from(appended.position.0).unwrap(),
            "account".into(),
            "a".into(),
            2,
            "Counted".into(),
            "1".into()
        )
    );
    for forbidden in [
        "UPDATE events SET payload = '0'",
        "DELETE FROM events",
        "INSERT OR REPLACE INTO events SELECT * FROM events",
        "REPLACE INTO events SELECT position, stream, version + 9, kind, tenant, event_id, batch, recorded_at, stream_id, metadata, payload FROM events",
        "INSERT INTO events SELECT position + 9, stream, version + 9, kind, tenant, randomblob(16), batch, recorded_at, stream_id, metadata, payload FROM events",
        "UPDATE streams SET id = 'b'",
        "DELETE FROM streams",
        "DELETE FROM kinds",
        "UPDATE kinds SET name = 'Other'",
    ] {
        assert!(shell.execute_batch(forbidden).is_err(), "{forbidden}");
    }
    assert_eq!(store.read(Query::all()).collect().await.unwrap().len(), 2);
}

/// Changes rows behind the guards' back, as a fault of the disk would.
fn damage(path: &Path, change: &str) {
    let connection = shell(path);
    connection
        .execute_batch(&format!(
            "PRAGMA writable_schema = ON;
             DELETE FROM sqlite_schema WHERE type = 'trigger';
             UPDATE sqlite_schema SET sql = replace(sql, 'STRICT', '');
             PRAGMA writable_schema = RESET; {change}"
        ))
        .unwrap();
}

#[tokio::test]
async fn a_damaged_row_is_reported_with_its_position_and_the_rest_stays_readable() {
    for change in [
        "UPDATE events SET payload = x'00ff' WHERE position = 3",
        "UPDATE events SET version = 'three' WHERE position = 3",
        "UPDATE events SET version = -3 WHERE position = 3",
        "UPDATE events SET event_id = x'00' WHERE position = 3",
        "UPDATE events SET recorded_at = 'noon' WHERE position = 3",
        "UPDATE events SET recorded_at = 9223372036854775807 WHERE position = 3",
        "UPDATE events SET kind = 77 WHERE position = 3",
        "UPDATE events SET metadata = x'ff' WHERE position = 3",
        "UPDATE events SET stream_id = x'ff' WHERE position = 3",
    ] {
        let (_folder, path) = file();
        let store = open(&path).await;
        store
            .append(&stream("a"), Expected::NoStream, events(5))
            .await
            .unwrap();
        store.close().await.unwrap();
        damage(&path, change);
        let store = open(&path).await;
        let mut reader = store.read(Query::all());
        let mut read = Vec::new();
        let mut errors = Vec::new();
        loop {
            match reader.next().await {
                Ok(Some(event)) => read.push(event.position.0),
                Ok(None) => break,
                Err(error) => errors.push(error),
            }
        }
        assert_eq!(read, [1, 2, 4, 5], "{change}");
        assert!(
            matches!(
                &errors[..],
                [ReadError::Corrupt {
                    position: Position(3),
                    ..
                }]
            ),
            "{change}: {errors:?}"
        );
        let backwards = store
            .read(Query::all().backwards().limit(2))
            .collect()
            .await
            .unwrap();
        assert_eq!(
            backwards
                .iter()
                .map(|event| event.position.0)
                .collect::<Vec<_>>(),
            [5, 4],
            "{change}"
        );
    }
}

#[tokio::test]
async fn a_damaged_version_in_a_long_stream_is_reported_in_its_place() {
    for change in [
        "UPDATE events SET version = -30 WHERE position = 30",
        "UPDATE events SET version = 'thirty' WHERE position = 30",
        "UPDATE events SET payload = x'00' WHERE position = 30",
    ] {
        let (_folder, path) = file();
        let store = open(&path).await;
        store
            .append(&stream("a"), Expected::NoStream, events(50))
            .await
            .unwrap();
        store.close().await.unwrap();
        damage(&path, change);
        let store = open(&path).await;
        let mut reader = store.read(Query::stream(&stream("a")).page_size(8));
        let mut read = Vec::new();
        loop {
            match reader.next().await {
                Ok(Some(event)) => read.push(event.position.0),
                Ok(None) => break,
                Err(ReadError::Corrupt { position, .. }) => read.push(1000 + position.0),
                Err(error) => panic!("{error}"),
            }
        }
        let expected: Vec<u64> = (1..30).chain([1030]).chain(31..=50).collect();
        assert_eq!(read, expected, "{change}");
    }
}

#[tokio::test]
async fn what_lies_outside_of_a_damaged_part_of_the_file_stays_readable() {
    let (_folder, path) = file();
    let store = open(&path).await;
    for number in 0..40 {
        let stream = stream(&format!("{}", number % 4));
        store
            .append(&stream, Expected::Any, events(50))
            .await
            .unwrap();
    }
    store.close().await.unwrap();
    // A page of the table's rows is overwritten with zeros.
    let connection = shell(&path);
    let page: u32 = connection
        .query_row(
            "SELECT pageno FROM dbstat WHERE name = 'events' AND pagetype = 'leaf' ORDER BY path LIMIT 1 OFFSET 5",
            [],
            |row| row.get(0),
        )
        .unwrap();
    connection.close().unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let start = (page as usize - 1) * 4096;
    bytes[start..start + 4096].fill(0);
    std::fs::write(&path, bytes).unwrap();

    let store = open(&path).await;
    for query in [
        Query::all(),
        Query::all().page_size(7),
        Query::all().names(["Counted"]),
    ] {
        let mut reader = store.read(query);
        let (mut read, mut corrupt) = (0, 0);
        loop {
            match reader.next().await {
                Ok(Some(_)) => read += 1,
                Ok(None) => break,
                Err(ReadError::Corrupt { .. }) => corrupt += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(read + corrupt, 2000);
        assert!((1..100).contains(&corrupt), "{corrupt}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_next_that_was_not_waited_for_repeats_nothing() {
    let (_folder, path) = file();
    let store = open(&path).await;
    store
        .append(&stream("a"), Expected::NoStream, events(200))
        .await
        .unwrap();
    let mut reader = store.read(Query::all().page_size(5));
    let mut read = Vec::new();
    loop {
        tokio::select! {
            biased;
            event = reader.next() => match event.unwrap() {
                Some(event) => read.push(event.position.0),
                None => break,
            },
            () = std::future::ready(()) => {}
        }
    }
    assert_eq!(read, (1..=200).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_new_file_may_be_opened_by_many_at_once() {
    let (_folder, path) = file();
    let opened: Vec<_> = (0..8)
        .map(|number| {
            let path = path.clone();
            tokio::spawn(async move {
                let store = open(&path).await;
                store
                    .append(&stream(&format!("{number}")), Expected::NoStream, events(1))
                    .await
                    .unwrap();
            })
        })
        .collect();
    for opened in opened {
        opened.await.unwrap();
    }
    let stats = open(&path).await.stats().await.unwrap();
    assert_eq!((stats.streams, stats.events), (8, 8));
}

#[tokio::test]
async fn another_handle_on_the_same_file_sees_conflicts_and_new_kinds() {
    let (_folder, path) = file();
    let (one, two) = (open(&path).await, open(&path).await);
    one.append(&stream("a"), Expected::NoStream, events(1))
        .await
        .unwrap();
    two.append(&stream("a"), Expected::Version(Version(1)), events(1))
        .await
        .unwrap();
    // What the first handle remembers of the stream is no longer true.
    let stale = one
        .append(&stream("a"), Expected::Version(Version(1)), events(1))
        .await
        .unwrap_err();
    assert!(
        matches!(
            stale,
            AppendError::Conflict {
                actual: Version(2),
                ..
            }
        ),
        "{stale}"
    );
    one.append(&stream("a"), Expected::Version(Version(2)), events(1))
        .await
        .unwrap();
    assert_eq!(
        one.read(Query::all().names(["Later"]))
            .collect()
            .await
            .unwrap()
            .len(),
        0
    );
    two.append(
        &stream("b"),
        Expected::NoStream,
        [NewEvent::json("Later", 1, &0).unwrap()],
    )
    .await
    .unwrap();
    assert_eq!(
        one.read(Query::all().names(["Later"]))
            .collect()
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(one.stats().await.unwrap().events, 4);
}

#[tokio::test]
async fn while_another_process_holds_the_file_other_tasks_go_on() {
    let (_folder, path) = file();
    let store = open(&path).await;
    let other = shell(&path);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let append = tokio::spawn({
        let store = store.clone();
        async move {
            store
                .append(&stream("a"), Expected::NoStream, events(1))
                .await
        }
    });
    // On this runtime's only thread: it would wait for the lock if the append did.
    let ticks = async {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    };
    ticks.await;
    assert!(!append.is_finished());
    other.execute_batch("COMMIT").unwrap();
    append.await.unwrap().unwrap();
    assert_eq!(store.version(&stream("a")).await.unwrap(), Version(1));
}

/// Two that write all the time, each with a runtime of its own as two processes have.
#[test]
fn of_two_that_share_a_file_and_write_all_the_time_neither_gets_less_than_a_third() {
    const TOTAL: usize = 4000;
    const WRITERS: usize = 16;
    let (_folder, path) = file();
    let (stored, barrier) = (Arc::new(AtomicUsize::new(0)), Barrier::new(2));
    let write = |name: &'static str| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let store = open(&path).await;
            barrier.wait();
            let mut writers = tokio::task::JoinSet::new();
            for number in 0..WRITERS {
                let (store, stored) = (store.clone(), Arc::clone(&stored));
                writers.spawn(async move {
                    let (stream, mut own) = (stream(&format!("{name}-{number}")), 0);
                    while stored.fetch_add(1, Ordering::Relaxed) < TOTAL {
                        store
                            .append(&stream, Expected::Any, events(1))
                            .await
                            .unwrap();
                        own += 1;
                    }
                    own
                });
            }
            writers.join_all().await.into_iter().sum::<usize>()
        })
    };
    let (one, other) = std::thread::scope(|scope| {
        let other = scope.spawn(|| write("other"));
        (write("one"), other.join().unwrap())
    });
    assert!(one.min(other) * 3 >= one + other, "{one} and {other}");
    // Nor does either look on while the other writes one group after the other.
    let whose = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let all = open(&path)
            .await
            .read(Query::all())
            .collect()
            .await
            .unwrap();
        let whose = all.iter().map(|event| event.stream.id().starts_with("one"));
        whose.collect::<Vec<_>>()
    });
    let turns = whose.chunk_by(|one, next| one == next).count();
    assert!(
        turns >= TOTAL / (2 * WRITERS),
        "{TOTAL} events in {turns} turns"
    );
}
