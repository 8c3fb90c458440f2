//! cqrs-es, by postgres-es and sqlite-es.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use contest::{Account as State, Command, Contender, Event as Happened, Place, Refused};
use cqrs_es::event_sink::EventSink;
use cqrs_es::persist::{
    EventStoreAggregateContext, PersistedEventRepository, PersistedEventStore, QueryReplay,
};
use cqrs_es::{
    Aggregate, AggregateContext as _, AggregateError, CqrsFramework, DomainEvent, EventEnvelope,
    EventStore as _, Query,
};
use postgres_es::PostgresEventRepository;
use serde::{Deserialize, Serialize};
use sqlite_es::SqliteEventRepository;

use crate::pool;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Event(Happened);

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        let name = match self.0 {
            Happened::Opened(_) => "Opened",
            Happened::Deposited(_) => "Deposited",
            Happened::Withdrawn(_) => "Withdrawn",
        };
        name.to_owned()
    }

    fn event_version(&self) -> String {
        "1.0".to_owned()
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Account(State);

impl Aggregate for Account {
    const TYPE: &'static str = "account";
    type Command = Command;
    type Event = Event;
    type Error = Refused;
    type Services = ();

    async fn handle(
        &mut self,
        command: Command,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), Refused> {
        for event in self.0.decide(command)? {
            sink.write(Event(event), self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: Event) {
        self.0.apply(&event.0);
    }
}

/// The sum over all accounts.
#[derive(Clone, Default)]
struct Total(Arc<Mutex<State>>);

#[async_trait::async_trait]
impl Query<Account> for Total {
    async fn dispatch(&self, _: &str, events: &[EventEnvelope<Account>]) {
        let mut total = self.0.lock().expect("nobody panics while holding it");
        for event in events {
            total.apply(&event.payload.0);
        }
    }
}

struct Accounts<R: PersistedEventRepository> {
    framework: CqrsFramework<Account, PersistedEventStore<R, Account>>,
    /// A framework gives no state, and a store none without a second one.
    store: PersistedEventStore<R, Account>,
    replay: QueryReplay<R, Total, Account>,
    total: Total,
}

impl<R: PersistedEventRepository> Accounts<R> {
    fn new(repository: impl Fn() -> R) -> Arc<Self> {
        let total = Total::default();
        let store = || PersistedEventStore::new_event_store(repository());
        Arc::new(Self {
            framework: CqrsFramework::new(store(), vec![], ()),
            store: store(),
            replay: QueryReplay::new(repository(), total.clone()),
            total,
        })
    }

    async fn execute(&self, account: &str, command: Command) -> Result<u64, Refused> {
        for attempt in 1.. {
            match self.framework.execute(account, command).await {
                Ok(()) => return Ok(attempt),
                Err(AggregateError::UserError(refused)) => return Err(refused),
                Err(AggregateError::AggregateConflict) => {}
                Err(error) => panic!("{error}"),
            }
        }
        unreachable!("attempts are counted without end")
    }

    async fn append(&self, account: &str, state: State, event: Happened) {
        let context = EventStoreAggregateContext {
            aggregate_id: account.to_owned(),
            aggregate: Account(state),
            current_sequence: state.events as usize,
            current_snapshot: None,
        };
        self.store
            .commit(vec![Event(event)], context, HashMap::new())
            .await
            .expect("nobody else writes to the account");
    }

    async fn load(&self, account: &str) -> State {
        self.store
            .load_aggregate(account)
            .await
            .expect("a database")
            .aggregate()
            .0
    }

    async fn catch_up(&self) -> State {
        self.replay.replay_all().await.expect("a database");
        *self.total.0.lock().expect("nobody panics while holding it")
    }
}

const NOTE: &str = "a library of commands more than of a log: a replay has no position and begins anew; a query that follows along is \
    called after the commit and loses what a crash cuts off; each event is a statement of its own; an event that is sent again is not recognised";

#[derive(Clone)]
pub struct OnPostgres(Arc<Accounts<PostgresEventRepository>>);

impl Contender for OnPostgres {
    const NAME: &'static str = "cqrs-es";
    const PLACE: Place = Place::Postgres;
    const CRATES: &'static [&'static str] = &["cqrs-es", "postgres-es"];
    const NOTE: &'static str = NOTE;

    async fn open(url: &str) -> Self {
        let pool = pool::postgres(url).await;
        // As its `init.sql` has it.
        let table = "CREATE TABLE IF NOT EXISTS events (
            aggregate_type text NOT NULL, aggregate_id text NOT NULL, sequence bigint CHECK (sequence >= 0) NOT NULL,
            event_type text NOT NULL, event_version text NOT NULL, payload json NOT NULL, metadata json NOT NULL,
            PRIMARY KEY (aggregate_type, aggregate_id, sequence))";
        sqlx::query(table)
            .execute(&pool)
            .await
            .expect("a database of ours");
        Self(Accounts::new(|| PostgresEventRepository::new(pool.clone())))
    }

    async fn execute(&self, account: &str, command: Command) -> Result<u64, Refused> {
        self.0.execute(account, command).await
    }

    async fn append(&self, account: &str, state: State, event: Happened) {
        self.0.append(account, state, event).await;
    }

    async fn load(&self, account: &str) -> State {
        self.0.load(account).await
    }

    async fn catch_up(&self) -> Option<State> {
        Some(self.0.catch_up().await)
    }
}

#[derive(Clone)]
pub struct OnSqlite(Arc<Accounts<SqliteEventRepository>>);

impl Contender for OnSqlite {
    const NAME: &'static str = "cqrs-es";
    const PLACE: Place = Place::Sqlite;
    const CRATES: &'static [&'static str] = &["cqrs-es", "sqlite-es"];
    const NOTE: &'static str = NOTE;

    async fn open(url: &str) -> Self {
        let pool = pool::sqlite(url).await;
        // As its migration has it.
        let table = "CREATE TABLE IF NOT EXISTS events (
            aggregate_type text NOT NULL, aggregate_id text NOT NULL, sequence integer CHECK (sequence >= 0) NOT NULL,
            event_type text NOT NULL, event_version text NOT NULL, payload text NOT NULL, metadata text NOT NULL,
            PRIMARY KEY (aggregate_type, aggregate_id, sequence)) STRICT";
        sqlx::query(table)
            .execute(&pool)
            .await
            .expect("a database of ours");
        Self(Accounts::new(|| SqliteEventRepository::new(pool.clone())))
    }

    async fn execute(&self, account: &str, command: Command) -> Result<u64, Refused> {
        self.0.execute(account, command).await
    }

    async fn append(&self, account: &str, state: State, event: Happened) {
        self.0.append(account, state, event).await;
    }

    async fn load(&self, account: &str) -> State {
        self.0.load(account).await
    }

    async fn catch_up(&self) -> Option<State> {
        Some(self.0.catch_up().await)
    }
}
