//! The contract of a store: what every backend promises, and one test for each promise.
//!
//! [`store_contract!`](crate::testing::store_contract) writes the tests; a file beside this one holds each group of cases.

#[macro_use]
mod cases;
#[doc(hidden)]
pub mod appends;
#[doc(hidden)]
pub mod checkpoints;
#[doc(hidden)]
pub mod closing;
#[doc(hidden)]
pub mod concurrency;
#[doc(hidden)]
pub mod dead_letters;
#[doc(hidden)]
pub mod idempotence;
#[doc(hidden)]
pub mod leases;
#[doc(hidden)]
pub mod reads;
mod runner;
#[doc(hidden)]
pub mod snapshots;
#[doc(hidden)]
pub mod tenants;
mod verdict;
#[doc(hidden)]
pub mod watch;

use std::future::Future;
use std::panic::resume_unwind;
use std::task::Poll;

use tokio::task::JoinHandle;

#[doc(hidden)]
pub use runner::{Making, beside_another_tenant, fresh, run, run_within};

use crate::Store;
use crate::log::{Appended, NewEvent, RecordedEvent, StreamId};
use crate::store::BoxFuture;

/// What a case is given: a store of its own, empty, and whatever must live as long as it does.
///
/// ```
/// use recount::testing::contract::Subject;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = recount::Store::connect("memory:").await?;
/// let folder = String::from("a temporary folder, a server, a container");
/// assert_eq!((store, folder).store().url(), "memory:");
/// # Ok(()) }
/// ```
pub trait Subject {
    /// The store, bound to no tenant.
    fn store(&self) -> &Store;
}

impl Subject for Box<dyn Subject> {
    fn store(&self) -> &Store {
        self.as_ref().store()
    }
}

impl Subject for Store {
    fn store(&self) -> &Store {
        self
    }
}

/// A store and what it needs; the store is dropped first.
impl<T> Subject for (Store, T) {
    fn store(&self) -> &Store {
        &self.0
    }
}

/// Writes the tests that a backend keeps the [contract](crate::testing::contract) of a store: one `#[test]` for each promise.
///
/// Use it in the tests of whoever writes a [`Backend`](crate::store::Backend): a database that passes can stand behind every
/// repository, projection and unit of work. It takes the path of an async function without arguments, or a closure, that
/// makes an empty store and returns a [`Subject`](crate::testing::contract::Subject): a [`Store`](crate::Store), or one
/// together with what must live as long as it does, as a temporary folder. Each test calls it once, and runs on a tokio
/// runtime with two threads; a store that does not answer within a minute fails the case that asked it, and one that hung in
/// two cases fails the rest of them at once. Several stores in one crate each have a module of their own:
///
/// ```
/// mod memory {
///     use recount::store::{MemoryBackend, Store};
///
///     async fn empty() -> Store {
///         Store::new(MemoryBackend::new())
///     }
///
///     recount::testing::store_contract!(empty);
/// }
/// # fn main() {}
/// ```
///
/// # What is promised
///
/// | group | |
/// |---|---|
/// | `appends` | A batch is stored whole or not at all, also when its future is dropped, and is read at once. Each expectation holds where it should, checks of streams that are not written included; a conflict names the stream and the version that is there. Versions are dense, positions rise in the order of the batch. Names, payloads and metadata come back as they went in, times to the microsecond, names that look alike stay apart. |
/// | `idempotence` | A batch whose ids are known is recognised before a condition is asked, whatever its times, metadata, checks and division into parts, and answered as it was the first time; the same ids in any other batch are an error, never a conflict. Ids of a refused append stay free. |
/// | `concurrency` | Of racing writers exactly one wins each version, of two that check what the other writes only one is accepted, batches over the same streams in any order all come through. A reader that goes on misses nothing and sees nothing late, and sees a batch whole. |
/// | `reads` | Every field of a query, in any mix, both directions and pages of any size selects what a filter over all events would. No page has more events than asked for, or takes one more once it has [`Page::MAX_BYTES`](crate::log::Page::MAX_BYTES). |
/// | `snapshots` | The newest one of the shape that was saved last is kept, byte by byte; deleting counts them, by category. |
/// | `checkpoints` | Only who knows the last revision saves the next; releases of a projection stand side by side. |
/// | `leases` | One holder at a time has a projection, until it gives the lease back or its time is over; whoever had it before cannot save. |
/// | `dead_letters` | Events that were set aside are kept with the checkpoint or not at all; what is to be tried again or dropped raises its revision. |
/// | `closing` | A closed store answers each call with an error. |
/// | `watch` | Each append wakes whoever watches, through whichever handle, also one that came before the wait; who is woken finds what it was woken for, and closing wakes too. An idle store lets sleep. |
/// | `tenants` | A tenant's handle reaches, counts, blocks and is told of nothing but its own: what it is answered is the same, byte by byte, whether another tenant has data or not. |
/// | `for_a_tenant` | All of these groups but the last, on a tenant's handle beside another tenant with events under the same ids. |
///
/// What a backend promises beyond this, above all that nothing is lost when its process dies, is for its own tests.
#[macro_export]
macro_rules! store_contract {
    ($make:expr) => {
        fn store_under_contract() -> $crate::testing::contract::Making {
            $crate::testing::contract::fresh($make)
        }

        $crate::__store_contract_groups!();
        $crate::__store_contract_tenants!();

        mod for_a_tenant {
            fn store_under_contract() -> $crate::testing::contract::Making {
                $crate::testing::contract::beside_another_tenant(super::store_under_contract())
            }

            $crate::__store_contract_groups!();
        }
    };
}

/// The groups that hold for every handle, in one list. `tenants` stands apart: it makes its tenants' handles itself.
macro_rules! groups {
    ($($group:ident $tests:ident),*) => {
        #[doc(hidden)]
        #[macro_export]
        macro_rules! __store_contract_groups {
            () => { $($crate::$tests!();)* };
        }

        /// All cases by name, for tests of the contract itself.
        #[doc(hidden)]
        pub fn cases() -> impl Iterator<Item = &'static (&'static str, Case)> {
            [$($group::CASES,)* tenants::CASES].into_iter().flatten()
        }
    };
}

groups! {
    appends __store_contract_appends,
    idempotence __store_contract_idempotence,
    concurrency __store_contract_concurrency,
    reads __store_contract_reads,
    snapshots __store_contract_snapshots,
    checkpoints __store_contract_checkpoints,
    leases __store_contract_leases,
    dead_letters __store_contract_dead_letters,
    closing __store_contract_closing,
    watch __store_contract_watch
}

/// One promise as a function: it panics when the store does not keep it.
#[doc(hidden)]
pub type Case = fn(Store) -> BoxFuture<'static, ()>;

/// The stream of this id.
fn stream(id: &str) -> StreamId {
    StreamId::new("account", id).unwrap()
}

/// An event with a new id.
fn event(name: &'static str) -> NewEvent {
    NewEvent::json(name, 1, &serde_json::json!({ "of": name })).unwrap()
}

/// Several, called `Counted`.
fn events(count: usize) -> Vec<NewEvent> {
    (0..count).map(|_| event("Counted")).collect()
}

/// Stream and version of each part, in the batch's order.
fn versions(appended: &Appended) -> Vec<(&str, u64)> {
    let parts = appended.streams.iter();
    parts
        .map(|part| (part.stream.id(), part.version.0))
        .collect()
}

/// Stream and version of each, in the order of the read.
fn places(events: &[RecordedEvent]) -> Vec<(String, u64)> {
    events
        .iter()
        .map(|event| (event.stream.id().to_owned(), event.version.0))
        .collect()
}

/// The end of a task; what failed in it fails the case.
async fn joined<T>(task: JoinHandle<T>) -> T {
    match task.await {
        Ok(done) => done,
        Err(error) => resume_unwind(error.into_panic()),
    }
}

/// Polls a future once and drops it: what becomes of a call whose caller does not wait. `None` when it was not done.
async fn not_waited_for<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
