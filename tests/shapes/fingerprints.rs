//! A change inside of a type within a state or an event makes snapshots and projections be made anew.

use recount::prelude::*;

/// Releases of one domain whose state, events, fold and projection are the same to the token: only what an amount is differs.
macro_rules! release {
    ($name:ident: $($amount:tt)*) => {
        mod $name {
            use recount::prelude::*;

            $($amount)*

            #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
            pub struct AccountId(String);

            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
            pub struct Paid { pub amount: Amount }

            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
            pub struct Counted {}

            #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Aggregate)]
            #[aggregate(stream = "account", id = AccountId, snapshots)]
            pub struct Account { pub paid: Vec<Amount> }

            #[apply]
            impl Account {
                fn paid(&mut self, event: Paid) { self.paid.push(event.amount); }
                fn counted(&mut self, _: Counted) {
                    for amount in &mut self.paid { amount.count(); }
                }
            }

            #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ValueObject)]
            pub struct Payments { pub last: Option<Amount>, pub counted: u32 }

            #[projection(name = "payments", of(Account))]
            impl Payments {
                fn paid(&mut self, event: Paid) { self.last = Some(event.amount); }
                fn counted(&mut self, _: Counted) { self.counted += 1; }
            }

            /// Handles no event in which there is an amount.
            #[allow(dead_code, reason = "only its fingerprint is asked for")]
            #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
            pub struct Counts { pub counted: u32 }

            #[projection(name = "counts", of(Account))]
            impl Counts {
                #[allow(dead_code)]
                fn counted(&mut self, _: Counted) { self.counted += 1; }
            }
        }
    };
}

release! { first:
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
    pub struct Amount { pub cents: i64 }
    impl Amount { fn count(&mut self) { let _ = self.cents; } }
}

// A snapshot that the first release took reads back as it was written, so only the shape can tell.
release! { second:
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
    pub struct Amount {
        pub cents: i64,
        #[serde(default, skip_serializing_if = "is_zero")]
        pub counts: u32,
    }
    impl Amount { fn count(&mut self) { self.counts += 1; } }
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it this way")]
    fn is_zero(counts: &u32) -> bool { *counts == 0 }
}

// The same JSON, but what was stored without a count is read as another value.
release! { third:
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
    pub struct Amount {
        pub cents: i64,
        #[serde(default = "one", skip_serializing_if = "is_zero")]
        pub counts: u32,
    }
    impl Amount { fn count(&mut self) { self.counts += 1; } }
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it this way")]
    fn is_zero(counts: &u32) -> bool { *counts == 0 }
    fn one() -> u32 { 1 }
}

// The same JSON as the first release's.
release! { refactored:
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
    pub struct Cents(pub i64);
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
    #[serde(rename_all = "lowercase")]
    pub struct Amount { #[serde(rename = "cents")] pub worth: Box<Cents> }
    impl Amount { fn count(&mut self) { let _ = self.worth.0; } }
}

async fn paid_and_counted() -> (Store, first::AccountId) {
    let store = Store::connect("memory:").await.unwrap();
    let accounts = Repository::<first::Account>::new(&store);
    let id = first::AccountId::new("a").unwrap();
    let amount = first::Amount { cents: 5 };
    let events = (first::Paid { amount }, first::Counted {});
    accounts.create(&id, events).await.unwrap();
    accounts.take_snapshot(&id).await.unwrap();
    (store, id)
}

#[tokio::test]
async fn a_snapshot_is_ignored_when_a_type_within_the_state_has_another_shape() {
    let (store, _) = paid_and_counted().await;
    let accounts = Repository::<second::Account>::new(&store);
    let id = second::AccountId::new("a").unwrap();
    let account = accounts.load(&id).await.unwrap();
    assert_eq!(
        account.paid,
        [second::Amount {
            cents: 5,
            counts: 1
        }]
    );
}

#[tokio::test]
async fn a_projection_is_built_anew_when_a_type_within_an_event_has_another_shape() {
    let (store, _) = paid_and_counted().await;
    let mut first = Projector::<first::Payments>::stored(&store).await.unwrap();
    assert_eq!(first.catch_up().await.unwrap().events, 2);
    let mut again = Projector::<refactored::Payments>::stored(&store)
        .await
        .unwrap();
    assert_eq!(again.catch_up().await.unwrap().events, 0);
    let mut second = Projector::<second::Payments>::stored(&store).await.unwrap();
    assert_eq!(second.catch_up().await.unwrap().events, 2);
}

#[test]
fn what_does_not_change_the_json_changes_no_fingerprint() {
    use recount::aggregate::Apply;

    let first = (
        first::Account::FINGERPRINT,
        <first::Account as Apply>::FOLD_FINGERPRINT,
    );
    let refactored = (
        refactored::Account::FINGERPRINT,
        <refactored::Account as Apply>::FOLD_FINGERPRINT,
    );
    let second = (
        second::Account::FINGERPRINT,
        <second::Account as Apply>::FOLD_FINGERPRINT,
    );
    assert_eq!(first, refactored);
    assert_ne!(first.0, second.0);
    assert_ne!(first.1, second.1);
}

#[test]
fn a_default_within_an_event_changes_what_is_folded_of_what_was_stored_without_it() {
    use recount::aggregate::Apply;

    assert_ne!(
        <second::Account as Apply>::FOLD_FINGERPRINT,
        <third::Account as Apply>::FOLD_FINGERPRINT
    );
}

#[test]
fn the_state_of_a_projection_counts_if_it_is_a_value_object_and_events_that_are_not_handled_do_not()
{
    use recount::Projection;

    assert_ne!(first::Payments::FINGERPRINT, second::Payments::FINGERPRINT);
    assert_eq!(first::Counts::FINGERPRINT, second::Counts::FINGERPRINT);
    assert_eq!(first::Counts::FINGERPRINT, refactored::Counts::FINGERPRINT);
}
