//! A SQLite file of any content is opened and read, or refused with an error: no panic, no end without an end.
//!
//! An input changes a file that the store itself wrote: its first byte says whether the file was closed, so that all stands
//! in it, or copied with its write-ahead log beside it; each further six bytes are one change. SQLite keeps no checksums of
//! pages, so a changed payload may be read: what is asked is that positions rise and versions count from 1.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use recount::log::{Detail, Expected, NewEvent, Query, ReadError, Selector, StreamId, TenantId};
use recount::prelude::*;
use recount::store::sqlite::SqliteOptions;
use recount::store::{Backend, Checkpoint, Effects, ProjectionKey, Reader, StoredSnapshot};
use tokio::runtime::Runtime;

/// What SQLite calls a page.
const PAGE: usize = 4096;

const KEY: ProjectionKey<'_> = ProjectionKey {
    name: "balances",
    fingerprint: 7,
};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
});

/// The bytes of a file, and of the write-ahead log beside it.
struct Template {
    file: Vec<u8>,
    log: Vec<u8>,
}

/// One that was closed, and one that was not.
static TEMPLATES: LazyLock<[Template; 2]> = LazyLock::new(|| RUNTIME.block_on(templates()));

fn stream(id: &str) -> StreamId {
    StreamId::new("account", id).expect("a name")
}

async fn templates() -> [Template; 2] {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.db");
    fill(&path, 40).await.close().await.expect("it closes");
    let closed = Template::of(&path);
    let open = fill(&path, 20).await;
    let templates = [closed, Template::of(&path)];
    open.close().await.expect("it closes");
    templates
}

/// Appends events of several kinds and tenants, and keeps a snapshot and a checkpoint.
async fn fill(path: &Path, events: usize) -> Store {
    let backend = SqliteOptions::new(path).open().await.expect("it opens");
    let store = Store::new(backend.clone());
    for number in 0..events {
        let handle = match number % 4 {
            3 => store.for_tenant("acme").expect("a tenant"),
            _ => store.clone(),
        };
        let name = ["Opened", "Deposited", "Closed"][number % 3];
        let payload = "x".repeat(if number % 16 == 5 { 9000 } else { number });
        let mut event = NewEvent::json(name, 1, &payload).expect("JSON");
        event.metadata = Metadata::new().actor("alice");
        let stream = stream(&(number % 5).to_string());
        let appended = handle.append(&stream, Expected::Any, [event]).await;
        appended.expect("it is appended");
    }
    let snapshot = StoredSnapshot {
        version: Version(1),
        fingerprint: 7,
        state: b"{}".to_vec(),
    };
    let saved = backend.save_snapshot(&stream("0"), snapshot).await;
    saved.expect("a snapshot");
    let kept = backend.checkpoint(None, KEY).await.expect("a checkpoint");
    let checkpoint = Checkpoint {
        revision: kept.map_or(0, |kept| kept.revision),
        position: Position(3),
        state: Some(b"{}".to_vec()),
    };
    let saved = backend
        .save_checkpoint(None, KEY, checkpoint, Effects::default())
        .await;
    saved.expect("a checkpoint");
    store
}

impl Template {
    fn of(path: &Path) -> Self {
        Self {
            file: fs::read(path).expect("the file"),
            log: fs::read(path.with_extension("db-wal")).unwrap_or_default(),
        }
    }

    fn changed(&self, input: &[u8], path: &Path) {
        let (mut file, mut log) = (self.file.clone(), self.log.clone());
        for change in input.chunks_exact(6).take(64) {
            let target = if change[0] & 0x80 == 0 || log.is_empty() {
                &mut file
            } else {
                &mut log
            };
            let place = usize::from(u16::from_le_bytes([change[1], change[2]]));
            alter(
                target,
                change[0] & 7,
                place,
                [change[3], change[4], change[5]],
            );
        }
        fs::write(path, file).expect("a file");
        if !log.is_empty() {
            fs::write(path.with_extension("db-wal"), log).expect("a write-ahead log");
        }
    }
}

/// Changes bytes, pages or the length; what lies outside is counted round.
fn alter(bytes: &mut Vec<u8>, how: u8, place: usize, with: [u8; 3]) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    let pages = length.div_ceil(PAGE);
    // Headers of pages matter most, so that places are near the start of one.
    let at =
        ((place % pages) * PAGE + usize::from(with[0]) * (1 + usize::from(with[1] >> 4))) % length;
    let page = |number: usize| {
        let start = number % pages * PAGE;
        start..(start + PAGE).min(length)
    };
    match how {
        0 | 1 => bytes[at] = with[2],
        2 => bytes[at] ^= 1 << (with[2] % 8),
        3 => bytes[page(place)].fill(with[2]),
        4 => bytes.truncate(at),
        5 => {
            let copy = bytes[page(place)].to_vec();
            let target = page(usize::from(with[2]));
            let length = copy.len().min(target.len());
            bytes[target][..length].copy_from_slice(&copy[..length]);
        }
        6 => {
            let end = (at + usize::from(with[1])).min(length);
            bytes[at..end].fill(with[2]);
        }
        _ => {
            let end = (at + 8).min(length);
            bytes[at..end].reverse();
        }
    }
}

pub fn run(bytes: &[u8]) {
    let Some((which, changes)) = bytes.split_first() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.db");
    TEMPLATES[usize::from(which % 2)].changed(changes, &path);
    RUNTIME.block_on(use_all(&path));
}

/// Does with a file what can be done; what comes of it is a value or an error.
async fn use_all(path: &Path) {
    let Ok(backend) = SqliteOptions::new(path).open().await else {
        return;
    };
    let store = Store::new(backend.clone());
    let selector = Selector {
        category: Some("account".into()),
        names: vec!["Deposited".into()],
    };
    for query in [
        Query::all(),
        Query::all().page_size(3).backwards(),
        Query::all().any_of([selector]).page_size(2),
        Query::stream(&stream("1")).page_size(2),
        Query::stream(&stream("1")).backwards(),
        Query::all()
            .since(DateTime::UNIX_EPOCH)
            .limit(10)
            .detail(Detail::Payload),
    ] {
        read(store.read(query.clone()), &query).await;
    }
    if let Ok(acme) = store.for_tenant("acme") {
        read(acme.read(Query::all()), &Query::all()).await;
        let _ = (acme.head().await, acme.stats().await);
    }
    let _ = (store.head().await, store.stats().await);
    let _ = store.version(&stream("1")).await;
    let _ = backend.snapshot(&stream("0"), 7).await;
    let tenant = TenantId::new("acme").expect("a tenant");
    let _ = backend.checkpoint(Some(&tenant), KEY).await;
    if let Ok(Some(kept)) = backend.checkpoint(None, KEY).await {
        let _ = backend
            .save_checkpoint(None, KEY, kept, Effects::default())
            .await;
    }
    let _ = store.delete_snapshots(None).await;
    let event = NewEvent::json("Deposited", 1, &7).expect("JSON");
    let before = store.version(&stream("1")).await;
    let appended = store.append(&stream("1"), Expected::Any, [event]).await;
    if let (Ok(before), Ok(appended)) = (before, appended) {
        assert!(appended.version() > before, "an append goes to the end");
    }
    let _ = store.close().await;
}

/// Reads on after each damaged row; no read is longer than a file of this size can be.
async fn read(mut reader: Reader, query: &Query) {
    let backwards = query.direction == recount::log::Direction::Backwards;
    let mut last: Option<Position> = None;
    for _ in 0..2000 {
        match reader.next().await {
            Ok(Some(event)) => {
                let position = event.position;
                assert!(
                    last.is_none_or(|last| if backwards {
                        position < last
                    } else {
                        position > last
                    }),
                    "position {position} after {last:?} in {query:?}"
                );
                last = Some(position);
                assert!(event.version > Version::NONE, "versions count from 1");
                // A changed payload is found out by whoever decodes it.
                let _ = serde_json::from_slice::<serde_json::Value>(&event.payload);
            }
            Err(ReadError::Corrupt { .. }) => {}
            Ok(None) | Err(_) => return,
        }
    }
    panic!("a read without an end: {query:?}");
}
