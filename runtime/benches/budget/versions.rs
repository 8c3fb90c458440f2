//! An event that has changed twice since it was first stored.

use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct PurseId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Paid {
    pub cents: i64,
    pub text: String,
}

/// Of another currency, too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = Paid)]
pub struct PaidV2 {
    pub cents: i64,
    pub currency: String,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Money {
    pub cents: i64,
    pub currency: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = PaidV2)]
pub struct PaidV3 {
    pub amount: Money,
    pub text: String,
}

impl From<Paid> for PaidV2 {
    fn from(old: Paid) -> Self {
        Self {
            cents: old.cents,
            currency: "EUR".to_owned(),
            text: old.text,
        }
    }
}

impl From<PaidV2> for PaidV3 {
    fn from(old: PaidV2) -> Self {
        Self {
            amount: Money {
                cents: old.cents,
                currency: old.currency,
            },
            text: old.text,
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Aggregate)]
#[aggregate(stream = "purse", id = PurseId)]
pub struct Purse {
    pub spent: i64,
}

#[apply]
impl Purse {
    fn paid(&mut self, event: PaidV3) {
        self.spent += event.amount.cents;
    }
}

#[derive(Debug, Default)]
pub struct Spent {
    pub cents: i64,
}

#[projection(name = "spent", of(Purse))]
impl Spent {
    fn paid(&mut self, event: PaidV3) {
        self.cents += event.amount.cents;
    }
}

/// What the floor calls the three versions: a table made by hand has one column for that.
pub const STORED: [&str; 3] = ["Paid", "Paid.v2", "Paid.v3"];

/// What an event of a version, 1 to 3, holds.
pub fn payload(version: u32, index: u64) -> Vec<u8> {
    let (cents, currency) = (index.cast_signed() % 90 + 10, "EUR".to_owned());
    let text = format!("payment number {index} out of this purse, by card");
    match version {
        1 => crate::domain::json(&Paid { cents, text }),
        2 => crate::domain::json(&PaidV2 {
            cents,
            currency,
            text,
        }),
        _ => crate::domain::json(&PaidV3 {
            amount: Money { cents, currency },
            text,
        }),
    }
}

/// What a person would write who has no framework.
pub fn paid_by_hand(name: &str, payload: &[u8]) -> PaidV3 {
    const WRITTEN: &str = "it was written here";
    match name {
        "Paid" => PaidV3::from(PaidV2::from(
            serde_json::from_slice::<Paid>(payload).expect(WRITTEN),
        )),
        "Paid.v2" => PaidV3::from(serde_json::from_slice::<PaidV2>(payload).expect(WRITTEN)),
        "Paid.v3" => serde_json::from_slice(payload).expect(WRITTEN),
        other => panic!("unknown event {other}"),
    }
}
