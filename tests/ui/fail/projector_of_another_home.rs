use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct AccountId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Deposited {
    pub amount: i64,
}

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
}

#[derive(Debug, Clone, Default)]
pub struct Ledger;

#[projection(name = "ledger", of(Account))]
impl Ledger {
    const TABLES: &[&str] = &["CREATE TABLE {ledger} (amount bigint NOT NULL)"];

    fn deposited(&self, event: Deposited, sql: &mut Sql) {
        sql.run("INSERT INTO {ledger} VALUES ($1)", (event.amount,));
    }
}

fn begin(store: &Store) {
    let _ = Projector::<Ledger>::in_memory(store);
}

fn main() {
    let _ = begin;
}
