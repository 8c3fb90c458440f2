//! What the examples share: the `--store URL` option.

use std::path::PathBuf;

use recount::Store;

/// Opens the store named by `--store URL`; without it, a new SQLite file in the temporary folder. Says which.
pub async fn open_store(example: &str) -> Result<Store, Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => format!("sqlite:{}", new_file(example).display()),
        (Some("--store"), Some(url)) => url,
        _ => return Err(format!("usage: cargo run --example {example} -- [--store URL]").into()),
    };
    let store = Store::connect(&url).await?;
    println!("Store: {}", store.url());
    match store.stats().await?.events {
        0 => println!("It is empty.\n"),
        found => println!("Found {found} events of an earlier run; going on with them.\n"),
    }
    Ok(store)
}

/// The path of a file that is not there yet.
fn new_file(example: &str) -> PathBuf {
    std::env::temp_dir().join(format!(
        "recount-{example}-{}.db",
        recount::uuid::Uuid::now_v7()
    ))
}
