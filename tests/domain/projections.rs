//! Each event counts once, whatever stops in between.

use std::collections::BTreeMap;
use std::time::Duration;

use recount::log::{Expected, NewEvent, Query};
use recount::prelude::*;
use recount::projection::{FollowError, Projection, Projector};
use recount::store::sqlite::SqliteOptions;
use recount::store::{Backend, Checkpoint, Effects, MemoryBackend, ProjectionKey};
use recount::testing::{Fault, Faults, Operation};

use crate::bank::{Account, Deposited, Meter, Withdrawn, id, meter};
use crate::server::Schema;
use crate::stores::every_store;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Balances {
    pub by_account: BTreeMap<String, i64>,
    pub handled: u64,
}

#[projection(name = "balances", of(Account))]
impl Balances {
    fn deposited(&mut self, event: Deposited, at: &Envelope) {
        *self
            .by_account
            .entry(at.stream.id().to_owned())
            .or_default() += event.amount;
        self.handled += 1;
    }

    fn withdrawn(&mut self, event: &Withdrawn, at: &Envelope) {
        *self
            .by_account
            .entry(at.stream.id().to_owned())
            .or_default() -= event.amount;
        self.handled += 1;
    }
}

/// Of two aggregates whose events have the same stored name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Both {
    accounts: i64,
    meters: i64,
}

#[projection(name = "both", of(Account, Meter))]
impl Both {
    fn account(&mut self, event: Deposited) {
        self.accounts += event.amount;
    }

    fn meter(&mut self, event: meter::Deposited) {
        self.meters += event.amount;
    }
}

/// Whose state is not a number as soon as there is an event.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    ratio: f64,
}

#[projection(name = "mean", of(Account))]
impl Mean {
    fn deposited(&mut self, _: Deposited) {
        self.ratio = f64::NAN;
    }
}

async fn deposits(store: &Store, name: &str, count: i64) {
    let accounts = Repository::<Account>::new(store);
    if !accounts.exists(&id(name)).await.unwrap() {
        accounts
            .create(&id(name), Account::open(name))
            .await
            .unwrap();
    }
    accounts
        .execute(&id(name), |account| {
            Ok((0..count).map(|_| account.deposit(1)).collect::<Vec<_>>())
        })
        .await
        .unwrap();
}

/// A checkpoint from before the log was restored from an older copy.
async fn is_ahead(backend: impl Backend) {
    let key = ProjectionKey {
        name: Balances::NAME,
        fingerprint: Balances::FINGERPRINT,
    };
    let state = serde_json::to_vec(&Balances::default()).unwrap();
    let checkpoint = Checkpoint {
        revision: 0,
        position: Position(1000),
        state: Some(state),
    };
    backend
        .save_checkpoint(None, key, checkpoint, Effects::default())
        .await
        .unwrap();
    let store = Store::new(backend);
    deposits(&store, "a", 3).await;
    let mut balances = Projector::<Balances>::stored(&store).await.unwrap();
    for _ in 0..2 {
        let ahead = balances.catch_up().await.unwrap_err();
        let FollowError::AheadOfLog { position, head, .. } = &ahead else {
            panic!("{ahead:?}")
        };
        assert_eq!((*position, *head), (Position(1000), Position(4)));
        assert_eq!((balances.handled, balances.position()), (0, Position(1000)));
    }
    balances.rebuild().await.unwrap();
    deposits(&store, "a", 1).await;
    assert_eq!(balances.catch_up().await.unwrap().events, 1);
    assert_eq!(balances.handled, 4);
}

#[tokio::test]
async fn one_that_is_ahead_of_the_log_says_so_on_every_store() {
    is_ahead(MemoryBackend::new()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = SqliteOptions::new(folder.path().join("log.db"));
    is_ahead(file.open().await.unwrap()).await;
    if let Some(schema) = Schema::new().await {
        is_ahead(schema.options().open().await.unwrap()).await;
    }
}

#[tokio::test]
async fn one_that_was_given_up_between_two_pages_goes_on_to_the_end() {
    let store = Store::connect("memory:").await.unwrap();
    for _ in 0..5 {
        deposits(&store, "a", 1000).await;
    }
    let faults = Faults::new();
    let pause = Duration::from_millis(200);
    faults.script(Operation::Read, [None, Some(Fault::Delay(pause * 2))]);
    let mut balances = Projector::<Balances>::in_memory(&faults.around(&store));
    let given_up = tokio::time::timeout(pause, balances.catch_up()).await;
    given_up.unwrap_err();
    assert_eq!(balances.handled, 4096);
    deposits(&store, "a", 3).await;
    balances.catch_up().await.unwrap();
    assert_eq!(balances.handled, 5003);
}

#[tokio::test]
async fn a_rebuild_that_fails_does_not_replace_what_another_process_has_built() {
    let folder = tempfile::tempdir().unwrap();
    let file = SqliteOptions::new(folder.path().join("log.db"));
    let store = Store::new(file.clone().open().await.unwrap());
    deposits(&store, "a", 3).await;
    let faults = Faults::new();
    let mut old = Projector::<Balances>::stored(&faults.around(&store))
        .await
        .unwrap();
    old.catch_up().await.unwrap();
    let state = Balances {
        handled: 100,
        ..Balances::default()
    };
    let built = Checkpoint {
        revision: 1,
        position: old.position(),
        state: Some(serde_json::to_vec(&state).unwrap()),
    };
    let key = ProjectionKey {
        name: Balances::NAME,
        fingerprint: Balances::FINGERPRINT,
    };
    let other = file.open().await.unwrap();
    other
        .save_checkpoint(None, key, built, Effects::default())
        .await
        .unwrap();
    faults.script(Operation::SaveCheckpoint, [None, Some(Fault::Fail)]);
    old.rebuild().await.unwrap_err();
    faults.assert_all_met();
    deposits(&store, "a", 1).await;
    old.catch_up().await.unwrap();
    assert_eq!(old.handled, 101);
}

every_store! {
    async fn in_memory_it_catches_up_and_goes_on(store: Store) {
        deposits(&store, "a", 3).await;
        let mut balances = Projector::<Balances>::in_memory(&store);
        assert!(balances.lag().await.unwrap() >= 3);
        assert_eq!(balances.catch_up().await.unwrap().events, 3);
        assert_eq!(balances.lag().await.unwrap(), 0);
        deposits(&store, "b", 2).await;
        let progress = balances.catch_up().await.unwrap();
        assert_eq!((progress.events, progress.position), (2, store.head().await.unwrap()));
        assert_eq!(balances.by_account, BTreeMap::from([("a".into(), 3), ("b".into(), 2)]));
        assert_eq!(balances.catch_up().await.unwrap().events, 0);
    }

    async fn kept_in_the_store_it_goes_on_where_another_process_stopped(store: Store) {
        deposits(&store, "a", 3).await;
        let mut first = Projector::<Balances>::stored(&store).await.unwrap();
        first.catch_up().await.unwrap();
        deposits(&store, "a", 2).await;
        let mut second = Projector::<Balances>::stored(&store).await.unwrap();
        assert_eq!((second.by_account["a"], second.handled), (3, 3));
        assert_eq!(second.catch_up().await.unwrap().events, 2);
        // The first one finds that the checkpoint has moved, and takes the state from the store.
        deposits(&store, "a", 1).await;
        first.catch_up().await.unwrap();
        assert_eq!((first.by_account["a"], first.handled), (6, 6));
    }

    async fn two_that_run_at_once_count_each_event_once(store: Store) {
        let runners: Vec<_> = (0..4).map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut balances = Projector::<Balances>::stored(&store).await.unwrap();
                for _ in 0..20 {
                    balances.catch_up().await.unwrap();
                    tokio::task::yield_now().await;
                }
            })
        }).collect();
        for _ in 0..20 {
            deposits(&store, "a", 5).await;
        }
        for runner in runners {
            runner.await.unwrap();
        }
        let mut balances = Projector::<Balances>::stored(&store).await.unwrap();
        balances.catch_up().await.unwrap();
        assert_eq!((balances.by_account["a"], balances.handled), (100, 100));
    }

    async fn up_to_a_position_it_shows_the_past_and_goes_on_from_there(store: Store) {
        deposits(&store, "a", 3).await;
        let then = store.head().await.unwrap();
        deposits(&store, "a", 2).await;
        let mut balances = Projector::<Balances>::in_memory(&store);
        let progress = balances.catch_up_to(then).await.unwrap();
        assert_eq!((progress.events, progress.position, balances.handled), (3, then, 3));
        balances.catch_up().await.unwrap();
        assert_eq!(balances.handled, 5);
    }

    async fn a_state_that_json_cannot_hold_is_refused_when_saved(store: Store) {
        deposits(&store, "a", 3).await;
        let mut mean = Projector::<Mean>::stored(&store).await.unwrap();
        assert!(matches!(mean.catch_up().await, Err(FollowError::State { .. })));
        assert_eq!(Projector::<Mean>::stored(&store).await.unwrap().position(), Position::START);
    }

    async fn a_rebuild_wins_over_a_state_that_another_process_still_holds(store: Store) {
        deposits(&store, "a", 3).await;
        let mut other = Projector::<Balances>::stored(&store).await.unwrap();
        other.catch_up().await.unwrap();
        Projector::<Balances>::rebuilt(&store).await.unwrap();
        deposits(&store, "a", 1).await;
        other.catch_up().await.unwrap();
        assert_eq!((other.by_account["a"], other.handled), (4, 4));
        assert_eq!(Projector::<Balances>::stored(&store).await.unwrap().handled, 4);
    }

    async fn events_of_the_same_name_in_two_aggregates_are_never_taken_for_each_other(store: Store) {
        deposits(&store, "a", 3).await;
        let meters = Repository::<Meter>::new(&store);
        meters.execute(&id("a"), |_| Ok(meter::Deposited { amount: 100 })).await.unwrap();
        let mut both = Projector::<Both>::in_memory(&store);
        assert_eq!(both.catch_up().await.unwrap().events, 4);
        assert_eq!(*both, Both { accounts: 3, meters: 100 });
        let mut balances = Projector::<Balances>::in_memory(&store);
        assert_eq!(balances.catch_up().await.unwrap().events, 3);
    }

    async fn a_rebuild_gives_the_same_state_and_counts_all_events(store: Store) {
        deposits(&store, "a", 7).await;
        let mut balances = Projector::<Balances>::stored(&store).await.unwrap();
        balances.catch_up().await.unwrap();
        let before = (*balances).clone();
        assert_eq!(balances.rebuild().await.unwrap().events, 7);
        assert_eq!(*balances, before);
        deposits(&store, "a", 1).await;
        assert_eq!(balances.catch_up().await.unwrap().events, 1);
        assert_eq!(Projector::<Balances>::stored(&store).await.unwrap().by_account["a"], 8);
    }

    async fn more_than_a_page_is_handled_once(store: Store) {
        for _ in 0..9 {
            deposits(&store, "a", 1000).await;
        }
        let stored = Projector::<Balances>::stored(&store).await.unwrap();
        for mut balances in [stored, Projector::<Balances>::in_memory(&store)] {
            assert_eq!(balances.catch_up().await.unwrap().events, 9000);
            assert_eq!((balances.by_account["a"], balances.handled), (9000, 9000));
        }
    }

    async fn an_event_that_cannot_be_read_stops_it_before_that_event_each_time(store: Store) {
        deposits(&store, "a", 3).await;
        let stream = Repository::<Account>::new(&store).stream(&id("a")).unwrap();
        let damaged = NewEvent::json("Deposited", 1, &"no amount").unwrap();
        let at = store.append(&stream, Expected::Any, [damaged]).await.unwrap().position;
        let mut stored = Projector::<Balances>::stored(&store).await.unwrap();
        let mut in_memory = Projector::<Balances>::in_memory(&store);
        for _ in 0..2 {
            let stopped = stored.catch_up().await.unwrap_err();
            let FollowError::Decode { source, .. } = &stopped else { panic!("{stopped}") };
            assert_eq!((source.position, source.version, source.name.as_str()), (at, Version(5), "Deposited"));
            assert_eq!((stored.handled, stored.position()), (3, Position(at.0 - 1)));
            assert!(in_memory.catch_up().await.is_err());
            assert_eq!(in_memory.handled, 3);
        }
        assert_eq!(store.read(Query::all()).collect().await.unwrap().len(), 5);
    }
}
