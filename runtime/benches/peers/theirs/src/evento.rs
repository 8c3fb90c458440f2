//! evento, whose events are in bincode.

use std::sync::{Arc, Mutex};

use bincode::{Decode, Encode};
use contest::{Account as State, Command, Contender, Event, Place, Refused};
use evento::migrator::{Migrate as _, Plan};
use evento::{AggregatorName, Context, EventDetails, Executor, SaveBuilder, WriteError};
use serde::{Deserialize, Serialize};

use crate::pool;

#[derive(AggregatorName, Encode, Decode)]
struct Opened {
    holder: String,
}

#[derive(AggregatorName, Encode, Decode)]
struct Deposited {
    amount: i64,
    description: String,
    balance_after: i64,
}

#[derive(AggregatorName, Encode, Decode)]
struct Withdrawn {
    amount: i64,
    description: String,
    balance_after: i64,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, Encode, Decode)]
struct Account {
    is_open: bool,
    balance: i64,
    events: u64,
}

#[evento::aggregator]
impl Account {
    async fn opened(&mut self, _event: EventDetails<Opened>) -> anyhow::Result<()> {
        self.is_open = true;
        self.events += 1;
        Ok(())
    }

    async fn deposited(&mut self, event: EventDetails<Deposited>) -> anyhow::Result<()> {
        self.balance += event.data.amount;
        self.events += 1;
        Ok(())
    }

    async fn withdrawn(&mut self, event: EventDetails<Withdrawn>) -> anyhow::Result<()> {
        self.balance -= event.data.amount;
        self.events += 1;
        Ok(())
    }
}

impl Account {
    fn state(&self) -> State {
        let Self {
            is_open,
            balance,
            events,
        } = *self;
        State {
            is_open,
            balance,
            events,
        }
    }
}

impl From<State> for Account {
    fn from(state: State) -> Self {
        let State {
            is_open,
            balance,
            events,
        } = state;
        Self {
            is_open,
            balance,
            events,
        }
    }
}

/// What is saved, with an event more.
fn with(save: SaveBuilder<Account>, event: Event) -> SaveBuilder<Account> {
    let added = match event {
        Event::Opened(event) => save.data(&Opened {
            holder: event.holder,
        }),
        Event::Deposited(event) => save.data(&Deposited {
            amount: event.amount,
            description: event.description,
            balance_after: event.balance_after,
        }),
        Event::Withdrawn(event) => save.data(&Withdrawn {
            amount: event.amount,
            description: event.description,
            balance_after: event.balance_after,
        }),
    };
    let added = added.expect("plain structs have a form in bincode");
    added
        .metadata(&true)
        .expect("a truth has a form in bincode")
}

/// The sum over all accounts, which handlers share.
type Total = Arc<Mutex<State>>;

const WHOLE: &str = "nobody panics while holding it";

#[evento::handler(Account)]
async fn sum_opened<E: Executor>(
    context: &Context<'_, E>,
    _event: EventDetails<Opened>,
) -> anyhow::Result<()> {
    context.extract::<Total>().lock().expect(WHOLE).opened();
    Ok(())
}

#[evento::handler(Account)]
async fn sum_deposited<E: Executor>(
    context: &Context<'_, E>,
    event: EventDetails<Deposited>,
) -> anyhow::Result<()> {
    context
        .extract::<Total>()
        .lock()
        .expect(WHOLE)
        .changed(event.data.amount);
    Ok(())
}

#[evento::handler(Account)]
async fn sum_withdrawn<E: Executor>(
    context: &Context<'_, E>,
    event: EventDetails<Withdrawn>,
) -> anyhow::Result<()> {
    context
        .extract::<Total>()
        .lock()
        .expect(WHOLE)
        .changed(-event.data.amount);
    Ok(())
}

#[derive(Clone)]
pub struct OnSqlite(evento::Sqlite);

impl Contender for OnSqlite {
    const NAME: &'static str = "evento";
    const PLACE: Place = Place::Sqlite;
    const CRATES: &'static [&'static str] = &["evento"];
    const NOTE: &'static str = "keeps the state of an account after each command, in a transaction of its own, and loads that, so what it loads is not folded; where \
        several commands race for one account, such a state can hold events that are then applied again, though the log itself is right; events are \
        in bincode, which is shorter than JSON and cannot be read without the types; a subscription saves its position after each event, \
        and pauses for 0.3 seconds between pages, of 10,000 events here instead of its 300";

    async fn open(url: &str) -> Self {
        let pool = pool::sqlite(url).await;
        let mut connection = pool.acquire().await.expect("a file");
        let migrator = evento::sql_migrator::new::<sqlx::Sqlite>().expect("its migrations");
        migrator
            .run(&mut *connection, &Plan::apply_all())
            .await
            .expect("a file of ours");
        drop(connection);
        Self(pool.into())
    }

    async fn execute(&self, account: &str, command: Command) -> Result<u64, Refused> {
        for attempt in 1.. {
            let loaded = evento::load_optional::<Account, _>(&self.0, account)
                .await
                .expect("a file");
            let state = loaded
                .as_ref()
                .map(|loaded| loaded.item.state())
                .unwrap_or_default();
            let mut save = match loaded {
                Some(loaded) => evento::save_with(loaded),
                None => evento::create_with::<Account>(account),
            };
            for event in state.decide(command)? {
                save = with(save, event);
            }
            match save.commit(&self.0).await {
                Ok(_) => return Ok(attempt),
                Err(WriteError::InvalidOriginalVersion) => {}
                Err(error) => panic!("{error}"),
            }
        }
        unreachable!("attempts are counted without end")
    }

    async fn append(&self, account: &str, state: State, event: Event) {
        // What it takes up again is what it keeps of the state, so it has to know it.
        let version = u16::try_from(state.events).expect("its versions are no longer");
        let save = SaveBuilder::new(Some(Account::from(state)), account).original_version(version);
        let appended = with(save, event).commit(&self.0).await;
        appended.expect("nobody else writes to the account");
    }

    async fn load(&self, account: &str) -> State {
        evento::load::<Account, _>(&self.0, account)
            .await
            .expect("a stream")
            .item
            .state()
    }

    async fn catch_up(&self) -> Option<State> {
        let total = Total::default();
        // Its position is kept under a name.
        let subscription = evento::subscribe(format!("total-{}", uuid::Uuid::now_v7()))
            .data(total.clone())
            .chunk_size(10_000)
            .handler(sum_opened())
            .handler(sum_deposited())
            .handler(sum_withdrawn());
        subscription.oneshot(&self.0).await.expect("a file");
        let total = *total.lock().expect(WHOLE);
        Some(total)
    }
}
