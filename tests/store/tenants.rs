//! A tenant's handle reaches nothing but its own.

use recount::log::{Batch, Expected, Query};
use recount::prelude::*;
use recount::store::TenantError;

use crate::stores::{memory, sqlite};
use crate::{event, events, stream};

/// Two tenants and the handle that both were made from, with events under the same ids.
async fn three(store: &Store) -> (Store, Store) {
    let (acme, globex) = (
        store.for_tenant("acme").unwrap(),
        store.for_tenant("globex").unwrap(),
    );
    acme.append(&stream("a"), Expected::NoStream, events(2))
        .await
        .unwrap();
    globex
        .append(&stream("a"), Expected::NoStream, events(3))
        .await
        .unwrap();
    store
        .append(&stream("a"), Expected::NoStream, events(4))
        .await
        .unwrap();
    (acme, globex)
}

macro_rules! on_each {
    ($(async fn $name:ident($store:ident: Store) $body:block)*) => {$(
        mod $name {
            use super::*;
            async fn case($store: Store) $body
            #[tokio::test]
            async fn in_memory() {
                let fixture = memory().await;
                case(fixture.store.clone()).await;
            }
            #[tokio::test]
            async fn on_sqlite() {
                let fixture = sqlite().await;
                case(fixture.store.clone()).await;
            }
        }
    )*};
}

on_each! {
    async fn the_same_id_in_two_tenants_is_two_streams(store: Store) {
        let (acme, globex) = three(&store).await;
        for (handle, count) in [(&acme, 2), (&globex, 3), (&store, 4)] {
            assert_eq!(handle.version(&stream("a")).await.unwrap(), Version(count));
            assert_eq!(handle.read(Query::stream(&stream("a"))).collect().await.unwrap().len() as u64, count);
        }
    }

    async fn reads_counts_and_heads_stay_within_the_tenant(store: Store) {
        let (acme, globex) = three(&store).await;
        assert_eq!(acme.read(Query::all()).collect().await.unwrap().len(), 2);
        assert_eq!(acme.read(Query::all().backwards()).collect().await.unwrap().len(), 2);
        assert_eq!(acme.read(Query::all().category("account").names(["Counted"])).collect().await.unwrap().len(), 2);
        assert_eq!((acme.stats().await.unwrap().events, acme.stats().await.unwrap().bytes), (2, None));
        assert!(acme.head().await.unwrap() < globex.head().await.unwrap());
        assert_eq!(store.read(Query::all()).collect().await.unwrap().len(), 9);
        assert_eq!(store.stats().await.unwrap().events, 9);
    }

    async fn a_query_cannot_name_another_tenant(store: Store) {
        let (acme, globex) = three(&store).await;
        let mut query = Query::all();
        query.tenant = globex.tenant().cloned();
        assert_eq!(acme.read(query).collect().await.unwrap().len(), 2);
        // A stream's name that was read elsewhere still carries its tenant.
        let foreign = globex.read(Query::all()).collect().await.unwrap()[0].stream.clone();
        assert!(acme.read(Query::stream(&foreign)).collect().await.is_err());
        assert!(acme.version(&foreign).await.is_err());
        assert!(acme.append(&foreign, Expected::Any, events(1)).await.is_err());
        assert!(acme.append_batch(Batch::new().append(stream("a"), Expected::Any, events(1)).check(foreign, Expected::Any)).await.is_err());
        assert_eq!(store.stats().await.unwrap().events, 9);
    }

    async fn a_handle_cannot_be_widened(store: Store) {
        let acme = store.for_tenant("acme").unwrap();
        assert!(matches!(acme.for_tenant("globex"), Err(TenantError::Bound { .. })));
        assert!(acme.for_tenant("acme").is_ok());
        assert!(store.for_tenant("").is_err() && store.for_tenant("a\0").is_err() && store.for_tenant(&"x".repeat(300)).is_err());
    }

    async fn the_ids_of_another_tenants_events_can_be_neither_guessed_nor_blocked(store: Store) {
        let (acme, globex) = (store.for_tenant("acme").unwrap(), store.for_tenant("globex").unwrap());
        let known = event("Secret");
        acme.append(&stream("a"), Expected::NoStream, [known.clone()]).await.unwrap();
        let appended = globex.append(&stream("a"), Expected::NoStream, [known]).await.unwrap();
        assert!(!appended.repeated);
        assert_eq!(appended.version(), Version(1));
    }
}
