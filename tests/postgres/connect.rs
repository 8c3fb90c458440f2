//! What stands in the way of opening a log, each with an error of its own.

use recount::Store;
use recount::log::{AppendError, Expected};
use recount::store::ConnectError;
use recount::store::postgres::PostgresOptions;

use crate::server::Schema;
use crate::{event, seen, stream};

#[tokio::test]
async fn a_database_that_is_not_there_is_named() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let url = schema.url_of("no_such_database");
    let refused = Store::connect(&url).await.unwrap_err();
    assert!(
        matches!(&refused, ConnectError::NoDatabase { database, .. } if database == "no_such_database"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_unavailable_and_the_password_is_not_shown() {
    let refused = Store::connect("postgres://clerk:secret@127.0.0.1:1/bank?schema=orders")
        .await
        .unwrap_err();
    let ConnectError::Unavailable { url, source } = &refused else {
        panic!("{refused}")
    };
    assert_eq!(url, "postgres://clerk@127.0.0.1:1/bank?schema=orders");
    assert!(source.to_string().contains("start the server"), "{source}");
    assert!(!format!("{refused:?}").contains("secret"), "{refused:?}");
}

#[tokio::test]
async fn urls_that_name_no_server_are_refused_without_their_password() {
    for url in [
        "postgres://clerk:secret@host:port/bank",
        "postgres://clerk:secret@host?password=secret",
        "postgres:",
    ] {
        let refused = Store::connect(url).await.unwrap_err();
        assert!(
            matches!(refused, ConnectError::UnknownUrl { .. }),
            "{refused}"
        );
        assert!(
            !format!("{refused:?} {refused}").contains("secret"),
            "{refused}"
        );
    }
    for option in [
        "schema=",
        "schema=a'b",
        "schema=pg_log",
        "connections=0",
        "connections=many",
    ] {
        let refused =
            PostgresOptions::from_url(&format!("postgres://clerk:secret@host/bank?{option}"))
                .unwrap_err();
        assert!(
            matches!(&refused, ConnectError::Option { option: named, .. } if named == option),
            "{refused}"
        );
        assert!(!refused.to_string().contains("secret"), "{refused}");
    }
}

#[tokio::test]
async fn a_schema_of_another_application_is_left_as_it_is() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let client = schema.client().await;
    for table in ["events (a int)", "meta (a int)"] {
        let made = format!(
            "DROP SCHEMA IF EXISTS {0} CASCADE; CREATE SCHEMA {0}; CREATE TABLE {table}",
            schema.name
        );
        client.batch_execute(&made).await.unwrap();
        let refused = schema.options().open().await.unwrap_err();
        assert!(
            matches!(&refused, ConnectError::ForeignSchema { relation, .. } if table.starts_with(relation)),
            "{refused}"
        );
        let tables = client
            .query(
                "SELECT tablename FROM pg_tables WHERE schemaname = $1",
                &[&schema.name],
            )
            .await
            .unwrap();
        assert_eq!(tables.len(), 1);
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_says_so() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    schema.open().await;
    schema
        .client()
        .await
        .batch_execute("UPDATE meta SET schema_version = 99")
        .await
        .unwrap();
    let refused = schema.options().open().await.unwrap_err();
    assert!(
        matches!(
            refused,
            ConnectError::NewerSchema {
                found: 99,
                known: 1,
                ..
            }
        ),
        "{refused}"
    );
}

#[tokio::test]
async fn many_that_open_a_new_log_at_once_make_it_once() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let opened = (0..8)
        .map(|_| tokio::spawn(schema.options().open()))
        .collect::<Vec<_>>();
    for (number, opened) in opened.into_iter().enumerate() {
        let store = Store::new(opened.await.unwrap().unwrap());
        store
            .append(
                &stream(&number.to_string()),
                Expected::NoStream,
                [event("Opened")],
            )
            .await
            .unwrap();
    }
    assert_eq!(seen(&schema.open().await).await.len(), 8);
}

#[tokio::test]
async fn who_may_only_read_reads_and_is_told_so_when_it_appends() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let store = schema.open().await;
    store
        .append(&stream("a"), Expected::NoStream, [event("First")])
        .await
        .unwrap();
    let (client, reader) = (schema.client().await, format!("{}_reader", schema.name));
    let role = format!(
        "CREATE ROLE {reader} LOGIN; GRANT USAGE ON SCHEMA {0} TO {reader}; GRANT SELECT ON ALL TABLES IN SCHEMA {0} TO {reader};
         GRANT SELECT ON ALL SEQUENCES IN SCHEMA {0} TO {reader}",
        schema.name
    );
    client.batch_execute(&role).await.unwrap();
    let reading = PostgresOptions::from_url(&schema.url_as(&reader))
        .unwrap()
        .schema(&schema.name);
    let reading = Store::new(reading.open().await.unwrap());
    assert_eq!(seen(&reading).await, ["First"]);
    assert_eq!(reading.stats().await.unwrap().events, 1);
    let refused = reading
        .append(&stream("a"), Expected::Any, [event("Second")])
        .await
        .unwrap_err();
    assert!(
        matches!(refused, AppendError::ReadOnly { .. }),
        "{refused:?}"
    );
    reading.close().await.unwrap();
    // Where it may not make a log, it is told that.
    let url = schema.url_as(&reader);
    let elsewhere = PostgresOptions::from_url(&url).unwrap().schema("of_nobody");
    let refused = elsewhere.open().await.unwrap_err();
    client
        .batch_execute(&format!("DROP OWNED BY {reader}; DROP ROLE {reader}"))
        .await
        .unwrap();
    assert!(
        matches!(refused, ConnectError::NoRight { .. }),
        "{refused:?}"
    );
}

#[tokio::test]
async fn opened_for_reading_a_log_that_is_not_there_is_not_made_and_one_that_is_there_not_written()
{
    let Some(schema) = Schema::new().await else {
        return;
    };
    let refused = schema.options().read_only(true).open().await.unwrap_err();
    let ConnectError::Unavailable { source, .. } = &refused else {
        panic!("{refused:?}")
    };
    assert_eq!(
        source.to_string(),
        format!(
            "the schema {:?} holds no log, and it was to be opened for reading",
            schema.name
        )
    );
    let client = schema.client().await;
    let made = "SELECT count(*) FROM pg_namespace WHERE nspname = $1";
    let made: i64 = client
        .query_one(made, &[&schema.name])
        .await
        .unwrap()
        .get(0);
    assert_eq!(made, 0);

    let store = schema.open().await;
    let append = |store: Store| async move {
        store
            .append(&stream("a"), Expected::Any, [event("First")])
            .await
    };
    append(store).await.unwrap();
    let reading = Store::new(schema.options().read_only(true).open().await.unwrap());
    assert_eq!(seen(&reading).await, ["First"]);
    let refused = append(reading).await.unwrap_err();
    assert!(
        matches!(refused, AppendError::ReadOnly { .. }),
        "{refused:?}"
    );
}

#[tokio::test]
async fn ids_too_long_for_an_index_are_kept_apart() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let store = schema.open().await;
    // Random enough not to be compressed.
    let long = |end: &str| {
        let head: String = (0..110)
            .map(|_| {
                uuid::Uuid::new_v5(&uuid::Uuid::nil(), end.as_bytes())
                    .simple()
                    .to_string()
            })
            .collect();
        let mixed: String = (0..110)
            .map(|n| {
                uuid::Uuid::new_v5(&uuid::Uuid::nil(), format!("{n}").as_bytes())
                    .simple()
                    .to_string()
            })
            .collect();
        stream(&format!("{mixed}{}", &head[..100]))
    };
    for end in ["one", "two"] {
        store
            .append(&long(end), Expected::NoStream, [event("Kept")])
            .await
            .unwrap();
        store
            .append(&long(end), Expected::NoStream, [event("Kept")])
            .await
            .unwrap_err();
        assert_eq!(store.version(&long(end)).await.unwrap().0, 1);
    }
}

#[test]
fn a_url_with_a_mistake_says_which_part_is_wrong_and_shows_no_password() {
    let told = |url: &str| PostgresOptions::from_url(url).unwrap_err().to_string();
    for (option, advice) in [
        ("shema=app", "neither the store nor the driver"),
        ("connect_timeout=5s", "connect_timeout"),
        ("schema=a&schema=b", "write `schema` once"),
    ] {
        let told = told(&format!("postgres://clerk:secret@localhost/bank?{option}"));
        let last = option.rsplit('&').next().unwrap();
        assert!(told.contains(&format!("option `{last}`")), "{told}");
        assert!(told.contains(advice), "{told}");
        assert!(!told.contains("secret"), "{told}");
    }
    let twice = told("postgres://clerk@localhost/bank?password=secret&password=secret");
    assert!(!twice.contains("secret"), "{twice}");
    let at = told("postgres://clerk:sec@ret@localhost/bank");
    assert!(at.contains("%40") && !at.contains("ret@"), "{at}");
    let nameless = told("postgres://clerk:secret@localhost");
    assert!(nameless.contains("/DATABASE"), "{nameless}");
    assert!(!nameless.contains("secret"), "{nameless}");
}
