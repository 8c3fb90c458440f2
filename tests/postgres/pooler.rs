//! PgBouncer between a store and its server, in transaction mode: each statement may be answered by another session.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use futures_util::future;
use recount::Store;
use recount::log::{AppendError, Expected, Query, Version};
use recount::store::ConnectError;

use crate::cluster::{Cluster, free_port};
use crate::{event, run, seen, stream};

/// PgBouncer, where it is installed or where `PGBOUNCER` says, and its version, as (1, 21); without it that is said, and fails where
/// `CI` is set.
fn find() -> Option<(PathBuf, (u32, u32))> {
    let named = std::env::var_os("PGBOUNCER").map(PathBuf::from);
    let program = named.unwrap_or_else(|| "/usr/sbin/pgbouncer".into());
    let Ok(said) = Command::new(&program).arg("--version").output() else {
        println!(
            "NOT RUN behind PgBouncer: {} is not there",
            program.display()
        );
        assert!(std::env::var_os("CI").is_none(), "PgBouncer is needed here");
        return None;
    };
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let mut numbers = said
        .split(|char: char| !char.is_ascii_digit())
        .filter_map(|part| part.parse().ok());
    Some((program, (numbers.next()?, numbers.next()?)))
}

/// A server with the user clerk.
async fn server() -> Option<Cluster> {
    let cluster = Cluster::new(&[])?;
    let sql = "CREATE ROLE clerk LOGIN; GRANT CREATE ON DATABASE postgres TO clerk";
    run(&cluster.client().await, sql).await;
    Some(cluster)
}

/// Starts PgBouncer, which ends with the server; the URL for clerk through it.
fn start(program: &Path, cluster: &Cluster, settings: &[&str]) -> String {
    let port = free_port();
    let folder = cluster.folder();
    let file = |name: &str| folder.join(format!("pooler-{port}{name}"));
    std::fs::write(file(".users"), "\"clerk\" \"\"\n\"postgres\" \"\"\n").unwrap();
    let config = format!(
        "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
         auth_type = trust\nauth_file = {}\nadmin_users = postgres\npidfile = {}\npool_mode = transaction\ndefault_pool_size = 2\n{}\n",
        cluster.port(),
        file(".users").display(),
        file(".pid").display(),
        settings.join("\n")
    );
    std::fs::write(file(".ini"), config).unwrap();
    let ini = file(".ini").display().to_string();
    cluster.start_beside(program, &["--quiet", "--daemon", &ini], &file(".log"));
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::yield_now();
    }
    format!("postgres://clerk@127.0.0.1:{port}/postgres")
}

#[tokio::test]
async fn a_pooler_that_does_not_know_prepared_statements_is_refused() {
    let Some((program, version)) = find() else {
        return;
    };
    let Some(cluster) = server().await else {
        return;
    };
    let mut settings = vec![""];
    if version >= (1, 21) {
        settings.push("max_prepared_statements = 0");
    }
    // A role that has all settings must not hide it.
    let client = cluster.client().await;
    for (name, value) in [
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
        ("jit", "off"),
    ] {
        run(&client, &format!("ALTER ROLE clerk SET {name} = '{value}'")).await;
    }
    for ignored in ["", "ignore_startup_parameters = options"] {
        settings[0] = ignored;
        let refused = Store::connect(&start(&program, &cluster, &settings))
            .await
            .unwrap_err();
        assert!(
            matches!(&refused, ConnectError::Pooler { advice, .. } if advice.contains("max_prepared_statements")),
            "{refused:?}"
        );
    }
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'recount'";
    assert_eq!(
        client
            .query_one(schemas, &[])
            .await
            .unwrap()
            .get::<_, i64>(0),
        0
    );
}

#[tokio::test]
async fn behind_a_pooler_that_knows_prepared_statements_the_log_works_once_the_role_has_its_settings()
 {
    let Some((program, version)) = find() else {
        return;
    };
    if version < (1, 21) {
        println!("NOT RUN behind PgBouncer: {version:?} is older than 1.21");
        return;
    }
    let Some(cluster) = server().await else {
        return;
    };
    let settings = ["max_prepared_statements = 200"];
    let refused = Store::connect(&start(&program, &cluster, &settings))
        .await
        .unwrap_err();
    let ConnectError::Pooler { advice, .. } = &refused else {
        panic!("{refused:?}")
    };
    // What it says is to be run.
    run(&cluster.client().await, advice.split('`').nth(1).unwrap()).await;
    let url = start(&program, &cluster, &settings);
    let stores = [
        Store::connect(&url).await.unwrap(),
        Store::connect(&url).await.unwrap(),
    ];
    for round in 1..=20 {
        let appends = stores.iter().zip(["a", "b"]).map(|(store, id)| {
            let (store, id) = (store.clone(), stream(id));
            async move {
                store
                    .append(&id, Expected::Any, [event("Passed")])
                    .await
                    .unwrap()
            }
        });
        let [one, two]: [_; 2] = appends.collect::<Vec<_>>().try_into().ok().unwrap();
        let reads = future::join(seen(&stores[0]), stores[1].stats());
        let (_, (read, counted)) = future::join(future::join(one, two), reads).await;
        assert!(read.len() <= 2 * round);
        counted.unwrap();
        assert_eq!(seen(&stores[1]).await.len(), 2 * round);
        assert_eq!(
            stores[0].version(&stream("b")).await.unwrap().0,
            round as u64
        );
    }
    // Those who load streams at once share connections, and the pooler tells their statements apart.
    for _ in 0..20 {
        let ids = ["a", "b", "none"].map(stream);
        let loads = (0..48).map(|number| {
            let (store, id) = (&stores[number % 2], &ids[number % 3]);
            async move { store.read(Query::stream(id)).collect().await.unwrap().len() }
        });
        let lengths = future::join_all(loads).await;
        assert!(lengths.chunks(3).all(|three| three == [20, 20, 0]));
    }
    // The server behind the pooler has lost the last event, and nobody here notices.
    let lose = "ALTER TABLE recount.events DISABLE TRIGGER USER; DELETE FROM recount.events WHERE version = 20 AND stream_id = 'a'";
    run(&cluster.client().await, lose).await;
    let expected = Expected::Version(Version(20));
    let target = stream("a");
    let refused = stores[0].append(&target, expected, [event("Passed")]);
    let refused = refused.await.unwrap_err();
    assert!(
        matches!(
            refused,
            AppendError::Conflict {
                actual: Version(19),
                ..
            }
        ),
        "{refused:?}"
    );
}
