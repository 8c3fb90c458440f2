//! esrs.

use std::sync::Arc;

use contest::{Account as State, Command, Contender, Event, Place, Refused};
use esrs::manager::AggregateManager;
use esrs::store::EventStore as _;
use esrs::store::postgres::{PgStore, PgStoreBuilder, PgStoreError};
use esrs::{Aggregate, AggregateState};
use futures::TryStreamExt as _;
use sqlx::PgPool;
use uuid::Uuid;

use crate::pool;

struct Account;

impl Aggregate for Account {
    const NAME: &'static str = "account";
    type State = State;
    type Command = Command;
    type Event = Event;
    type Error = Refused;

    fn handle_command(state: &State, command: Command) -> Result<Vec<Event>, Refused> {
        state.decide(command)
    }

    fn apply_event(mut state: State, event: Event) -> State {
        state.apply(&event);
        state
    }
}

#[derive(Clone)]
pub struct OnPostgres {
    pool: PgPool,
    store: PgStore<Account>,
    manager: Arc<AggregateManager<PgStore<Account>>>,
}

/// Its aggregates are called by UUIDs.
fn id(account: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, account.as_bytes())
}

impl Contender for OnPostgres {
    const NAME: &'static str = "esrs";
    const PLACE: Place = Place::Postgres;
    const CRATES: &'static [&'static str] = &["esrs"];
    const NOTE: &'static str = "each aggregate has a table of its own, and there is no order across them; a read model is rebuilt, or written in the \
        transaction of the command, and cannot go on from a position; a conflict is an error of the database that the caller has to know; \
        each event is a statement of its own";

    async fn open(url: &str) -> Self {
        let pool = pool::postgres(url).await;
        let store: PgStore<Account> = PgStoreBuilder::new(pool.clone())
            .try_build()
            .await
            .expect("a database of ours");
        let manager = Arc::new(AggregateManager::new(store.clone()));
        Self {
            pool,
            store,
            manager,
        }
    }

    async fn execute(&self, account: &str, command: Command) -> Result<u64, Refused> {
        let id = id(account);
        for attempt in 1.. {
            let loaded = self.manager.load(id).await.expect("a database");
            let state = loaded.unwrap_or_else(|| AggregateState::with_id(id));
            match self.manager.handle_command(state, command).await {
                Ok(outcome) => return outcome.map(|_| attempt),
                Err(PgStoreError::Sqlx(sqlx::Error::Database(error)))
                    if error.is_unique_violation() => {}
                Err(error) => panic!("{error}"),
            }
        }
        unreachable!("attempts are counted without end")
    }

    async fn append(&self, account: &str, state: State, event: Event) {
        let mut aggregate = AggregateState::with_id(id(account));
        for _ in 0..state.events {
            aggregate.next_sequence_number();
        }
        let persisted = self.store.persist(&mut aggregate, vec![event]).await;
        persisted.expect("nobody else writes to the account");
    }

    async fn load(&self, account: &str) -> State {
        let loaded = self.manager.load(id(account)).await.expect("a database");
        loaded.map(AggregateState::into_inner).unwrap_or_default()
    }

    async fn catch_up(&self) -> Option<State> {
        let events = self.store.stream_events(&self.pool);
        let total = events.try_fold(State::default(), async |mut total, event| {
            total.apply(&event.payload);
            Ok(total)
        });
        Some(total.await.expect("events of ours"))
    }
}
