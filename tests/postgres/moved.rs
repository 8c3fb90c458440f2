//! The server behind an address is another one, as after a failover that lost what was committed last.

use recount::Store;
use recount::log::Expected;
use recount::store::postgres::PostgresOptions;

use crate::scene::{one, until};
use crate::server::Schema;
use crate::{event, run, seen, stream};

/// Events, kinds and tenants behind the first, and their numbers, are as they were before.
const TAKEN_BACK: &str = "ALTER TABLE events DISABLE TRIGGER USER; ALTER TABLE kinds DISABLE TRIGGER USER;
    ALTER TABLE tenants DISABLE TRIGGER USER; DELETE FROM events WHERE position > 1; SELECT setval('positions', 1);
    DELETE FROM kinds WHERE kind > 1; ALTER TABLE kinds ALTER kind RESTART WITH 2;
    DELETE FROM tenants; ALTER TABLE tenants ALTER tenant RESTART WITH 1;
    ALTER TABLE events ENABLE TRIGGER USER; ALTER TABLE kinds ENABLE TRIGGER USER; ALTER TABLE tenants ENABLE TRIGGER USER";

#[tokio::test]
async fn numbers_of_kinds_and_tenants_that_were_lost_are_not_used_again() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let url = format!(
        "{}&application_name={}&connections=1",
        schema.url(),
        schema.name
    );
    let store = Store::new(
        PostgresOptions::from_url(&url)
            .unwrap()
            .open()
            .await
            .unwrap(),
    );
    let append = async |store: &Store, id: &str, name: &'static str| {
        store
            .append(&stream(id), Expected::Any, [event(name)])
            .await
            .unwrap();
    };
    append(&store, "a", "Kept").await;
    append(&store, "a", "Lost").await;
    append(&store.for_tenant("acme").unwrap(), "a", "Lost").await;
    assert_eq!(seen(&store).await, ["Kept", "Lost", "Lost"]);
    // Others number what they know first.
    let client = schema.client().await;
    run(&client, TAKEN_BACK).await;
    let others = schema.open().await;
    append(&others, "b", "Other").await;
    append(&others.for_tenant("globex").unwrap(), "b", "Theirs").await;
    let here = format!(
        "FROM pg_stat_activity WHERE application_name = '{}'",
        schema.name
    );
    run(&client, &format!("SELECT pg_terminate_backend(pid) {here}")).await;
    until("they end", async || {
        one::<i64>(&client, &format!("SELECT count(*) {here}")).await == 0
    })
    .await;

    // Asked again on a connection that is there.
    store.head().await.unwrap();
    assert_eq!(seen(&store).await, ["Kept", "Other", "Theirs"]);
    append(&store, "a", "Lost").await;
    append(&store.for_tenant("acme").unwrap(), "a", "Lost").await;
    let all = ["Kept", "Other", "Theirs", "Lost", "Lost"];
    for store in [&store, &others, &schema.open().await] {
        assert_eq!(seen(store).await, all);
        for (tenant, theirs) in [("acme", "Lost"), ("globex", "Theirs")] {
            assert_eq!(seen(&store.for_tenant(tenant).unwrap()).await, [theirs]);
        }
    }
}
