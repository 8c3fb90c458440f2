use recount::Store;
use recount::store::MemoryBackend;

mod at_once {
    use super::*;

    async fn empty() -> Store {
        Store::new(MemoryBackend::new())
    }

    recount::testing::store_contract!(empty);
}

mod perhaps {
    use super::*;

    async fn empty() -> Store {
        Store::new(MemoryBackend::new())
    }

    recount::testing::store_contract!(empty);
}

fn main() {}
