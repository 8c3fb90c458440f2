//! Events and state may be private to a module that shows only its decisions.
#![deny(warnings)]

mod account {
    use recount::prelude::*;

    #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
    pub struct AccountId(String);

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    struct Opened {}

    #[derive(Serialize, Deserialize, Event)]
    pub(super) struct Paid {}

    #[derive(Debug, Clone, PartialEq, Default, Aggregate)]
    #[aggregate(stream = "account", id = AccountId)]
    pub struct Account {
        pub open: bool,
    }

    #[apply(events = Changes)]
    impl Account {
        fn opened(&mut self, _: Opened) {
            self.open = true;
        }

        fn paid(&mut self, _: Paid) {}
    }

    impl Account {
        pub fn open(account: &mut Root<Self>) {
            account.record((Opened {}, Some(Paid {})));
        }
    }

    pub fn change() -> Changes {
        Opened {}.into()
    }
}

fn main() {
    let _ = account::Account::open;
    assert_eq!(recount::Event::name(&account::change()), "Opened");
}
