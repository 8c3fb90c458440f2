//! smoke
use recount::Store;
use recount::log::*;
#[tokio::test]
async fn smoke() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("x.db").display());
    let store = Store::connect(&url).await.unwrap();
    let s = StreamId::new("note", "1").unwrap();
    let e = NewEvent::json("Noted", 1, &"hello").unwrap();
    let a = store
        .append(&s, Expected::NoStream, [e.clone()])
        .await
        .unwrap();
    let b = store.append(&s, Expected::NoStream, [e]).await.unwrap();
    println!("{a:?} {b:?}");
    println!(
        "{:?}",
        store
            .append(
                &s,
                Expected::NoStream,
                [NewEvent::json("Noted", 1, &"hello").unwrap()]
            )
            .await
    );
    println!(
        "{:?}",
        store.read(Query::all().names(["Noted"])).collect().await
    );
    println!("{:?}", store.read(Query::stream(&s)).collect().await);
    println!("{:?}", store.stats().await);
    store.close().await.unwrap();
}
