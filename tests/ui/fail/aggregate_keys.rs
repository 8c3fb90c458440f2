use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct AccountId(String);

#[derive(Debug, Default, Aggregate)]
#[aggregate(steam = "account", stream = account, id = AccountId, snapshot_every = 0, snapshots = true, retired(Old))]
pub struct Account {
    pub balance: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Opened {}

#[apply]
impl Account {
    fn opened(&mut self, _: Opened) {}
}

fn main() {}
