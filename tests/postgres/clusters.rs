//! The servers that tests throw away are thrown away, and lose nothing before.

use std::net::TcpStream;

use recount::Store;
use recount::log::Expected;

use crate::cluster::{Cluster, Stop};
use crate::{event, seen, stream};

#[tokio::test]
async fn what_was_appended_is_there_after_each_way_to_end_a_server() {
    let Some(cluster) = Cluster::new(&["max_prepared_transactions = 20"]) else {
        return;
    };
    let mut names = Vec::new();
    for how in [Stop::Fast, Stop::Immediate, Stop::Kill] {
        let store = Store::connect(&cluster.url()).await.unwrap();
        store
            .append(&stream("a"), Expected::Any, [event("Kept")])
            .await
            .unwrap();
        names.push("Kept");
        cluster.restart(how);
        let store = Store::connect(&cluster.url()).await.unwrap();
        assert_eq!(seen(&store).await, names, "{how:?}");
    }
}

#[test]
fn a_server_ends_with_its_test_even_by_a_panic() {
    let Some(cluster) = Cluster::new(&[]) else {
        return;
    };
    let (folder, port) = (cluster.folder().to_owned(), cluster.port());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
    let ended = std::thread::spawn(move || {
        let _cluster = cluster;
        std::panic::resume_unwind(Box::new("on purpose"));
    });
    ended.join().unwrap_err();
    assert!(!folder.exists());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}
