//! A tenant's handle reaches, counts and is told of nothing but its own.

use super::checkpoints::{self, KEY, checkpoint};
use super::snapshots::{SHAPE, snapshot};
use super::{event, events, stream};
use crate::Store;
use crate::log::{
    AppendError, Batch, Expected, NewEvent, Position, Query, RecordedEvent, Selector, StreamId,
    TenantId, Version,
};
use crate::store::StoredSnapshot;

/// Two tenants of a store, with events under the same ids, as it has itself.
async fn two(store: &Store) -> (Store, Store) {
    let (acme, globex) = (
        store.for_tenant("acme").unwrap(),
        store.for_tenant("globex").unwrap(),
    );
    for (handle, count) in [(&acme, 2), (&globex, 3), (store, 4)] {
        handle
            .append(&stream("a"), Expected::NoStream, events(count))
            .await
            .unwrap();
    }
    (acme, globex)
}

async fn read(store: &Store, query: Query) -> Vec<RecordedEvent> {
    store.read(query).collect().await.unwrap()
}

async fn save_snapshot(store: &Store, id: &str, snapshot: StoredSnapshot) {
    let stream = store.bind(&stream(id)).unwrap();
    store
        .backend()
        .save_snapshot(&stream, snapshot)
        .await
        .unwrap();
}

async fn found_snapshot(store: &Store, id: &str) -> Option<StoredSnapshot> {
    let stream = store.bind(&stream(id)).unwrap();
    store.backend().snapshot(&stream, SHAPE).await.unwrap()
}

/// Everything that a handle is answered, as text: results, and errors with all that is behind them. Stores nothing.
async fn told(handle: &Store, known: &[NewEvent], foreign: &StreamId) -> Vec<String> {
    let mut told = Vec::new();
    macro_rules! tell {
        ($($call:expr),* $(,)?) => { $({
            let answer = $call;
            if let Err(error) = &answer {
                told.push(error.to_string());
            }
            told.push(format!("{answer:?}"));
        })* };
    }
    let (a, b) = (stream("a"), stream("b"));
    let mut changed = known.to_vec();
    changed[0].payload = b"0".to_vec();
    tell!(
        handle.append(&a, Expected::NoStream, known.to_vec()).await,
        handle.append(&a, Expected::NoStream, changed.clone()).await,
        handle.append(&b, Expected::Any, known.to_vec()).await,
        handle.append(&a, Expected::NoStream, []).await,
        handle
            .append(&a, Expected::Version(Version(7)), events(1))
            .await,
        handle.append(&b, Expected::StreamExists, events(1)).await,
        handle
            .append_batch(
                Batch::new()
                    .append(a.clone(), Expected::Any, events(1))
                    .check(b.clone(), Expected::StreamExists)
            )
            .await,
        handle
            .append_batch(Batch::new().check(b.clone(), Expected::NoStream))
            .await,
        handle.append_batch(Batch::new()).await,
        handle.append(foreign, Expected::Any, events(1)).await,
        handle
            .append_batch(Batch::new().check(foreign.clone(), Expected::Any))
            .await,
        handle.version(&a).await,
        handle.version(&b).await,
        handle.version(foreign).await,
        handle.head().await,
        handle.stats().await,
        handle.read(Query::stream(foreign)).collect().await,
        handle.for_tenant("globex"),
    );
    for query in queries() {
        tell!(handle.read(query).collect().await);
    }
    save_snapshot(handle, "a", snapshot(2, SHAPE)).await;
    tell!(
        handle
            .backend()
            .snapshot(&handle.bind(&b).unwrap(), SHAPE)
            .await,
        handle
            .backend()
            .snapshot(&handle.bind(&a).unwrap(), SHAPE)
            .await,
        handle.delete_snapshots(Some("order")).await,
        handle.delete_snapshots(None).await,
        handle.backend().checkpoint(handle.tenant(), KEY).await,
        checkpoints::save(handle, KEY, checkpoint(9, 9)).await,
    );
    told
}

/// A query of each kind, and some mixed.
fn queries() -> Vec<Query> {
    let (a, b) = (stream("a"), stream("b"));
    let time = |seconds| chrono::DateTime::from_timestamp(seconds, 0).unwrap();
    let one_way = [
        Query::all(),
        Query::all().page_size(1),
        Query::all().limit(1),
        Query::all().limit(3).page_size(2),
        Query::all().after(Position(1)),
        Query::all().up_to(Position(u64::MAX)),
        Query::all().from_version(Version(2)),
        Query::all().to_version(Version(2)),
        Query::all().since(time(0)),
        Query::all().before(time(9_000_000_000)),
        Query::all().category("account"),
        Query::all().category("order"),
        Query::all().names(["Counted"]),
        Query::all()
            .names(["Counted", "Secret"])
            .category("account"),
        Query::all().any_of([Selector::default()]),
        Query::all()
            .without_context()
            .since(time(1))
            .names(["Secret"]),
        Query::stream(&a),
        Query::stream(&a).from_version(Version(2)).limit(1),
        Query::stream(&a).names(["Counted"]).page_size(1),
        Query::stream(&b),
    ];
    one_way
        .into_iter()
        .flat_map(|query| [query.clone(), query.backwards()])
        .collect()
}

cases! {
    tenants as __store_contract_tenants;

    async fn the_same_id_in_two_tenants_is_two_streams(store: Store) {
        let (acme, globex) = two(&store).await;
        for (handle, count) in [(&acme, 2), (&globex, 3), (&store, 4)] {
            assert_eq!(handle.version(&stream("a")).await.unwrap(), Version(count));
            assert_eq!(read(handle, Query::stream(&stream("a"))).await.len() as u64, count);
            // Conditions are asked of the own stream.
            handle.append(&stream("a"), Expected::Version(Version(count)), events(1)).await.unwrap();
            handle.append(&stream("b"), Expected::NoStream, events(1)).await.unwrap();
        }
    }

    async fn a_handle_that_is_bound_to_no_tenant_sees_all(store: Store) {
        two(&store).await;
        let all = read(&store, Query::all()).await;
        let of = |tenant: Option<&str>| all.iter().filter(|event| event.stream.tenant().map(TenantId::as_str) == tenant).count();
        assert_eq!((of(Some("acme")), of(Some("globex")), of(None), all.len()), (2, 3, 4, 9));
        let stats = store.stats().await.unwrap();
        assert_eq!((stats.events, stats.streams, stats.events_by_name["Counted"]), (9, 3, 9));
        assert_eq!(store.head().await.unwrap(), all[8].position);
        let acme = all[0].stream.clone();
        assert_eq!(read(&store, Query::stream(&acme)).await.len(), 2);
    }

    async fn counts_and_heads_stay_within_the_tenant(store: Store) {
        let (acme, globex) = two(&store).await;
        for (handle, count) in [(&acme, 2), (&globex, 3)] {
            let stats = handle.stats().await.unwrap();
            assert_eq!((stats.events, stats.streams, stats.events_by_name["Counted"], stats.bytes), (count, 1, count, None));
            let last = read(handle, Query::all().backwards().limit(1)).await[0].position;
            assert_eq!(handle.head().await.unwrap(), last);
        }
        let nobody = store.for_tenant("nobody").unwrap();
        assert_eq!((nobody.stats().await.unwrap().events, nobody.head().await.unwrap()), (0, Position::START));
    }

    async fn every_kind_of_query_reads_the_tenants_own_only(store: Store) {
        let acme = store.for_tenant("acme").unwrap();
        // Between each two events of the tenant stand some of others.
        for number in 0..6 {
            for handle in [&store, &acme, &store.for_tenant("globex").unwrap()] {
                let name = if number % 2 == 0 { "Counted" } else { "Secret" };
                handle.append(&stream("a"), Expected::Any, [event(name)]).await.unwrap();
            }
        }
        let own = acme.tenant();
        for query in queries() {
            let wanted: Vec<_> = read(&store, Query { limit: None, stream: None, ..query.clone() }).await
                .into_iter()
                .filter(|event| event.stream.tenant() == own && query.stream.as_ref().is_none_or(|stream| stream.id() == event.stream.id()))
                .take(usize::try_from(query.limit.unwrap_or(u64::MAX)).unwrap())
                .collect();
            assert_eq!(read(&acme, query.clone()).await, wanted, "{query:?}");
        }
        assert_eq!(read(&acme, Query::all()).await.len(), 6);
    }

    async fn a_query_and_a_stream_cannot_name_another_tenant(store: Store) {
        let (acme, globex) = two(&store).await;
        let mut query = Query::all();
        query.tenant = globex.tenant().cloned();
        assert_eq!(read(&acme, query).await.len(), 2);
        // A stream's name that was read elsewhere still carries its tenant.
        let foreign = read(&globex, Query::all()).await[0].stream.clone();
        assert!(acme.read(Query::stream(&foreign)).collect().await.is_err());
        assert!(acme.version(&foreign).await.is_err());
        for batch in [
            Batch::new().append(foreign.clone(), Expected::Any, events(1)),
            Batch::new().append(stream("a"), Expected::Any, events(1)).check(foreign.clone(), Expected::Any),
            Batch::new().check(foreign, Expected::NoStream),
        ] {
            let refused = acme.append_batch(batch).await.unwrap_err();
            assert!(matches!(refused, AppendError::OutsideTenant { .. }), "{refused}");
        }
        assert_eq!(store.stats().await.unwrap().events, 9);
    }

    async fn the_ids_of_another_tenants_events_can_be_neither_guessed_nor_blocked(store: Store) {
        let known = [event("Secret"), event("Secret")];
        let mut changed = known.clone();
        changed[1].payload = b"{}".to_vec();
        let handles = [store.for_tenant("acme").unwrap(), store.for_tenant("globex").unwrap(), store];
        for handle in &handles {
            let appended = handle.append(&stream("a"), Expected::NoStream, known.clone()).await.unwrap();
            assert_eq!((appended.repeated, appended.version()), (false, Version(2)));
        }
        // Each still recognises its own, and names its own where they do not fit.
        for handle in &handles {
            let again = handle.append(&stream("a"), Expected::NoStream, known.clone()).await.unwrap();
            assert_eq!((again.repeated, again.version()), (true, Version(2)));
            let refused = handle.append(&stream("a"), Expected::Any, changed.clone()).await.unwrap_err();
            let AppendError::Duplicate { stream: holder, .. } = &refused else { panic!("{refused}") };
            assert_eq!(holder.tenant(), handle.tenant());
        }
    }

    async fn snapshots_of_tenants_stand_apart(store: Store) {
        let (acme, globex) = (store.for_tenant("acme").unwrap(), store.for_tenant("globex").unwrap());
        for (handle, version) in [(&acme, 9), (&globex, 5), (&store, 7)] {
            assert_eq!(found_snapshot(handle, "a").await, None);
            save_snapshot(handle, "a", snapshot(version, SHAPE)).await;
        }
        for (handle, version) in [(&acme, 9), (&globex, 5), (&store, 7)] {
            assert_eq!(found_snapshot(handle, "a").await, Some(snapshot(version, SHAPE)));
        }
        assert_eq!(acme.delete_snapshots(Some("account")).await.unwrap(), 1);
        assert_eq!(acme.delete_snapshots(None).await.unwrap(), 0);
        assert_eq!(found_snapshot(&globex, "a").await, Some(snapshot(5, SHAPE)));
        assert_eq!(store.for_tenant("nobody").unwrap().delete_snapshots(None).await.unwrap(), 0);
        // Bound to no tenant, a handle sees them all.
        assert_eq!(store.delete_snapshots(Some("account")).await.unwrap(), 2);
    }

    async fn checkpoints_of_tenants_stand_apart(store: Store) {
        let (acme, globex) = (store.for_tenant("acme").unwrap(), store.for_tenant("globex").unwrap());
        for (handle, position) in [(&acme, 9), (&globex, 5), (&store, 7)] {
            assert_eq!(checkpoints::found(handle, KEY).await, None);
            assert_eq!(checkpoints::save(handle, KEY, checkpoint(0, position)).await.unwrap(), 1);
        }
        checkpoints::save(&acme, KEY, checkpoint(1, 10)).await.unwrap();
        checkpoints::save(&globex, KEY, checkpoint(2, 6)).await.unwrap_err();
        for (handle, kept) in [(&acme, checkpoint(2, 10)), (&globex, checkpoint(1, 5)), (&store, checkpoint(1, 7))] {
            assert_eq!(checkpoints::found(handle, KEY).await, Some(kept));
        }
    }

    async fn an_append_without_events_returns_the_position_that_the_tenant_sees(store: Store) {
        let acme = store.for_tenant("acme").unwrap();
        let own = acme.append(&stream("a"), Expected::NoStream, events(2)).await.unwrap().position;
        let all = store.append(&stream("a"), Expected::NoStream, events(3)).await.unwrap().position;
        for (handle, expected) in [(&acme, own), (&store, all), (&store.for_tenant("nobody").unwrap(), Position::START)] {
            for batch in [
                Batch::new(),
                Batch::new().append(stream("a"), Expected::Any, []),
                Batch::new().check(stream("b"), Expected::NoStream).check(stream("a"), Expected::Any),
            ] {
                assert_eq!(handle.append_batch(batch).await.unwrap().position, expected);
            }
        }
    }

    async fn tenants_whose_names_look_alike_are_different(store: Store) {
        let names = ["acme", "ACME", "acme ", "acmé", "acme:account", "acme%", "0", "' OR 1=1 --", "🚴"];
        for (count, name) in (1..).zip(names) {
            store.for_tenant(name).unwrap().append(&stream("a"), Expected::NoStream, events(count)).await.unwrap();
        }
        for (count, name) in (1..).zip(names) {
            let tenant = store.for_tenant(name).unwrap();
            assert_eq!(tenant.version(&stream("a")).await.unwrap(), Version(count as u64), "{name}");
            assert_eq!(tenant.stats().await.unwrap().events, count as u64, "{name}");
            let read = read(&tenant, Query::all()).await;
            assert!(read.len() == count && read.iter().all(|event| event.stream.tenant() == tenant.tenant()), "{name}");
        }
    }

    async fn what_a_tenant_is_told_is_the_same_whether_others_have_data_or_not(store: Store) {
        let (acme, globex) = (store.for_tenant("acme").unwrap(), store.for_tenant("globex").unwrap());
        let known = events(2);
        acme.append(&stream("a"), Expected::NoStream, known.clone()).await.unwrap();
        checkpoints::save(&acme, KEY, checkpoint(0, 2)).await.unwrap();
        let foreign = globex.bind(&stream("a")).unwrap();
        let before = told(&acme, &known, &foreign).await;
        for other in [&globex, &store] {
            // What the tenant has, and what it asked for in vain.
            other.append(&stream("a"), Expected::NoStream, [known.clone(), events(7)].concat()).await.unwrap();
            other.append(&stream("b"), Expected::NoStream, [event("Secret")]).await.unwrap();
            other.append(&StreamId::new("order", "b").unwrap(), Expected::NoStream, [event("Secret")]).await.unwrap();
            for id in ["a", "b"] {
                save_snapshot(other, id, snapshot(7, SHAPE)).await;
            }
            checkpoints::save(other, KEY, checkpoint(0, 5)).await.unwrap();
            checkpoints::save(other, KEY, checkpoint(1, 6)).await.unwrap();
        }
        let after = told(&acme, &known, &foreign).await;
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(before, after);
        }
        assert_eq!(before.len(), after.len());
    }
}
