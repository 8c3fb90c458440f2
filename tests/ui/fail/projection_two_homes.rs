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
pub struct Totals {
    sum: i64,
}

#[projection(name = "totals", of(Account))]
impl Totals {
    fn deposited(&mut self, event: Deposited) {
        self.sum += event.amount;
    }

    fn closed(&self, _: Closed, sql: &mut Sql) {
        sql.run("DELETE FROM {totals} WHERE cents = $1", (0_i64,));
    }
}

fn main() {}
