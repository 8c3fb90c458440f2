use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct AccountId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Deposited {
    pub amount: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Closed {}

#[derive(Debug, Clone, Default, PartialEq, Aggregate)]
#[aggregate(stream = "account", id = AccountId)]
pub struct Account {
    balance: i64,
}

#[apply]
impl Account {
    fn deposited(&mut self, event: Deposited) {
        self.balance += event.amount;
    }

    fn closed(&mut self, _: Closed) {
        self.balance = 0;
    }
}

#[derive(Debug, Clone, Default)]
pub struct Ledger;

#[projection(name = "ledger", of(Account))]
impl Ledger {
    const TABLES: &[&str] = &[
        "CREATE TABLE {ledger} (account text PRIMARY KEY, amount bigint NOT NULL)",
        "CREATE INDEX {by_amount} ON {ledger} (amount)",
        "CREATE TABLE {entries} (amount bigint NOT NULL)",
    ];

    fn deposited(&self, event: Deposited, at: &Envelope, sql: &mut Sql) {
        sql.run("INSERT INTO {ledger} VALUES ($1, $2)", (at.stream.id(), event.amount));
        sql.run("INSERT INTO {entries} VALUES ($1)", (event.amount,));
    }

    fn closed(&self, _: Closed, at: &Envelope, sql: &mut Sql) {
        if !at.stream.id().is_empty() {
            sql.run("DELETE FROM {ledger} WHERE account = $1", (at.stream.id(),));
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct Shared;

#[projection(name = "shared", of(Account))]
impl Shared {
    const TABLES: &[&str] = &["CREATE TABLE IF NOT EXISTS {shared} (amount bigint NOT NULL)"];

    fn deposited(&self, event: Deposited, sql: &mut Sql) {
        sql.run("INSERT INTO {shared} VALUES ($1)", (event.amount,));
    }
}

fn main() {}
