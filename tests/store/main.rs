//! The stores of this crate keep the contract, and the contract finds out those that do not.

mod broken;
mod found_out;
mod handle;

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
