//! Every stored event of an aggregate, read as in production.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::answer::variable;
use super::read;
use crate::Store;
use crate::aggregate::Apply;
use crate::event::{Event, StoredEvent};
use crate::log::{Detail, Query, ReadError, Record};

/// How many failures are told; all are counted.
const TOLD: usize = 100;

/// Whether an aggregate of this process has counted all that is stored.
static IS_COUNTED: AtomicBool = AtomicBool::new(false);

/// What a store holds of a category, all tenants together.
///
/// # Panics
/// When there is no runtime to be had.
#[track_caller]
pub(super) fn scan<A: Apply>() -> Value {
    let url = read_only(&variable("RECOUNT_SCHEMA_STORE"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => panic!("no runtime for reading the store: {error}"),
    };
    let (found, error) = runtime.block_on(scanned::<A>(&url));
    let counts: Vec<_> = found
        .counts
        .iter()
        .map(|((name, version), of)| {
            json!({
                "name": name,
                "version": version,
                "count": of.count,
                "failed": of.failed,
                "passed_over": is_passed_over::<A>(name),
            })
        })
        .collect();
    json!({
        "kind": "scan",
        "category": A::CATEGORY,
        "counts": counts,
        "failures": found.failures,
        "failed": found.failed,
        "stored": found.stored,
        "error": error,
    })
}

/// Looking changes nothing, and makes neither a file nor a schema where none is: a store that is not the one that was meant would be
/// empty, and look like evidence.
fn read_only(url: &str) -> String {
    let and = if url.contains('?') { '&' } else { '?' };
    match url.split_once(':') {
        Some(("sqlite" | "postgres" | "postgresql", _)) if !url.contains("read_only=") => {
            format!("{url}{and}read_only=true")
        }
        _ => url.to_owned(),
    }
}

#[derive(Default)]
struct Found {
    /// Of each name and version.
    counts: BTreeMap<(String, u32), Counted>,
    failures: Vec<Value>,
    failed: u64,
    /// Of all categories, those that no aggregate has too; one scan of a process counts them.
    stored: Option<BTreeMap<String, u64>>,
}

#[derive(Default)]
struct Counted {
    count: u64,
    failed: u64,
}

/// Whether the aggregate says that it reads such events no more.
fn is_passed_over<A: Apply>(name: &str) -> bool {
    A::RETIRED.contains(&name) && !A::Event::reads(name)
}

/// What was found, and why it is not all.
async fn scanned<A: Apply>(url: &str) -> (Found, Option<String>) {
    let mut found = Found::default();
    let store = match Store::connect(url).await {
        Ok(store) => store,
        Err(error) => return (found, Some(with_sources(&error))),
    };
    let mut reader = store.read(Query::all().category(A::CATEGORY));
    let error = loop {
        match reader.next_page().await {
            Ok(Some(page)) => page.iter().for_each(|record| found.look::<A>(&record)),
            Ok(None) => break None,
            Err(error) => break Some(with_sources(&error)),
        }
    };
    if error.is_some() || IS_COUNTED.swap(true, Ordering::Relaxed) {
        return (found, error);
    }
    match counted(&store).await {
        Ok(stored) => found.stored = Some(stored),
        Err(error) => return (found, Some(with_sources(&error))),
    }
    (found, None)
}

/// How many events there are of each category, whoever reads them.
async fn counted(store: &Store) -> Result<BTreeMap<String, u64>, ReadError> {
    let mut reader = store.read(Query::all().detail(Detail::Payload));
    let mut all = BTreeMap::new();
    while let Some(page) = reader.next_page().await? {
        for record in page.iter() {
            match all.get_mut(record.category()) {
                Some(count) => *count += 1,
                None => {
                    all.insert(record.category().to_owned(), 1);
                }
            }
        }
    }
    Ok(all)
}

impl Found {
    fn look<A: Apply>(&mut self, record: &Record<'_>) {
        let kind = (record.name().to_owned(), record.schema_version());
        let counted = self.counts.entry(kind).or_default();
        counted.count += 1;
        if is_passed_over::<A>(record.name()) {
            return;
        }
        let stored = StoredEvent::from(*record);
        let reason = if A::Event::reads(record.name()) {
            match read::decode::<A::Event>(stored) {
                Ok(Ok(_)) => return,
                Ok(Err(error)) => with_sources(&error),
                Err(panic) => panic,
            }
        } else {
            crate::event::PayloadError::Unknown.to_string()
        };
        counted.failed += 1;
        self.failed += 1;
        if self.failures.len() < TOLD {
            self.failures.push(json!({
                "position": record.position().0,
                "stream": record.stream_id().to_string(),
                "stream_version": record.version().0,
                "name": record.name(),
                "version": record.schema_version(),
                "reason": reason,
            }));
        }
    }
}

fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        next = error.source();
    }
    text
}
