//! A tenant's handle reaches, counts and is told of nothing but its own.

use super::checkpoints::{self, KEY, checkpoint};
use super::snapshots::{self, SHAPE, found as found_snapshot, save as save_snapshot, snapshot};
use super::verdict::{Answer, duplicate, otherwise, same, same_events};
use super::{event, events, stream};
use crate::Store;
use crate::log::{
    AppendError, Batch, Detail, Expected, NewEvent, Position, Query, RecordedEvent, Selector,
    StreamId, TenantId, Version,
};

/// Two tenants of a store, with events under the same ids, as it has itself.
async fn two(store: &Store) -> (Store, Store) {
    let (acme, globex) = (
        store.for_tenant("acme").unwrap(),
        store.for_tenant("globex").unwrap(),
    );
    for (handle, count) in [(&acme, 2), (&globex, 3), (store, 4)] {
        let (a, events) = (stream("a"), events(count));
        let appended = handle.append(&a, Expected::NoStream, events).await;
        appended.succeeds();
    }
    (acme, globex)
}

async fn read(store: &Store, query: Query) -> Vec<RecordedEvent> {
    store.read(query).collect().await.succeeds()
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
    save_snapshot(handle, &a, snapshot(2, SHAPE)).await;
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
            .detail(Detail::Payload)
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
            let whose = handle.tenant();
            same(format!("{whose:?} has its own version of a stream"), handle.version(&stream("a")).await.succeeds(), Version(count));
            same(format!("{whose:?} has its own events of a stream"), read(handle, Query::stream(&stream("a"))).await.len() as u64, count);
            // Conditions are asked of the own stream.
            handle.append(&stream("a"), Expected::Version(Version(count)), events(1)).await.succeeds();
            handle.append(&stream("b"), Expected::NoStream, events(1)).await.succeeds();
        }
    }

    async fn a_handle_that_is_bound_to_no_tenant_sees_all(store: Store) {
        two(&store).await;
        let all = read(&store, Query::all()).await;
        let of = |tenant: Option<&str>| all.iter().filter(|event| event.stream.tenant().map(TenantId::as_str) == tenant).count();
        same(
            "a handle bound to no tenant reads the events of each, under its name",
            (of(Some("acme")), of(Some("globex")), of(None), all.len()),
            (2, 3, 4, 9),
        );
        let stats = store.stats().await.succeeds();
        same(
            "a handle bound to no tenant counts the events and streams of all",
            (stats.events, stats.streams, stats.events_by_name.get("Counted").copied()),
            (9, 3, Some(9)),
        );
        same("its head is that of the whole log", store.head().await.succeeds(), all[8].position);
        let acme = all[0].stream.clone();
        same("it reads a tenant's stream that is named in full", read(&store, Query::stream(&acme)).await.len(), 2);
    }

    async fn an_event_is_known_in_its_streams_tenant_through_whichever_handle_it_comes(store: Store) {
        let (acme, globex) = (store.for_tenant("acme").unwrap(), store.for_tenant("globex").unwrap());
        let batch = events(2);
        let of_acme = acme.bind(&stream("a")).unwrap();
        let first = store.append(&of_acme, Expected::NoStream, batch.clone()).await.succeeds();
        for handle in [&store, &acme] {
            let again = handle.append(&of_acme, Expected::NoStream, batch.clone()).await.succeeds();
            same(
                format!("a batch of tenant acme is recognised through a handle bound to {:?}", handle.tenant()),
                (again.repeated, again.version(), again.position),
                (true, Version(2), first.position),
            );
            duplicate(handle.append(&of_acme, Expected::Any, batch[1..].to_vec()).await, "the event is known, in another batch of the same tenant");
        }
        let both = Batch::new()
            .append(acme.bind(&stream("b")).unwrap(), Expected::NoStream, events(1))
            .append(globex.bind(&stream("b")).unwrap(), Expected::NoStream, batch)
            .append(stream("b"), Expected::NoStream, events(1));
        for repeated in [false, true] {
            let appended = store.append_batch(both.clone()).await.succeeds();
            same("one batch may write to several tenants, and is recognised", appended.repeated, repeated);
        }
        for (handle, count) in [(&acme, 3), (&globex, 2), (&store, 6)] {
            let promise = format!("each event is written once, seen through a handle bound to {:?}", handle.tenant());
            same(promise, handle.stats().await.succeeds().events, count);
        }
    }

    async fn counts_and_heads_stay_within_the_tenant(store: Store) {
        let (acme, globex) = two(&store).await;
        for (handle, count) in [(&acme, 2), (&globex, 3)] {
            let stats = handle.stats().await.succeeds();
            same(
                "a tenant counts its own events, streams and names, and is not told how large the store is",
                (stats.events, stats.streams, stats.events_by_name.get("Counted").copied(), stats.bytes),
                (count, 1, Some(count), None),
            );
            let last = read(handle, Query::all().backwards().limit(1)).await[0].position;
            same("a tenant's head is the position of its own last event", handle.head().await.succeeds(), last);
        }
        let nobody = store.for_tenant("nobody").unwrap();
        same(
            "a tenant without events counts none and has its head at the start",
            (nobody.stats().await.succeeds().events, nobody.head().await.succeeds()),
            (0, Position::START),
        );
    }

    async fn every_kind_of_query_reads_the_tenants_own_only(store: Store) {
        let acme = store.for_tenant("acme").unwrap();
        // Between each two events of the tenant stand some of others.
        for number in 0..6 {
            for handle in [&store, &acme, &store.for_tenant("globex").unwrap()] {
                let name = if number % 2 == 0 { "Counted" } else { "Secret" };
                handle.append(&stream("a"), Expected::Any, [event(name)]).await.succeeds();
            }
        }
        let own = acme.tenant();
        for query in queries() {
            let wanted: Vec<_> = read(&store, Query { limit: None, stream: None, ..query.clone() }).await
                .into_iter()
                .filter(|event| event.stream.tenant() == own && query.stream.as_ref().is_none_or(|stream| stream.id() == event.stream.id()))
                .take(usize::try_from(query.limit.unwrap_or(u64::MAX)).unwrap())
                .collect();
            same_events(format!("a tenant reads its own events only: {query:?}"), &read(&acme, query.clone()).await, &wanted);
        }
        same("a tenant reads all of its events", read(&acme, Query::all()).await.len(), 6);
    }

    async fn a_query_and_a_stream_cannot_name_another_tenant(store: Store) {
        const FOREIGN: &str = "the stream is another tenant's";
        let (acme, globex) = two(&store).await;
        let mut query = Query::all();
        query.tenant = globex.tenant().cloned();
        same("the handle's tenant and never the query's is read", read(&acme, query).await.len(), 2);
        // A stream's name that was read elsewhere still carries its tenant.
        let foreign = read(&globex, Query::all()).await[0].stream.clone();
        acme.read(Query::stream(&foreign)).collect().await.fails(FOREIGN);
        acme.version(&foreign).await.fails(FOREIGN);
        for batch in [
            Batch::new().append(foreign.clone(), Expected::Any, events(1)),
            Batch::new().append(stream("a"), Expected::Any, events(1)).check(foreign.clone(), Expected::Any),
            Batch::new().check(foreign, Expected::NoStream),
        ] {
            match acme.append_batch(batch).await.fails(FOREIGN) {
                AppendError::OutsideTenant { .. } => {}
                error => otherwise("`OutsideTenant`", FOREIGN, &error),
            }
        }
        same("what is refused is not written", store.stats().await.succeeds().events, 9);
    }

    async fn the_ids_of_another_tenants_events_can_be_neither_guessed_nor_blocked(store: Store) {
        let known = [event("Secret"), event("Secret")];
        let mut changed = known.clone();
        changed[1].payload = b"{}".to_vec();
        let handles = [store.for_tenant("acme").unwrap(), store.for_tenant("globex").unwrap(), store];
        for handle in &handles {
            let appended = handle.append(&stream("a"), Expected::NoStream, known.clone()).await.succeeds();
            same("ids that another tenant uses are new ones", (appended.repeated, appended.version()), (false, Version(2)));
        }
        for handle in &handles {
            let again = handle.append(&stream("a"), Expected::NoStream, known.clone()).await.succeeds();
            same("each tenant recognises its own batch", (again.repeated, again.version()), (true, Version(2)));
            let (_, holder, _) = duplicate(handle.append(&stream("a"), Expected::Any, changed.clone()).await, "the content differs");
            same("a duplicate names the tenant's own stream", holder.tenant(), handle.tenant());
        }
    }

    async fn snapshots_of_tenants_stand_apart(store: Store) {
        let a = stream("a");
        let (acme, globex) = (store.for_tenant("acme").unwrap(), store.for_tenant("globex").unwrap());
        for (handle, version) in [(&acme, 9), (&globex, 5), (&store, 7)] {
            snapshots::is_kept("this tenant saved none", found_snapshot(handle, &a, SHAPE).await, None);
            save_snapshot(handle, &a, snapshot(version, SHAPE)).await;
        }
        for (handle, version) in [(&acme, 9), (&globex, 5), (&store, 7)] {
            snapshots::is_kept("each tenant has its own", found_snapshot(handle, &a, SHAPE).await, Some(snapshot(version, SHAPE)));
        }
        same("a tenant deletes its own", acme.delete_snapshots(Some("account")).await.succeeds(), 1);
        same("a tenant that has none deletes none", acme.delete_snapshots(None).await.succeeds(), 0);
        snapshots::is_kept("another tenant deleted its own", found_snapshot(&globex, &a, SHAPE).await, Some(snapshot(5, SHAPE)));
        let nobody = store.for_tenant("nobody").unwrap();
        same("a tenant that has none deletes none", nobody.delete_snapshots(None).await.succeeds(), 0);
        same("a handle bound to no tenant deletes those of all", store.delete_snapshots(Some("account")).await.succeeds(), 2);
    }

    async fn checkpoints_of_tenants_stand_apart(store: Store) {
        let (acme, globex) = (store.for_tenant("acme").unwrap(), store.for_tenant("globex").unwrap());
        for (handle, position) in [(&acme, 9), (&globex, 5), (&store, 7)] {
            checkpoints::is_kept("this tenant saved none", checkpoints::found(handle, KEY).await, None);
            same("each tenant begins at revision 1", checkpoints::save(handle, KEY, checkpoint(0, position)).await.succeeds(), 1);
        }
        checkpoints::save(&acme, KEY, checkpoint(1, 10)).await.succeeds();
        checkpoints::save(&globex, KEY, checkpoint(2, 6)).await.fails("the tenant's own revision is 1, not 2");
        for (handle, kept) in [(&acme, checkpoint(2, 10)), (&globex, checkpoint(1, 5)), (&store, checkpoint(1, 7))] {
            checkpoints::is_kept("each tenant has its own, and no tenant another", checkpoints::found(handle, KEY).await, Some(kept));
        }
    }

    async fn an_append_without_events_returns_the_position_that_the_tenant_sees(store: Store) {
        let acme = store.for_tenant("acme").unwrap();
        let own = acme.append(&stream("a"), Expected::NoStream, events(2)).await.succeeds().position;
        let all = store.append(&stream("a"), Expected::NoStream, events(3)).await.succeeds().position;
        for (handle, expected) in [(&acme, own), (&store, all), (&store.for_tenant("nobody").unwrap(), Position::START)] {
            for batch in [
                Batch::new(),
                Batch::new().append(stream("a"), Expected::Any, []),
                Batch::new().check(stream("b"), Expected::NoStream).check(stream("a"), Expected::Any),
            ] {
                let promise = format!("an append without events returns the head that a handle bound to {:?} sees", handle.tenant());
                same(promise, handle.append_batch(batch).await.succeeds().position, expected);
            }
        }
    }

    async fn tenants_whose_names_look_alike_are_different(store: Store) {
        let names = ["acme", "ACME", "acme ", "acmé", "acme:account", "acme%", "0", "' OR 1=1 --", "🚴"];
        for (count, name) in (1..).zip(names) {
            store.for_tenant(name).unwrap().append(&stream("a"), Expected::NoStream, events(count)).await.succeeds();
        }
        for (count, name) in (1..).zip(names) {
            let tenant = store.for_tenant(name).unwrap();
            let read = read(&tenant, Query::all()).await;
            let own = read.iter().filter(|event| event.stream.tenant() == tenant.tenant()).count();
            same(
                format!("tenant {name:?} has its own version and count, and reads its own events only"),
                (tenant.version(&stream("a")).await.succeeds().0, tenant.stats().await.succeeds().events, read.len(), own),
                (count as u64, count as u64, count, count),
            );
        }
    }

    async fn what_a_tenant_is_told_is_the_same_whether_others_have_data_or_not(store: Store) {
        let (acme, globex) = (store.for_tenant("acme").unwrap(), store.for_tenant("globex").unwrap());
        let known = events(2);
        acme.append(&stream("a"), Expected::NoStream, known.clone()).await.succeeds();
        checkpoints::save(&acme, KEY, checkpoint(0, 2)).await.succeeds();
        let foreign = globex.bind(&stream("a")).unwrap();
        let before = told(&acme, &known, &foreign).await;
        for other in [&globex, &store] {
            // What the tenant has, and what it asked for in vain.
            other.append(&stream("a"), Expected::NoStream, [known.clone(), events(7)].concat()).await.succeeds();
            other.append(&stream("b"), Expected::NoStream, [event("Secret")]).await.succeeds();
            other.append(&StreamId::new("order", "b").unwrap(), Expected::NoStream, [event("Secret")]).await.succeeds();
            for id in ["a", "b"] {
                save_snapshot(other, &stream(id), snapshot(7, SHAPE)).await;
            }
            checkpoints::save(other, KEY, checkpoint(0, 5)).await.succeeds();
            checkpoints::save(other, KEY, checkpoint(1, 6)).await.succeeds();
        }
        let after = told(&acme, &known, &foreign).await;
        same("a tenant is answered as often whether others have data or not", after.len(), before.len());
        for (after, before) in after.iter().zip(&before) {
            same("a tenant is told the same whether others have data (found) or not (wanted)", after, before);
        }
    }
}
