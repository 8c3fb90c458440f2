//! One list of cases, run on every store and on a tenant's handle of each.

use recount::Store;
use recount::log::{Expected, NewEvent, StreamId};

/// A store, and the folder that its file lives in.
pub struct Fixture {
    pub store: Store,
    /// The file is there as long as this is.
    folder: Option<tempfile::TempDir>,
}

pub async fn memory() -> Fixture {
    Fixture {
        store: Store::connect("memory:").await.unwrap(),
        folder: None,
    }
}

pub async fn sqlite() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("log.db").display());
    Fixture {
        store: Store::connect(&url).await.unwrap(),
        folder: Some(folder),
    }
}

/// A tenant's handle, in a store where another tenant has events under the same ids.
pub async fn tenant() -> Fixture {
    let Fixture { store, folder } = sqlite().await;
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
        folder,
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

            #[tokio::test]
            async fn for_a_tenant() {
                let fixture = crate::stores::tenant().await;
                case(fixture.store.clone()).await;
            }
        }
    )*};
}

pub(crate) use every_store;
