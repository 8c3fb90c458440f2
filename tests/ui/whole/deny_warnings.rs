//! Nothing that the macros write draws a warning into the user's code.
#![deny(
    warnings,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::pedantic
)]

use recount::prelude::*;

mod domain {
    use recount::prelude::*;
    use recount::uuid::Uuid;

    /// The id of an account.
    #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
    pub(crate) struct AccountId(String);

    /// The id of an order.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Id)]
    pub(crate) struct OrderId(Uuid);

    /// The id of a room.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Id)]
    #[id(check = even)]
    pub(crate) struct RoomId(u32);

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature of a check")]
    fn even(number: &u32) -> Result<(), &'static str> {
        if number % 2 == 0 { Ok(()) } else { Err("it is odd") }
    }

    /// An account was opened.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Event)]
    pub(crate) struct Opened {
        pub(crate) holder: String,
    }

    /// An account was renamed, as it was stored once.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Event)]
    pub(crate) struct Renamed {
        pub(crate) to: String,
    }

    /// An account was renamed.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Event)]
    #[event(upcast_from = Renamed)]
    pub(crate) struct RenamedV2 {
        pub(crate) to: String,
        pub(crate) why: Option<String>,
    }

    impl From<Renamed> for RenamedV2 {
        fn from(old: Renamed) -> Self {
            Self {
                to: old.to,
                why: None,
            }
        }
    }

    /// Smaller things.
    #[derive(Debug, Clone, PartialEq, Eq, Event)]
    pub(crate) enum Small {
        /// Somebody looked.
        Viewed,
        /// Somebody wrote.
        Noted {
            /// What.
            text: String,
        },
        /// Also an event of its own.
        Opened(Closed),
    }

    /// An account was closed.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Event)]
    pub(crate) struct Closed {}

    /// An account.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
    #[aggregate(stream = "account", id = AccountId, snapshot_every = 10)]
    pub(crate) struct Account {
        pub(crate) holder: String,
        pub(crate) version: Version,
        pub(crate) small: usize,
    }

    #[apply]
    impl Account {
        fn opened(event: Opened, at: &EventContext) -> Self {
            Self {
                holder: event.holder,
                version: at.version,
                small: 0,
            }
        }

        fn renamed(&mut self, event: &RenamedV2) {
            self.holder.clone_from(&event.to);
        }

        fn small(&mut self, _: Small, at: &EventContext) {
            self.small += 1;
            self.version = at.version;
        }
    }

    /// All names.
    #[derive(Debug, Default)]
    pub(crate) struct Names {
        pub(crate) names: Vec<String>,
    }

    #[projection(name = "names", of(Account))]
    impl Names {
        fn opened(&mut self, event: Opened, _: &Envelope) {
            self.names.push(event.holder);
        }

        fn small(&mut self, _: Small) {}
    }

    /// All names, in a table.
    #[derive(Debug)]
    pub(crate) struct Table;

    #[projection(name = "table", of(Account))]
    impl Table {
        const TABLES: &[&str] = &["CREATE TABLE {names} (name text)"];

        fn opened(&self, event: Opened, _: &Envelope, sql: &mut Sql) {
            sql.run("INSERT INTO {names} VALUES ($1)", (event.holder,));
        }

        fn renamed(&self, event: &RenamedV2, sql: &mut Sql) {
            sql.run("INSERT INTO {names} VALUES ($1)", (event.to.as_str(),));
        }

        fn small(&self, _: Small, _: &mut Sql) {}
    }

    /// Somebody who is told.
    #[derive(Debug)]
    pub(crate) struct Told;

    #[reaction(name = "told", of(Account))]
    impl Told {
        async fn opened(&self, event: Opened, at: &Envelope, act: &Act) -> Result<(), String> {
            act.store().head().await.map_err(|error| error.to_string())?;
            println!("{} {}", event.holder, at.position);
            Ok(())
        }

        async fn renamed(&self, event: &RenamedV2, _: &Envelope) {
            println!("{}", event.to);
        }

        async fn small(&self, _: Small) {}
    }

    /// Somebody else, in another system.
    #[derive(Debug)]
    pub(crate) struct Elsewhere;

    #[projection(name = "elsewhere", of(Account))]
    impl Elsewhere {
        async fn closed(&self, event: Small) -> Result<(), std::io::Error> {
            println!("{event:?}");
            Ok(())
        }
    }
}

use domain::{Account, AccountId, Elsewhere, Names, OrderId, RoomId, Table, Told};

fn main() {
    let id = AccountId::new("a").map(|id| id.as_str().to_owned());
    let order = OrderId::generate().get();
    let room = RoomId::new(2).map(|room| room.get());
    let account = Account {
        holder: String::new(),
        version: Version::NONE,
        small: 0,
    };
    let names = Names::default().names;
    let version: Version = account.version;
    println!("{Table:?} {Told:?} {Elsewhere:?}");
    println!("{id:?} {order} {room:?} {names:?} {version} {:?}", account.small);
}
