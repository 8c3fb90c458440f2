//! What is PostgreSQL's own: the order of the log while transactions are open, and what stands in the way of opening one.

#[path = "../support/cluster.rs"]
mod cluster;
mod clusters;
mod connect;
mod failures;
mod load;
mod mistakes;
mod moved;
mod order;
mod plans;
mod pooler;
mod proxy;
mod refusals;
mod restarts;
mod restored;
mod scene;
#[path = "../support/postgres.rs"]
mod server;
mod several;
mod shared;
mod steps;
mod tls;
mod within;

use recount::Store;
use recount::log::{NewEvent, Query, StreamId};
use tokio_postgres::Client;

fn stream(id: &str) -> StreamId {
    StreamId::new("account", id).unwrap()
}

fn event(name: &'static str) -> NewEvent {
    NewEvent::json(name, 1, &name).unwrap()
}

async fn run(client: &Client, sql: &str) {
    client.batch_execute(sql).await.unwrap();
}

/// The names of all events that a reader may see, in order.
async fn seen(store: &Store) -> Vec<String> {
    let events = store.read(Query::all()).collect().await.unwrap();
    events.iter().map(|event| event.name.to_string()).collect()
}
