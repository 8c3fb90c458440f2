//! What a handle does whatever the database behind it.

use recount::Store;
use recount::log::{Expected, NewEvent, StreamId};
use recount::store::TenantError;

/// An empty store of each kind, and the folder of those that have one.
async fn stores() -> [(Store, Option<tempfile::TempDir>); 2] {
    let (sqlite, folder) = crate::sqlite::empty().await;
    [(crate::memory::empty().await, None), (sqlite, Some(folder))]
}

#[tokio::test]
async fn a_handle_cannot_be_widened() {
    for (store, _folder) in stores().await {
        let acme = store.for_tenant("acme").unwrap();
        let refused = acme.for_tenant("globex").unwrap_err();
        assert!(matches!(refused, TenantError::Bound { .. }), "{refused}");
        assert_eq!(acme.for_tenant("acme").unwrap().tenant(), acme.tenant());
        for name in ["", "a\0", &"x".repeat(256)] {
            let refused = store.for_tenant(name).unwrap_err();
            assert!(matches!(refused, TenantError::Name(_)), "{refused}");
        }
    }
}

#[tokio::test]
async fn a_handle_in_a_message_shows_nothing_of_the_log() {
    for (store, _folder) in stores().await {
        let globex = store.for_tenant("globex").unwrap();
        let stream = StreamId::new("account", "secret").unwrap();
        let event = NewEvent::json("Secret", 1, &"secret").unwrap();
        let appended = globex.append(&stream, Expected::Any, [event]).await;
        appended.unwrap();
        globex.stats().await.unwrap();
        let shown = format!("{:?}", store.for_tenant("acme").unwrap()).to_lowercase();
        assert!(shown.contains("acme"), "{shown}");
        assert!(
            !shown.contains("globex") && !shown.contains("secret"),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn only_a_store_on_disk_says_how_many_bytes_it_takes() {
    let [(memory, _), (sqlite, _folder)] = stores().await;
    assert_eq!(memory.stats().await.unwrap().bytes, None);
    assert!(sqlite.stats().await.unwrap().bytes > Some(4096));
}
