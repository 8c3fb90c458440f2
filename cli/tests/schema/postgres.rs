//! `scan` on a server.

use std::net::TcpStream;

use super::project::Project;

const MANIFEST: &str = r#"
[workspace]

[package]
name = "plans-server"
version = "0.3.0"
edition = "2024"
publish = false

[dependencies]
recount = { path = "ROOT/runtime", features = ["postgres"] }
serde = { version = "1", features = ["derive"] }

[dev-dependencies]
tokio = { version = "1", features = ["macros", "rt"] }
"#;

/// Stores events, or takes the schema away.
const STORE: &str = r#"
use recount::Store;
use recount::log::{Expected, NewEvent, StreamId};
use recount::serde_json::{Value, from_str};
use recount::store::postgres::tokio_postgres::{NoTls, connect};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let (server, schema) = (&arguments[1], &arguments[2]);
    if arguments.len() == 3 {
        let (client, connection) = connect(server, NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(&format!("DROP SCHEMA IF EXISTS {schema} CASCADE")).await.unwrap();
        return;
    }
    let store = Store::connect(&format!("{server}?schema={schema}")).await.unwrap();
    for (at, event) in arguments[3..].iter().enumerate() {
        let mut parts = event.splitn(3, ' ');
        let (name, version) = (parts.next().unwrap(), parts.next().unwrap().parse().unwrap());
        let payload: Value = from_str(parts.next().unwrap()).unwrap();
        let event = NewEvent::json(name.to_owned(), version, &payload).unwrap();
        let tenant = store.for_tenant(["acme", "umbrella"][at % 2]).unwrap();
        let stream = StreamId::new("workout", "w1").unwrap();
        tenant.append(&stream, Expected::Any, [event]).await.unwrap();
    }
    store.close().await.unwrap();
}
"#;

struct Server<'a> {
    project: &'a Project,
    address: String,
    schema: String,
}

impl Server<'_> {
    #[track_caller]
    fn store(&self, events: &[&str]) {
        let run = ["run", "--offline", "--quiet", "--example", "store", "--"];
        let here = [self.address.as_str(), self.schema.as_str()];
        self.project
            .cargo(&[&run[..], &here, events].concat())
            .says(0, &[]);
    }

    fn url(&self) -> String {
        format!("{}?schema={}&password=secret", self.address, self.schema)
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        self.store(&[]);
    }
}

/// The address of a server that answers; where `CI` is set there must be one.
fn server() -> Option<String> {
    let address = std::env::var("DATABASE_URL")
        .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/postgres".to_owned());
    let (_, place) = address.rsplit_once('@').unwrap();
    let place = place.split(['/', '?']).next().unwrap();
    if let Err(error) = TcpStream::connect(place) {
        println!("NOT RUN on PostgreSQL: no server answers at {address} ({error})");
        assert!(std::env::var_os("CI").is_none(), "a server is needed here");
        return None;
    }
    Some(address)
}

#[test]
fn a_store_on_a_server_is_read_by_all_tenants_and_none_is_made() {
    let Some(address) = server() else {
        return;
    };
    let fixture = include_str!("fixture/src/lib.rs");
    let project = Project::of(&[
        ("Cargo.toml", MANIFEST),
        ("src/lib.rs", fixture),
        ("examples/store.rs", STORE),
    ]);
    for command in ["init", "accept", "release"] {
        project.recount(&[command]).says(0, &[]);
    }
    let server = Server {
        project: &project,
        address,
        schema: format!("recount_cli_{}", std::process::id()),
    };
    let url = server.url();
    let scan = &["scan", "--store", &url, "--out", "scan.json"];
    // Twice: the first one has not made it.
    for _ in 0..2 {
        project.recount(scan).says(
            2,
            &[
                "error[RC3028]",
                "holds no log, and it was to be opened for reading",
            ],
        );
    }
    assert!(!project.path("scan.json").exists());

    server.store(&[
        r#"Scheduled 1 {"title":"Hills","minutes":45}"#,
        r#"Scheduled 1 {"title":"Hills","minutes":45}"#,
        "Cancelled 1 {}",
    ]);
    let ran = project.recount(scan);
    ran.says(
        0,
        &[
            "2  workout.Scheduled v1",
            "1  workout.Cancelled v1",
            "3 events in postgres://",
            "all of them can be read",
        ],
    );
    let evidence = project.read("scan.json");
    assert!(
        !format!("{}{evidence}", ran.out).contains("secret"),
        "{evidence}"
    );
    assert!(evidence.contains(&server.schema), "{evidence}");

    server.store(&[r#"Scheduled 1 {"title":"Hills","minutes":-1}"#]);
    project.recount(scan).says(
        1,
        &[
            "error[RC3026] workout.Scheduled v1: the payload does not fit",
            "version 3 of stream acme:workout/w1",
            "1 cannot be read",
        ],
    );
}
