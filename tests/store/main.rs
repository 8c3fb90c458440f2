//! The stores of this crate keep the contract, and the contract finds out those that do not.

mod broken;
mod found_out;
mod handle;
mod plain;
#[path = "../support/postgres.rs"]
mod server;

mod memory {
    use recount::Store;

    pub async fn empty() -> Store {
        Store::connect("memory:").await.unwrap()
    }

    recount::testing::store_contract!(empty);
}

mod sqlite {
    use recount::Store;

    pub async fn empty() -> (Store, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("log.db").display());
        (Store::connect(&url).await.unwrap(), folder)
    }

    recount::testing::store_contract!(empty);
}

mod postgres {
    use recount::Store;

    use crate::server::Schema;

    pub async fn empty() -> (Store, Option<Schema>) {
        match Schema::new().await {
            Some(schema) => (schema.open().await, Some(schema)),
            None => (super::memory::empty().await, None),
        }
    }

    recount::testing::store_contract!(empty);
}

/// Around any store, what fails by chance keeps the contract while nothing does, and while it is only late.
mod delayed {
    use std::time::Duration;

    use recount::Store;
    use recount::testing::{Fault, Faults};

    pub async fn empty() -> Store {
        let late = [Fault::Delay(Duration::from_micros(200))];
        Faults::seeded_with(1, 0.2, late).around(&super::memory::empty().await)
    }

    recount::testing::store_contract!(empty);
}
