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

#[derive(Debug, Default)]
pub struct Totals;

#[projection(name = "totals", of(Account))]
impl Totals {
    const TABLES: &[&str] = &["CREATE TABLE {totals} (account text PRIMARY KEY, cents bigint NOT NULL)"];

    fn deposited(&self, event: Deposited, at: &Envelope, sql: &mut Sql) {
        sql.run("UPDATE {totals} SET cents = cents + $2 WHERE account = $1", (at.stream.id(), event.amount));
    }
}

fn main() {}
