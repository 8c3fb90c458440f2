//! How a case is run: on a store of its own that is as a case needs it, and not for ever.

use std::any::TypeId;
use std::collections::HashMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::verdict::{shown, with_causes};
use super::{Case, Subject, checkpoints, event, snapshots, stream};
use crate::Store;
use crate::log::{Expected, Query};

/// How long a case may take before its store is said to hang: far longer than the slowest one does on a slow disk.
const PATIENCE: Duration = Duration::from_mins(1);

/// How many cases may hang before the others of the same store are no longer tried: each would take as long.
const MOST_HANGS: usize = 2;

/// How many cases hung in this process, by what made their store.
static HANGS: Mutex<Option<HashMap<TypeId, usize>>> = Mutex::new(None);

/// A store that is being made for a case.
#[doc(hidden)]
pub type Making = Pin<Box<dyn Future<Output = Box<dyn Subject>>>>;

/// Runs a case on a store of its own: what each generated test does.
#[doc(hidden)]
pub fn run<M: FnOnce() -> Making + Send + 'static>(name: &str, make: M, case: Case) {
    run_within(PATIENCE, name, make, case);
}

/// As [`run`], for tests of the contract itself, which know how long to wait.
#[doc(hidden)]
pub fn run_within<M: FnOnce() -> Making + Send + 'static>(
    patience: Duration,
    name: &str,
    make: M,
    case: Case,
) {
    assert!(
        hangs_of::<M>(0) < MOST_HANGS,
        "{name} was not tried, since this store hung in {MOST_HANGS} cases before; it may be run by itself"
    );
    let (done, outcome) = mpsc::channel();
    // A thread of its own, which is left behind when it hangs: nothing that blocks there can keep this one from saying so.
    let work = move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime with two threads");
        let held = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(async {
                let subject = make().await;
                case(subject.store().clone()).await;
            });
        }));
        // Nobody listens any more after the longest wait.
        let _ = done.send(held);
    };
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .expect("a thread for the case");
    match outcome.recv_timeout(patience) {
        Ok(Ok(())) => {}
        Ok(Err(panic)) => resume_unwind(panic),
        Err(RecvTimeoutError::Timeout) => {
            hangs_of::<M>(1);
            panic!("the store hangs: no answer to {name} in {patience:?}")
        }
        Err(RecvTimeoutError::Disconnected) => panic!("the thread of {name} ended without a word"),
    }
}

/// How many cases hung on stores that this made, after `more` did.
fn hangs_of<M: 'static>(more: usize) -> usize {
    let mut hangs = HANGS.lock().unwrap_or_else(PoisonError::into_inner);
    let count = hangs
        .get_or_insert_default()
        .entry(TypeId::of::<M>())
        .or_default();
    *count += more;
    *count
}

/// What a function given to `store_contract!` returns: the future of a [`Subject`].
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`store_contract!` needs an async function without arguments that returns a `Store` or a `(Store, T)`",
    label = "this one returns `{Self}`",
    note = "where the store cannot be made, the function may panic"
)]
pub trait Makes: Future<Output = Self::Made> {
    type Made: Subject + 'static;
}

#[diagnostic::do_not_recommend]
impl<S: Subject + 'static, F: Future<Output = S>> Makes for F {
    type Made = S;
}

/// Makes a store and looks whether it is what a case needs, so that a maker's mistake is not taken for a store's.
#[doc(hidden)]
pub fn fresh<F: Makes>(make: impl FnOnce() -> F + 'static) -> Making {
    Box::pin(async {
        let subject = make().await;
        let store = subject.store();
        if let Some(tenant) = store.tenant() {
            panic!(
                "the function given to store_contract! returned a handle that is bound to tenant {tenant}; it should return one that is bound to none"
            );
        }
        match store.read(Query::all().limit(1)).collect().await.as_deref() {
            Ok([]) => {}
            Ok([event, ..]) => panic!(
                "the function given to store_contract! returned a store that already holds events; each call should make an empty one\n   found: {}",
                shown(event)
            ),
            Err(error) => panic!(
                "the function given to store_contract! returned a store that cannot be read; each call should make a new one, and open it\n   error: {}",
                with_causes(error)
            ),
        }
        Box::new(subject) as Box<dyn Subject>
    })
}

/// A tenant's handle on a store where another tenant, and no tenant, have events, snapshots and checkpoints under the names that
/// the cases use.
#[doc(hidden)]
pub fn beside_another_tenant(making: Making) -> Making {
    Box::pin(async {
        let subject = making.await;
        let store = subject.store();
        let other = store.for_tenant("other").unwrap();
        for handle in [store, &other] {
            lay(handle).await;
        }
        let mine = store.for_tenant("mine").unwrap();
        if let Ok([event, ..]) = mine.read(Query::all()).collect().await.as_deref() {
            panic!(
                "before the case began, its tenant read an event of another\n   found: {}",
                shown(event)
            );
        }
        Box::new((mine, subject)) as Box<dyn Subject>
    })
}

/// Gives a handle what the cases will store through another one.
async fn lay(handle: &Store) {
    fn laid<T, E: std::error::Error>(what: &str, outcome: Result<T, E>) {
        if let Err(error) = outcome {
            panic!(
                "before the case began, {what} of another tenant could not be stored, in a store that was new\n   error: {}",
                with_causes(&error)
            );
        }
    }
    for id in ["a", "b", "0"] {
        let noise = [event("Noise")];
        let appended = handle.append(&stream(id), Expected::NoStream, noise).await;
        laid("an event", appended);
        let stream = handle.bind(&stream(id)).unwrap();
        let snapshot = snapshots::snapshot(99, snapshots::SHAPE);
        let saved = handle.backend().save_snapshot(&stream, snapshot).await;
        laid("a snapshot", saved);
    }
    let checkpoint = checkpoints::checkpoint(0, 99);
    let saved = checkpoints::save(handle, checkpoints::KEY, checkpoint).await;
    laid("a checkpoint", saved);
}
