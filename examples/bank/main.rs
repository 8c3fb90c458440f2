//! A bank and its orders: commands and their refusals, projections, time travel, and a transfer in one unit of work.
//!
//! Run it with `cargo run --example bank`, or on a file of your own with `-- --store sqlite:bank.db`. With `-- --events 200000` so many
//! deposits are stored before anything else, and on a terminal the projections can be watched while they catch up with them.

mod account;
mod money;
mod order;
#[path = "../support/mod.rs"]
mod support;
#[cfg(test)]
mod tests;
mod views;

use account::{AccountError, AccountId, BankAccount};
use indicatif::ProgressBar;
use money::Cents;
use order::{Address, Item, Order, OrderError, OrderId, Status};
use recount::prelude::*;
use recount::projection::Projector;
use recount::repository::ExecuteError;
use recount::runner::{Live, Runner};
use std::process::ExitCode;
use support::{AnyError, Opt, Options, progress};
use views::{AccountBalances, OrderStatus};

const OPTIONS: &[Opt] = &[(
    "--events",
    "N",
    "store so many deposits first, for the projections to catch up with",
)];

#[tokio::main]
async fn main() -> ExitCode {
    support::ended(run().await)
}

async fn run() -> Result<(), AnyError> {
    let Some(options) = Options::read("bank", OPTIONS)? else {
        return Ok(());
    };
    let deposits: u64 = match options.value("--events") {
        Some(number) => number
            .parse()
            .map_err(|_| format!("--events {number}: write a whole number, such as 100000"))?,
        None => 0,
    };
    let store = options.open_store().await?;
    if deposits > 0 {
        fill(&store, deposits).await?;
    }
    let bank = Bank::open(&store).await?;
    // What an earlier run left to do, or what was stored above.
    bank.handled().await?;

    bank.account().await?;
    bank.order().await?;
    bank.queries().await?;
    bank.time_travel().await?;
    bank.replay().await?;
    bank.statistics().await?;
    bank.history().await?;
    bank.refusals().await?;
    bank.transfer().await?;

    // What was written last is handled before the program ends; else the next run would do it.
    bank.handled().await?;
    progress::at_the_end(&progress::all_of(&bank.runner)).await;
    bank.runner.shutdown().await;
    store.close().await?;
    Ok(())
}

/// Stores many small deposits on one account, a hundred in each append.
async fn fill(store: &Store, deposits: u64) -> Result<(), AnyError> {
    let accounts = Repository::<BankAccount>::new(store);
    let coins = AccountId::new("account_999")?;
    if !accounts.exists(&coins).await? {
        let opened = BankAccount::open("Collection of coins", Cents(0));
        accounts.create(&coins, opened).await?;
    }
    let bar = progress::bar("depositing", deposits);
    let mut left = deposits;
    while left > 0 {
        let now = left.min(100);
        let deposit = |account: &BankAccount| {
            let mut account = account.clone();
            let one = |_| {
                let deposited = account.deposit(Cents(1), "A coin")?;
                account.balance = deposited.balance_after;
                Ok(deposited)
            };
            (0..now).map(one).collect::<Result<Vec<_>, _>>()
        };
        accounts.execute(&coins, deposit).await?;
        left -= now;
        bar.inc(now);
    }
    bar.finish_and_clear();
    println!("Stored {deposits} deposits.\n");
    Ok(())
}

/// The repositories, the projections that run beside them, and the ids that this program plays with.
struct Bank {
    store: Store,
    accounts: Repository<BankAccount>,
    orders: Repository<Order>,
    runner: Runner,
    balances: Live<Projector<AccountBalances>>,
    order_status: Live<Projector<OrderStatus>>,
    john: AccountId,
    jane: AccountId,
    order: OrderId,
}

impl Bank {
    async fn open(store: &Store) -> Result<Self, AnyError> {
        let runner = Runner::new();
        Ok(Self {
            store: store.clone(),
            balances: runner.add(Projector::stored(store).await?),
            order_status: runner.add(Projector::stored(store).await?),
            runner,
            accounts: Repository::new(store),
            orders: Repository::new(store),
            john: AccountId::new("account_001")?,
            jane: AccountId::new("account_002")?,
            order: OrderId::new("order_001")?,
        })
    }

    /// Opens the account and moves some money, once.
    async fn account(&self) -> Result<(), AnyError> {
        println!("--- Bank account ---");
        if !self.accounts.exists(&self.john).await? {
            self.accounts
                .create(&self.john, BankAccount::open("John Doe", Cents(1000_00)))
                .await?;
            self.accounts
                .execute(&self.john, |account| {
                    account.deposit(Cents(500_00), "Salary deposit")
                })
                .await?;
            self.accounts
                .execute(&self.john, |account| {
                    account.withdraw(Cents(200_00), "ATM withdrawal")
                })
                .await?;
            self.accounts
                .execute(&self.john, |account| {
                    account.deposit(Cents(300_00), "Bonus")
                })
                .await?;
        }
        let account = self.accounts.load(&self.john).await?;
        println!(
            "{}: {}, balance {}, version {}\n",
            self.john,
            account.holder,
            account.balance,
            Root::version(&account)
        );
        Ok(())
    }

    /// Places, confirms and ships the order, once.
    async fn order(&self) -> Result<(), AnyError> {
        println!("--- Order ---");
        if !self.orders.exists(&self.order).await? {
            let items = vec![
                Item {
                    item_id: "item1".into(),
                    quantity: 2,
                    price: Cents(25_00),
                },
                Item {
                    item_id: "item2".into(),
                    quantity: 1,
                    price: Cents(50_00),
                },
            ];
            let address = Address {
                street: "123 Main St".into(),
                city: "Anytown".into(),
                zip: "12345".into(),
            };
            self.orders
                .create(&self.order, Order::place("customer_123", items, address)?)
                .await?;
            self.orders.execute(&self.order, Order::confirm).await?;
            self.orders
                .execute(&self.order, |order| order.ship("TRACK123"))
                .await?;
        }
        let order = self.orders.load(&self.order).await?;
        println!(
            "{}: {}, total {}, version {}\n",
            self.order,
            order.status,
            order.total_amount,
            Root::version(&order)
        );
        Ok(())
    }

    /// Asks the projections, which have run since the program began, and whose state is kept in the store.
    async fn queries(&self) -> Result<(), AnyError> {
        println!("--- Projections ---");
        self.handled().await?;
        for status in self.runner.status().await {
            println!(
                "{}: {} new events handled, {} behind",
                status.name, status.events, status.lag
            );
        }
        for (id, account) in self.balances.read().await.all() {
            println!(
                "{id}: {}, {}, active: {}",
                account.account_holder, account.balance, account.is_active
            );
        }
        let orders = self.order_status.read().await;
        for (id, order) in orders.by_customer("customer_123") {
            println!(
                "customer_123 has {id}: {}, {}",
                order.total_amount, order.status
            );
        }
        let shipped: Vec<&str> = orders
            .by_status(Status::Shipped)
            .map(|(id, _)| id)
            .collect();
        println!("Shipped: {}\n", shipped.join(", "));
        Ok(())
    }

    /// Waits for the projections, which are a moment behind, until they have handled all that is written.
    async fn handled(&self) -> Result<(), AnyError> {
        progress::caught_up(&progress::all_of(&self.runner)).await?;
        Ok(())
    }

    /// Looks at the account as it was.
    async fn time_travel(&self) -> Result<(), AnyError> {
        println!("--- Time travel ---");
        for version in 1..=5 {
            let then = self.accounts.load_at(&self.john, Version(version)).await?;
            println!("At version {version} the balance was {}.", then.balance);
        }
        let created_at = self.accounts.load(&self.john).await?.created_at;
        let then = self.accounts.load_as_of(&self.john, created_at).await?;
        println!("When it was created it belonged to {}.", then.holder);
        let before = self
            .accounts
            .load_as_of(&self.john, created_at - chrono::TimeDelta::seconds(10))
            .await;
        println!(
            "Ten seconds before: {}.\n",
            before.map_or_else(|error| error.to_string(), |then| then.holder.clone())
        );
        Ok(())
    }

    /// Builds both projections anew from the first event, while they can be read.
    async fn replay(&self) -> Result<(), AnyError> {
        println!("--- Replay ---");
        let before = self.balances.read().await.of(self.john.as_str()).cloned();
        let bars = ["balances", "order status"].map(|what| progress::bar(what, 0));
        let [first, second] = &bars;
        let balances = self
            .balances
            .rebuild_telling(|it| progress::of_rebuild(first, it));
        let replayed = balances.await?.events;
        let order_status = self
            .order_status
            .rebuild_telling(|it| progress::of_rebuild(second, it));
        let replayed = replayed + order_status.await?.events;
        bars.iter().for_each(ProgressBar::finish_and_clear);
        println!("Replayed {replayed} events into 2 projections.");
        let after = self.balances.read().await.of(self.john.as_str()).cloned();
        let orders = self.order_status.read().await;
        let same = after == before && orders.of(self.order.as_str()).is_some();
        println!("The balances are the same as before: {same}\n");
        Ok(())
    }

    async fn statistics(&self) -> Result<(), AnyError> {
        println!("--- Statistics ---");
        let stats = self.store.stats().await?;
        println!("{} events in {} streams:", stats.events, stats.streams);
        for (name, count) in &stats.events_by_name {
            println!("  {name}: {count}");
        }
        println!();
        Ok(())
    }

    async fn history(&self) -> Result<(), AnyError> {
        println!("--- History of {} ---", self.john);
        let mut history = self.accounts.history(&self.john)?;
        while let Some(past) = history.next().await? {
            println!("v{} {:?}", past.at.version, past.event);
        }
        println!();
        Ok(())
    }

    /// Each rule refuses what breaks it, with an error of its own type; nothing is stored.
    async fn refusals(&self) -> Result<(), AnyError> {
        println!("--- Refusals ---");
        let john = |refused: Result<_, ExecuteError<AccountError>>| {
            refused.err().and_then(ExecuteError::rejection)
        };
        let order = |refused: Result<_, ExecuteError<OrderError>>| {
            refused.err().and_then(ExecuteError::rejection)
        };
        let show = |what: &str, why: Option<String>| {
            println!("{what}: {}", why.unwrap_or_else(|| "accepted".into()));
        };

        let refused = self
            .accounts
            .execute(&self.john, |account| account.deposit(Cents(0), "Nothing"))
            .await;
        show(
            "Deposit of nothing",
            john(refused).map(|error| error.to_string()),
        );
        let refused = self
            .accounts
            .execute(&self.john, |account| account.withdraw(Cents(-1), "Less"))
            .await;
        show(
            "Withdrawal of less than nothing",
            john(refused).map(|error| error.to_string()),
        );
        let refused = self
            .accounts
            .execute(&self.john, |account| {
                account.withdraw(Cents(1_000_000_00), "All")
            })
            .await;
        show(
            "Withdrawal of a million",
            john(refused).map(|error| error.to_string()),
        );
        let refused = self
            .accounts
            .create(&self.john, BankAccount::open("Somebody Else", Cents(0)))
            .await;
        show(
            "Second account of that id",
            refused.err().map(|error| error.to_string()),
        );

        // What a closed account refuses is tried on a copy that is never saved.
        let mut closed = self.accounts.load(&self.john).await?;
        closed.record(closed.close()?);
        show(
            "Deposit to a closed account",
            closed
                .deposit(Cents(1), "")
                .err()
                .map(|error| error.to_string()),
        );
        show(
            "Withdrawal from a closed account",
            closed
                .withdraw(Cents(1), "")
                .err()
                .map(|error| error.to_string()),
        );
        show(
            "Closing it again",
            closed.close().err().map(|error| error.to_string()),
        );

        let refused = self.orders.execute(&self.order, Order::confirm).await;
        show(
            "Confirming a shipped order",
            order(refused).map(|error| error.to_string()),
        );
        let refused = self
            .orders
            .execute(&self.order, |order| order.ship("TRACK124"))
            .await;
        show(
            "Shipping it again",
            order(refused).map(|error| error.to_string()),
        );
        let mut delivered = self.orders.load(&self.order).await?;
        delivered.record(delivered.deliver()?);
        show(
            "Delivering it twice",
            delivered.deliver().err().map(|error| error.to_string()),
        );
        show(
            "Cancelling it then",
            delivered
                .cancel("Too late")
                .err()
                .map(|error| error.to_string()),
        );
        println!();
        Ok(())
    }

    /// Moves money between two accounts: both are saved, or neither.
    async fn transfer(&self) -> Result<(), AnyError> {
        println!("--- Transfer ---");
        if self.accounts.exists(&self.jane).await? {
            println!("Was made in an earlier run.");
        } else {
            self.accounts
                .create(&self.jane, BankAccount::open("Jane Roe", Cents(0)))
                .await?;
            let mut from = self.accounts.load(&self.john).await?;
            let mut to = self.accounts.load(&self.jane).await?;
            from.record(from.withdraw(Cents(250_00), "Transfer to account_002")?);
            to.record(to.deposit(Cents(250_00), "Transfer from account_001")?);
            self.store
                .unit_of_work()
                .save(&mut from)
                .save(&mut to)
                .commit()
                .await?;
        }
        for id in [&self.john, &self.jane] {
            println!("{id}: {}", self.accounts.load(id).await?.balance);
        }
        Ok(())
    }
}
