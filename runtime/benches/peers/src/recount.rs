//! Recount, on either store.

use contest::{Account as State, Command, Contender, Place, Refused};
use recount::log::{Expected, NewEvent};
use recount::prelude::*;
use recount::repository::ExecuteError;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct AccountId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Opened {
    pub holder: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Deposited {
    pub amount: i64,
    pub description: String,
    pub balance_after: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Withdrawn {
    pub amount: i64,
    pub description: String,
    pub balance_after: i64,
}

impl From<contest::Deposited> for Deposited {
    fn from(event: contest::Deposited) -> Self {
        Self {
            amount: event.amount,
            description: event.description,
            balance_after: event.balance_after,
        }
    }
}

impl From<contest::Withdrawn> for Withdrawn {
    fn from(event: contest::Withdrawn) -> Self {
        Self {
            amount: event.amount,
            description: event.description,
            balance_after: event.balance_after,
        }
    }
}

fn id(account: &str) -> AccountId {
    AccountId::new(account).expect("a name")
}

#[derive(Debug, Clone, Default, Aggregate)]
#[aggregate(stream = "account", id = AccountId, error = Refused)]
pub struct Account {
    state: State,
}

#[apply]
impl Account {
    fn opened(&mut self, _: Opened) {
        self.state.opened();
    }

    fn deposited(&mut self, event: Deposited) {
        self.state.changed(event.amount);
    }

    fn withdrawn(&mut self, event: Withdrawn) {
        self.state.changed(-event.amount);
    }
}

impl Account {
    pub fn open(&self) -> Result<Opened, Refused> {
        let contest::Opened { holder } = self.state.open()?;
        Ok(Opened { holder })
    }

    pub fn deposit(&self, amount: i64, times: u64) -> Result<Vec<Deposited>, Refused> {
        let deposits = self.state.deposit(amount, times)?.into_iter();
        Ok(deposits.map(Deposited::from).collect())
    }

    pub fn withdraw(&self, amount: i64) -> Result<Withdrawn, Refused> {
        Ok(self.state.withdraw(amount)?.into())
    }
}

/// The sum over all accounts.
#[derive(Debug, Default)]
pub struct Total {
    sum: State,
}

#[projection(name = "total", of(Account))]
impl Total {
    fn opened(&mut self, _: Opened) {
        self.sum.opened();
    }

    fn deposited(&mut self, event: Deposited) {
        self.sum.changed(event.amount);
    }

    fn withdrawn(&mut self, event: Withdrawn) {
        self.sum.changed(-event.amount);
    }
}

/// `SQLITE`, or on PostgreSQL.
#[derive(Clone)]
pub struct Recount<const SQLITE: bool> {
    store: Store,
    accounts: Repository<Account>,
}

impl<const SQLITE: bool> Contender for Recount<SQLITE> {
    const NAME: &'static str = "Recount";
    const PLACE: Place = if SQLITE {
        Place::Sqlite
    } else {
        Place::Postgres
    };
    const CRATES: &'static [&'static str] = &["recount"];
    const NOTE: &'static str = "stores an id, a time, a schema version and metadata with each event; recognises a batch that is \
        sent again; commands of one process on one stream take turns; readers by position skip nothing";

    async fn open(url: &str) -> Self {
        let store = Store::connect(url).await.expect("a store");
        let accounts = Repository::new(&store);
        Self { store, accounts }
    }

    async fn execute(&self, account: &str, command: Command) -> Result<u64, Refused> {
        let (id, mut attempts) = (id(account), 0);
        loop {
            let executed = match command {
                Command::Open => {
                    self.accounts
                        .execute(&id, |account| {
                            attempts += 1;
                            account.open()
                        })
                        .await
                }
                Command::Deposit { amount, times } => {
                    self.accounts
                        .execute(&id, |account| {
                            attempts += 1;
                            account.deposit(amount, times)
                        })
                        .await
                }
                Command::Withdraw { amount } => {
                    self.accounts
                        .execute(&id, |account| {
                            attempts += 1;
                            account.withdraw(amount)
                        })
                        .await
                }
            };
            match executed {
                Ok(_) => return Ok(attempts),
                Err(ExecuteError::Rejected(refused)) => return Err(refused),
                Err(ExecuteError::Contended { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    async fn append(&self, account: &str, state: State, event: contest::Event) {
        let event = match event {
            contest::Event::Opened(event) => NewEvent::of(&Opened {
                holder: event.holder,
            }),
            contest::Event::Deposited(event) => NewEvent::of(&Deposited::from(event)),
            contest::Event::Withdrawn(event) => NewEvent::of(&Withdrawn::from(event)),
        };
        let stream = self.accounts.stream(&id(account)).expect("a name");
        let event = event.expect("plain structs have a form in JSON");
        let expected = Expected::Version(Version(state.events));
        let appended = self.store.append(&stream, expected, [event]).await;
        appended.expect("nobody else writes to the account");
    }

    async fn load(&self, account: &str) -> State {
        self.accounts
            .load(&id(account))
            .await
            .expect("a stream")
            .state
    }

    async fn catch_up(&self) -> Option<State> {
        let mut total = Projector::<Total>::in_memory(&self.store);
        total.catch_up().await.expect("every event is known");
        Some(total.sum)
    }
}
