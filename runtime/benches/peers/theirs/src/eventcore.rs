//! eventcore, on either of its stores.

use std::convert::Infallible;
use std::fmt::Display;
use std::sync::{Arc, Mutex};

use contest::{Account as State, Contender, Event as Happened, Place, Refused};
use eventcore::{
    Command, CommandError, CommandLogic, Event, NewEvents, ProjectionConfig, Projector,
    RetryPolicy, StreamId, StreamPosition, collect_events, execute, run_projection,
};
use eventcore_postgres::PostgresEventStore;
use eventcore_sqlite::{SqliteConfig, SqliteEventStore};
use eventcore_types::{
    CheckpointStore, EventReader, EventStore, ProjectorCoordinator, StreamVersion, StreamWrites,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::pool;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct AccountEvent {
    account: StreamId,
    happened: Happened,
}

impl Event for AccountEvent {
    fn stream_id(&self) -> &StreamId {
        &self.account
    }

    fn event_type_name() -> &'static str {
        "AccountEvent"
    }
}

#[derive(Command)]
struct Change {
    #[stream]
    account: StreamId,
    command: contest::Command,
}

impl CommandLogic for Change {
    type Event = AccountEvent;
    type State = State;

    fn apply(&self, mut state: State, event: &AccountEvent) -> State {
        state.apply(&event.happened);
        state
    }

    fn handle(&self, state: State) -> Result<NewEvents<AccountEvent>, CommandError> {
        let events = state
            .decide(self.command)
            .map_err(CommandError::business_rule_violated)?
            .into_iter();
        let event = |happened| AccountEvent {
            account: self.account.clone(),
            happened,
        };
        Ok(events.map(event).collect::<Vec<_>>().into())
    }
}

/// The sum over all accounts. It is given away to be run, so what it knows is shared.
#[derive(Clone)]
struct Total {
    name: String,
    sum: Arc<Mutex<State>>,
}

impl Projector for Total {
    type Event = AccountEvent;
    type Error = Infallible;
    type Context = ();

    fn apply(
        &mut self,
        event: AccountEvent,
        _: StreamPosition,
        (): &mut (),
    ) -> Result<(), Infallible> {
        self.sum
            .lock()
            .expect("nobody panics while holding it")
            .apply(&event.happened);
        Ok(())
    }

    fn name(&self) -> &str {
        &self.name
    }
}

fn stream(account: &str) -> StreamId {
    StreamId::try_new(account).expect("a name")
}

async fn changed(
    store: &impl EventStore,
    account: &str,
    command: contest::Command,
) -> Result<u64, Refused> {
    let mut attempts = 0;
    loop {
        let change = Change {
            account: stream(account),
            command,
        };
        match execute(store, change, RetryPolicy::new()).await {
            Ok(response) => return Ok(attempts + u64::from(response.attempts())),
            Err(CommandError::ConcurrencyError(retries)) => attempts += u64::from(retries) + 1,
            Err(CommandError::BusinessRuleViolation(refused)) => {
                return Err(*refused.downcast().expect("our own error"));
            }
            Err(error) => panic!("{error}"),
        }
    }
}

async fn appended(store: &impl EventStore, account: &str, state: State, happened: Happened) {
    let account = stream(account);
    let version = StreamVersion::new(state.events as usize);
    let writes = StreamWrites::new()
        .register_stream(account.clone(), version)
        .and_then(|writes| writes.append(AccountEvent { account, happened }))
        .expect("one stream, which is registered");
    store
        .append_events(writes)
        .await
        .expect("nobody else writes to the account");
}

async fn loaded(store: &impl EventStore, account: &str) -> State {
    let events = store
        .read_stream::<AccountEvent>(stream(account))
        .await
        .expect("a database");
    let mut state = State::default();
    for event in collect_events(events).await.expect("events of ours") {
        state.apply(&event.happened);
    }
    state
}

/// A projection has a name under which its position is kept, so each time it takes another one. A run may end before the log does:
/// it is run again until one finds nothing.
async fn caught_up<S>(store: &S) -> State
where
    S: EventReader<Error: Display> + CheckpointStore + ProjectorCoordinator,
{
    let name = format!("total-{}", Uuid::now_v7());
    let total = Total {
        name,
        sum: Arc::default(),
    };
    let sum = || *total.sum.lock().expect("nobody panics while holding it");
    loop {
        let before = sum();
        run_projection(total.clone(), store, ProjectionConfig::default())
            .await
            .expect("a database");
        if sum() == before {
            return before;
        }
    }
}

const NOTE: &str = "a command may read and write several streams at once; positions are ids that are made before the commit, so that a \
    projection that follows may pass over an event; a projection saves its position after each event; one type of event has all of a \
    program's events, with its stream in the payload; conflicts are tried again after some 10 ms, doubled each time";

#[derive(Clone)]
pub struct OnPostgres(PostgresEventStore);

impl Contender for OnPostgres {
    const NAME: &'static str = "eventcore";
    const PLACE: Place = Place::Postgres;
    const CRATES: &'static [&'static str] = &["eventcore", "eventcore-postgres"];
    const NOTE: &'static str = NOTE;

    async fn open(url: &str) -> Self {
        let store = PostgresEventStore::from_pool(pool::postgres(url).await);
        store.migrate().await;
        Self(store)
    }

    async fn execute(&self, account: &str, command: contest::Command) -> Result<u64, Refused> {
        changed(&self.0, account, command).await
    }

    async fn append(&self, account: &str, state: State, event: Happened) {
        appended(&self.0, account, state, event).await;
    }

    async fn load(&self, account: &str) -> State {
        loaded(&self.0, account).await
    }

    async fn catch_up(&self) -> Option<State> {
        Some(caught_up(&self.0).await)
    }
}

#[derive(Clone)]
pub struct OnSqlite(Arc<SqliteEventStore>);

impl Contender for OnSqlite {
    const NAME: &'static str = "eventcore";
    const PLACE: Place = Place::Sqlite;
    const CRATES: &'static [&'static str] = &["eventcore", "eventcore-sqlite"];
    const NOTE: &'static str = NOTE;

    async fn open(url: &str) -> Self {
        let path = url.trim_start_matches("sqlite:").into();
        let store = SqliteEventStore::new(SqliteConfig {
            path,
            encryption_key: None,
        })
        .expect("a file");
        store.migrate().await.expect("a file of ours");
        Self(Arc::new(store))
    }

    async fn execute(&self, account: &str, command: contest::Command) -> Result<u64, Refused> {
        changed(&*self.0, account, command).await
    }

    async fn append(&self, account: &str, state: State, event: Happened) {
        appended(&*self.0, account, state, event).await;
    }

    async fn load(&self, account: &str) -> State {
        loaded(&*self.0, account).await
    }

    async fn catch_up(&self) -> Option<State> {
        Some(caught_up(&*self.0).await)
    }
}
