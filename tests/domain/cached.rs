//! A repository that keeps roots in memory: it reads less, and answers what one that keeps none answers.

#![expect(
    clippy::duplicate_mod,
    reason = "each case once without a cache and once with it"
)]
#![expect(clippy::float_cmp, reason = "sums of whole numbers")]

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use recount::aggregate::Apply;
use recount::log::{AppendError, Expected, NewEvent};
use recount::prelude::*;
use recount::repository::{ExecuteError, RetryPolicy};
use recount::testing::{Fault, Faults, Operation};

use crate::bank::Account;
use crate::repository::futures_block;
use crate::stores::every_store;

#[path = "errors.rs"]
mod errors;
#[path = "faults.rs"]
mod faults;
#[path = "repository.rs"]
mod repository;
#[path = "snapshots.rs"]
mod snapshots;
#[path = "units_of_work.rs"]
mod units_of_work;

/// As [`crate::repository_of`], with a cache: for the cases above.
fn repository_of<A: Apply + Clone>(store: &Store) -> Repository<A> {
    Repository::new(store).with_cache(100)
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct TallyId(String);

fn id(text: &str) -> TallyId {
    TallyId::new(text).unwrap()
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Begun {
    /// Names this run of the case among all that are under way.
    run: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Added {
    by: f64,
    note: String,
}

fn added(by: f64) -> Added {
    let note = String::new();
    Added { by, note }
}

#[derive(Debug, Clone, PartialEq, Aggregate)]
#[aggregate(stream = "tally", id = TallyId, error = String)]
pub struct Tally {
    run: String,
    sum: f64,
}

/// How many events of each run were folded, by whoever did.
static FOLDED: LazyLock<Mutex<HashMap<String, usize>>> = LazyLock::new(Mutex::default);

#[apply]
impl Tally {
    fn begun(event: Begun) -> Self {
        Self {
            run: event.run,
            sum: 0.0,
        }
    }

    fn added(&mut self, event: Added) {
        *FOLDED.lock().unwrap().entry(self.run.clone()).or_default() += 1;
        self.sum += event.by;
        // Only now, so that a state is left that nobody may use.
        assert_ne!(event.note, "panic", "as it was told to");
    }
}

impl Tally {
    fn take(&self, amount: f64) -> Result<Added, String> {
        if amount > self.sum {
            return Err(format!("{amount} of {}", self.sum));
        }
        Ok(added(-amount))
    }
}

/// A repository that keeps some roots, over a store whose reads are counted, and one instance of it.
struct Case {
    store: Store,
    tallies: Repository<Tally>,
    /// Faults that are none.
    reads: Faults,
    run: String,
}

impl Case {
    /// The instance `a` has 50 events behind its first, which add one each.
    async fn new(store: &Store, most: usize) -> Self {
        let reads =
            Faults::seeded_with(1, 1.0, [Fault::Delay(Duration::ZERO)]).at([Operation::Read]);
        let case = Self {
            store: store.clone(),
            tallies: Repository::new(&reads.around(store)).with_cache(most),
            reads,
            run: uuid::Uuid::now_v7().to_string(),
        };
        let run = case.run.clone();
        let events = (Begun { run }, vec![added(1.0); 50]);
        case.tallies.create(&id("a"), events).await.unwrap();
        case.folded();
        case
    }

    fn plain(&self) -> Repository<Tally> {
        Repository::new(&self.store)
    }

    async fn begin(&self, name: &str) {
        let run = String::new();
        self.tallies.create(&id(name), Begun { run }).await.unwrap();
    }

    /// Adds one, and says whether that took any read.
    async fn add(&self, name: &str) -> bool {
        let before = self.reads();
        self.tallies
            .execute(&id(name), |_| Ok(added(1.0)))
            .await
            .unwrap();
        self.reads() > before
    }

    /// Adds to `a` behind the repository's back, without a turn.
    async fn somebody_adds(&self, by: f64) {
        let stream = self.plain().stream(&id("a")).unwrap();
        let event = NewEvent::of(&added(by)).unwrap();
        self.store
            .append(&stream, Expected::StreamExists, [event])
            .await
            .unwrap();
    }

    /// The sum of `a` as the log has it.
    async fn sum(&self) -> f64 {
        self.plain().load(&id("a")).await.unwrap().sum
    }

    fn reads(&self) -> usize {
        let injected = self.reads.injected();
        injected
            .iter()
            .filter(|fault| fault.operation == Operation::Read)
            .count()
    }

    /// How many events of `a` were folded since this was asked last.
    fn folded(&self) -> usize {
        FOLDED.lock().unwrap().remove(&self.run).unwrap_or(0)
    }
}

/// Holds more than is stored of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Heard {
    #[serde(skip)]
    by: u64,
    value: Option<serde_json::Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Aggregate)]
#[aggregate(stream = "rumour", id = TallyId, error = String)]
pub struct Rumour {
    by: u64,
    values: u64,
}

#[apply]
impl Rumour {
    fn heard(&mut self, event: Heard) {
        self.by += event.by;
        self.values += u64::from(event.value.is_some());
    }
}

every_store! {
    async fn what_is_kept_is_what_is_stored_and_not_what_was_decided(store: Store) {
        let kept = Repository::<Rumour>::new(&store).with_cache(10);
        let heard = || Heard { by: 7, value: Some(serde_json::Value::Null) };
        kept.create(&id("a"), heard()).await.unwrap();
        kept.execute(&id("a"), |rumour| {
            assert_eq!(*rumour, Rumour::default());
            Ok(heard())
        }).await.unwrap();
        let read = Repository::<Rumour>::new(&store).load(&id("a")).await.unwrap();
        assert_eq!(*read, Rumour::default());
        assert_eq!(*kept.load(&id("a")).await.unwrap(), *read);
    }

    async fn a_command_begins_with_what_the_last_one_left_and_reads_nothing(store: Store) {
        let case = Case::new(&store, 10).await;
        for _ in 0..20 {
            assert!(!case.add("a").await);
        }
        assert_eq!((case.folded(), case.sum().await), (20, 70.0));
    }

    async fn what_somebody_else_appended_is_read_and_nothing_before_it(store: Store) {
        let case = Case::new(&store, 10).await;
        for _ in 0..3 {
            case.somebody_adds(1.0).await;
        }
        let mut seen = Vec::new();
        // To decide on what was kept is no attempt.
        let once = case.tallies.with_retry(RetryPolicy::never());
        once.execute(&id("a"), |tally| {
            seen.push(tally.sum);
            Ok(added(1.0))
        }).await.unwrap();
        assert_eq!(seen, [50.0, 53.0]);
        assert_eq!((case.folded(), case.sum().await), (1 + 3 + 1, 54.0));
    }

    async fn who_was_too_late_reads_only_what_came_meanwhile(store: Store) {
        let case = Case::new(&store, 10).await;
        let mut seen = Vec::new();
        case.tallies.execute(&id("a"), |tally| {
            if seen.len() < 3 {
                futures_block(case.somebody_adds(1.0));
            }
            seen.push(tally.sum);
            Ok(added(1.0))
        }).await.unwrap();
        assert_eq!(seen, [50.0, 51.0, 52.0, 53.0]);
        assert_eq!((case.folded(), case.sum().await), (4 + 3, 54.0));
    }

    async fn attempts_are_counted_from_the_first_read_on(store: Store) {
        let case = Case::new(&store, 10).await;
        let mut tried = 0;
        let twice = case.tallies.with_retry(RetryPolicy { attempts: 2, ..RetryPolicy::default() });
        let contended = twice.execute(&id("a"), |_| {
            tried += 1;
            futures_block(case.somebody_adds(1.0));
            Ok(added(1.0))
        }).await.unwrap_err();
        assert!(matches!(contended, ExecuteError::Contended { attempts: 2, .. }), "{contended}");
        assert_eq!((tried, case.sum().await), (3, 53.0));
    }

    async fn what_appends_nothing_is_decided_on_what_the_store_holds(store: Store) {
        let case = Case::new(&store, 10).await;
        // Refused by what is kept, and not by what there is.
        case.somebody_adds(10.0).await;
        case.tallies.execute(&id("a"), |tally| tally.take(60.0)).await.unwrap();
        // Nothing to do, as far as it knows.
        case.somebody_adds(10.0).await;
        case.tallies.execute(&id("a"), |tally| Ok((tally.sum >= 10.0).then_some(added(10.0)))).await.unwrap();
        assert_eq!(case.sum().await, 20.0);
        // Cannot be recorded.
        case.somebody_adds(10.0).await;
        case.tallies.execute(&id("a"), |tally| Ok(added(if tally.sum < 30.0 { f64::NAN } else { 10.0 }))).await.unwrap();
        assert_eq!(case.sum().await, 40.0);
        // Cannot be stored.
        case.somebody_adds(10.0).await;
        case.tallies.execute(&id("a"), |tally| {
            let length = if tally.sum < 50.0 { NewEvent::MAX_PAYLOAD_BYTES } else { 0 };
            Ok(Added { by: 10.0, note: "x".repeat(length) })
        }).await.unwrap();
        assert_eq!(case.sum().await, 60.0);
    }

    async fn a_refusal_is_by_what_the_store_holds_and_what_was_read_for_it_is_kept(store: Store) {
        let case = Case::new(&store, 10).await;
        case.somebody_adds(1.0).await;
        let refused = case.tallies.execute(&id("a"), |tally| tally.take(60.0)).await.unwrap_err();
        assert_eq!((refused.to_string().as_str(), case.folded()), ("60 of 51", 1));
        assert!(!case.add("a").await);
        assert_eq!(case.sum().await, 52.0);
    }

    async fn load_reads_what_follows_and_keeps_it(store: Store) {
        let case = Case::new(&store, 10).await;
        let other = case.plain().with_cache(10);
        for (somebody, folded) in [(0, 50), (0, 0), (2, 2), (0, 0)] {
            for _ in 0..somebody {
                case.somebody_adds(1.0).await;
            }
            case.folded();
            let root = other.load(&id("a")).await.unwrap();
            assert_eq!(case.folded(), folded);
            let there = case.plain().load(&id("a")).await.unwrap();
            assert_eq!((&*root, Root::version(&root)), (&*there, Root::version(&there)));
        }
        // A root that is changed and not saved changes nothing that is kept.
        let mut what_if = other.load(&id("a")).await.unwrap();
        what_if.record(added(1000.0));
        assert_eq!(other.load(&id("a")).await.unwrap().sum, 52.0);
    }

    async fn the_least_recently_used_goes_first(store: Store) {
        let case = Case::new(&store, 2).await;
        case.begin("b").await;
        assert!(!case.add("a").await);
        case.begin("c").await;
        assert!(!case.add("a").await && !case.add("c").await);
        assert!(case.add("b").await, "two were used since");
        assert!(!case.add("c").await);
        case.tallies.load(&id("b")).await.unwrap();
        assert!(case.add("a").await, "two were used since");
        assert!(!case.add("b").await, "it was loaded since");
        assert!(case.add("c").await, "two were used since");

        let none = case.tallies.with_cache(0);
        for _ in 0..2 {
            let before = case.reads();
            none.execute(&id("a"), |_| Ok(added(1.0))).await.unwrap();
            assert!(case.reads() > before);
        }
    }

    async fn what_is_made_of_a_repository_shares_its_roots_and_another_does_not(store: Store) {
        let case = Case::new(&store, 10).await;
        let reads = |repository: Repository<Tally>| {
            let case = &case;
            async move {
                let before = case.reads();
                repository.execute(&id("a"), |_| Ok(added(1.0))).await.unwrap();
                case.reads() > before
            }
        };
        assert!(!reads(case.tallies.with_metadata(recount::log::Metadata::new().actor("alice"))).await);
        assert!(!reads(case.tallies.clone()).await);
        assert!(reads(Repository::new(&case.reads.around(&store)).with_cache(10)).await);
        assert_eq!(case.sum().await, 53.0);
    }

    async fn a_command_that_panics_leaves_nothing_behind(store: Store) {
        let case = Case::new(&store, 10).await;
        let deciding = case.tallies.clone();
        let panicked = tokio::spawn(async move {
            deciding.execute(&id("a"), |tally| if tally.sum > 0.0 { panic!("as it was told to") } else { Ok(()) }).await
        }).await.unwrap_err();
        assert!(panicked.is_panic());
        assert!(case.add("a").await);
        let folding = case.tallies.clone();
        let panicked = tokio::spawn(async move {
            folding.execute(&id("a"), |_| Ok(Added { by: 1000.0, note: "panic".to_owned() })).await
        }).await.unwrap_err();
        assert!(panicked.is_panic());
        assert!(case.add("a").await);
        assert!(!case.add("a").await);
        assert_eq!((case.tallies.load(&id("a")).await.unwrap().sum, case.sum().await), (53.0, 53.0));
    }

    async fn a_command_that_is_dropped_leaves_nothing_behind(store: Store) {
        let case = Case::new(&store, 10).await;
        case.reads.next(Operation::Append, Fault::Delay(Duration::from_hours(1)));
        {
            let a = id("a");
            let mut dropped = case.tallies.execute(&a, |_| Ok(added(1000.0)));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(dropped.as_mut().poll(&mut context).is_pending());
        }
        case.reads.assert_all_met();
        assert!(case.add("a").await);
        assert_eq!((case.tallies.load(&id("a")).await.unwrap().sum, case.sum().await), (51.0, 51.0));
    }

    async fn after_an_unknown_outcome_the_stream_is_read(store: Store) {
        let case = Case::new(&store, 10).await;
        let once = case.tallies.with_retry(RetryPolicy::never());
        for fault in [Fault::LoseAnswer, Fault::LoseRequest] {
            case.reads.next(Operation::Append, fault);
            let unknown = once.execute(&id("a"), |_| Ok(added(1.0))).await.unwrap_err();
            assert!(matches!(unknown, ExecuteError::Append(AppendError::Unknown { .. })), "{unknown}");
            assert!(case.add("a").await);
            assert!(!case.add("a").await);
        }
        assert_eq!((case.tallies.load(&id("a")).await.unwrap().sum, case.sum().await), (55.0, 55.0));
    }
}

#[tokio::test]
async fn two_tenants_never_see_each_others_roots() {
    let fixture = crate::stores::sqlite().await;
    let tallies = |tenant| {
        Repository::<Tally>::new(&fixture.store.for_tenant(tenant).unwrap()).with_cache(10)
    };
    let both = [("acme", 1.0), ("globex", 100.0)].map(|(tenant, by)| (tallies(tenant), by));
    for (tallies, _) in &both {
        let run = String::new();
        tallies.create(&id("a"), Begun { run }).await.unwrap();
    }
    for times in 0..3 {
        for (tallies, by) in &both {
            let mut seen = Vec::new();
            tallies
                .execute(&id("a"), |tally| {
                    seen.push(tally.sum);
                    Ok(added(*by))
                })
                .await
                .unwrap();
            assert_eq!(seen, [by * f64::from(times)]);
        }
    }
}

/// What was stored by an earlier call has the time of that call.
#[tokio::test]
async fn what_was_appended_before_is_not_kept_as_it_was_recorded_now() {
    #[derive(Debug)]
    struct Same;
    impl recount::IdSource for Same {
        fn next(&self) -> recount::log::EventId {
            recount::log::EventId(uuid::Uuid::from_u128(7))
        }
    }
    let store = crate::stores::memory().await.store.with_ids(Same);
    let accounts = Repository::<Account>::new(&store).with_cache(10);
    let a = crate::bank::id("a");
    accounts.create(&a, Account::open("John")).await.unwrap();
    let first = accounts.load(&a).await.unwrap();
    let again = accounts.with_cache(10);
    while Utc::now() <= first.changed_at {
        std::hint::spin_loop();
    }
    assert!(
        again
            .create(&a, Account::open("John"))
            .await
            .unwrap()
            .repeated
    );
    assert_eq!(*again.load(&a).await.unwrap(), *first);
}
