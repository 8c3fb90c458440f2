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
    async unsafe fn deposited<T>(&self, event: &mut Deposited, at: T, more: u8) -> Result<(), String> {
        let _ = (event, at, more);
        Ok(())
    }
}

fn main() {}
