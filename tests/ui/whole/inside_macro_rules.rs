//! A domain may be written by a macro of the user's own.
use recount::prelude::*;

macro_rules! counter {
    ($name:ident, $id:ident, $stream:literal, $event:ident { $field:ident: $ty:ty }) => {
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
        pub struct $id(String);

        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
        pub struct $event {
            pub $field: $ty,
        }

        #[derive(Debug, Clone, Default, PartialEq, Aggregate)]
        #[aggregate(stream = $stream, id = $id)]
        pub struct $name {
            total: $ty,
        }

        fold!($name, $event, $field);
    };
}

macro_rules! fold {
    ($name:ident, $event:ty, $field:ident) => {
        #[apply]
        impl $name {
            fn counted(&mut self, event: $event) {
                self.total += event.$field;
            }
        }

        const _: () = {
            #[derive(Debug, Default)]
            struct Sum($name);

            #[projection(name = "sum", of($name))]
            impl Sum {
                fn counted(&mut self, event: $event) {
                    self.0.total += event.$field;
                }
            }

            struct Table;

            #[projection(name = "table", of($name))]
            impl Table {
                const TABLES: &[&str] = &["CREATE TABLE {table} (event text)"];

                fn counted(&self, event: $event, sql: &mut Sql) {
                    sql.run("INSERT INTO {table} VALUES ($1)", (format!("{event:?}"),));
                }
            }

            struct Told;

            #[reaction(name = "told", of($name))]
            impl Told {
                async fn counted(&self, event: $event, at: &Envelope) -> Result<(), String> {
                    Err(format!("{event:?} {at:?}"))
                }
            }
        };
    };
}

counter!(Visits, PageId, "visits", Visited { times: u64 });
counter!(Sales, ShopId, "sales", Sold { items: i32 });

fn main() {
    let event: VisitsEvent = Visited { times: 1 }.into();
    assert_eq!(recount::Event::name(&event), "Visited");

    fn local() {
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
        struct Local {}

        #[derive(Debug, Clone, Default, Aggregate)]
        #[aggregate(stream = "local", id = PageId)]
        struct Inside {
            count: u32,
        }

        #[apply]
        impl Inside {
            fn counted(&mut self, _: Local) {
                self.count += 1;
            }
        }
    }
    local();
}
