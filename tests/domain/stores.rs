//! One list of cases, run on every store and on a tenant's handle of each.

use recount::Store;
use recount::log::{Expected, NewEvent, StreamId};

use crate::server::Schema;

/// A store, and the place that it lives in.
pub struct Fixture {
    pub store: Store,
    place: Place,
}

/// What the store is kept in is there as long as this is.
#[expect(dead_code, reason = "held, not used")]
pub enum Place {
    Memory,
    File(tempfile::TempDir),
    Server(Schema),
}

pub async fn memory() -> Fixture {
    Fixture {
        store: Store::connect("memory:").await.unwrap(),
        place: Place::Memory,
    }
}

pub async fn sqlite() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("log.db").display());
    Fixture {
        store: Store::connect(&url).await.unwrap(),
        place: Place::File(folder),
    }
}

/// On a server, where there is one.
pub async fn postgres() -> Option<Fixture> {
    let schema = Schema::new().await?;
    Some(Fixture {
        store: schema.open().await,
        place: Place::Server(schema),
    })
}

/// A tenant's handle, in a store where another tenant has events under the same ids.
pub async fn tenant() -> Fixture {
    let Fixture { store, place } = sqlite().await;
    let other = store.for_tenant("other").unwrap();
    for id in ["a", "b"] {
        let stream = StreamId::new("account", id).unwrap();
        let noise = NewEvent::json("Noise", 9, &"of another tenant").unwrap();
        other
            .append(&stream, Expected::NoStream, [noise])
            .await
            .unwrap();
    }
    Fixture {
        store: store.for_tenant("mine").unwrap(),
        place,
    }
}

/// Writes a test for each store: `every_store! { async fn what_holds(store: Store) { … } }`.
macro_rules! every_store {
    ($(async fn $name:ident($store:ident: Store) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn case($store: recount::Store) $body

            #[tokio::test]
            async fn in_memory() {
                let fixture = crate::stores::memory().await;
                case(fixture.store.clone()).await;
            }

            #[tokio::test]
            async fn on_sqlite() {
                let fixture = crate::stores::sqlite().await;
                case(fixture.store.clone()).await;
            }

            // A case may block its thread while it appends: others must carry what the server says.
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                if let Some(fixture) = crate::stores::postgres().await {
                    case(fixture.store.clone()).await;
                }
            }

            #[tokio::test]
            async fn for_a_tenant() {
                let fixture = crate::stores::tenant().await;
                case(fixture.store.clone()).await;
            }
        }
    )*};
}

pub(crate) use every_store;

/// As [`every_store`], on those that keep tables.
macro_rules! every_database {
    ($(async fn $name:ident($store:ident: Store) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn case($store: recount::Store) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                let fixture = crate::stores::sqlite().await;
                case(fixture.store.clone()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                if let Some(fixture) = crate::stores::postgres().await {
                    case(fixture.store.clone()).await;
                }
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn for_a_tenant() {
                let fixture = crate::stores::tenant().await;
                case(fixture.store.clone()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn for_a_tenant_on_postgres() {
                if let Some(fixture) = crate::stores::postgres().await {
                    case(fixture.store.for_tenant("mine").unwrap()).await;
                }
            }
        }
    )*};
}

pub(crate) use every_database;
