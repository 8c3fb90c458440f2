//! Listeners in the process are told what is appended, in order; one that is slow misses some, knows it, and delays nobody.

use std::sync::mpsc::channel;
use std::time::Duration;

use recount::bus::{Bus, BusError, Listener};
use recount::log::{Expected, NewEvent, Query, StreamId};
use recount::prelude::*;
use recount::testing::{Fault, Faults, Operation};

use crate::bank::{Account, AccountEvent, Deposited, Meter, id, meter};
use crate::stores::every_store;

async fn soon<T>(coming: impl Future<Output = T>) -> T {
    let coming = tokio::time::timeout(Duration::from_secs(20), coming);
    coming.await.expect("it comes soon")
}

async fn deposit(store: &Store, amounts: std::ops::Range<i64>) {
    let (accounts, id) = (Repository::<Account>::new(store), id("a"));
    for amount in amounts {
        let command = accounts.execute(&id, |account| Ok(account.deposit(amount)));
        command.await.unwrap();
    }
}

async fn open(store: &Store) {
    let accounts = Repository::<Account>::new(store);
    let opened = Account::open("John");
    accounts.create(&id("a"), opened).await.unwrap();
}

fn amount(event: &AccountEvent) -> i64 {
    match event {
        AccountEvent::Deposited(event) => event.amount,
        _ => 0,
    }
}

async fn heard(listener: &mut Listener<Account>, events: usize) -> Vec<i64> {
    let mut amounts = Vec::new();
    while amounts.len() < events {
        let past = soon(listener.next()).await.unwrap().unwrap();
        assert_eq!(past.at.position, listener.position());
        amounts.push(amount(&past.event));
    }
    amounts
}

every_store! {
    async fn listeners_hear_what_is_appended_since_the_bus_was_made(store: Store) {
        open(&store).await;
        deposit(&store, 1..3).await;
        let bus = Bus::new(&store).await.unwrap();
        deposit(&store, 3..6).await;
        let (mut one, mut other) = (bus.listen::<Account>(), bus.clone().listen::<Account>());
        let mut meters = bus.listen::<Meter>();
        Repository::<Meter>::new(&store).execute(&id("m"), |_| Ok(meter::Deposited { amount: 77 })).await.unwrap();
        deposit(&store, 6..9).await;
        // What was appended before they listened is heard as far as the bus had not told it.
        let rest = |all: Vec<i64>| all.into_iter().filter(|amount| *amount > 5).collect::<Vec<_>>();
        for listener in [&mut one, &mut other] {
            let mut amounts = vec![];
            while amounts.last() != Some(&8) {
                amounts.extend(heard(listener, 1).await);
            }
            assert!(amounts.is_sorted() && !amounts.contains(&2) && !amounts.contains(&77), "{amounts:?}");
            assert_eq!(rest(amounts), [6, 7, 8]);
        }
        let past = soon(meters.next()).await.unwrap().unwrap();
        assert_eq!((past.at.stream.category().as_str(), past.at.version), ("meter", Version(1)));
    }

    async fn one_that_is_too_slow_knows_what_it_missed_and_others_miss_nothing(store: Store) {
        open(&store).await;
        let bus = Bus::with_capacity(&store, 4).await.unwrap();
        let (mut slow, mut fast) = (bus.listen::<Account>(), bus.listen::<Account>());
        let began = slow.position();
        for amount in 0..50 {
            deposit(&store, amount..amount + 1).await;
            assert_eq!(heard(&mut fast, 1).await, [amount]);
        }
        let error = soon(slow.next()).await.unwrap_err();
        let BusError::Lagged { missed, after } = error else { panic!("{error}") };
        assert_eq!((missed, after), (46, began));
        let next = soon(slow.next()).await.unwrap().unwrap();
        assert_eq!(amount(&next.event), 46);
        // What it missed is in the log.
        let between = Query::all().category("account").after(after).up_to(Position(next.at.position.0 - 1));
        assert_eq!(store.read(between).collect().await.unwrap().len(), 46);
        assert_eq!(heard(&mut slow, 3).await, [47, 48, 49]);
    }

    async fn handlers_are_called_in_order_and_one_that_panics_goes_on(store: Store) {
        open(&store).await;
        let bus = Bus::new(&store).await.unwrap();
        let ((tell, told), (tell_more, more)) = (channel(), channel());
        let panics = bus.on::<Account>(move |event, _| {
            let amount = amount(&event);
            assert_ne!(amount, 2, "it panics on purpose");
            tell.send(amount).unwrap();
        });
        let steady = bus.on::<Account>(move |event, at| tell_more.send((amount(&event), at.version)).unwrap());
        let stopped = bus.on::<Account>(|_, _| panic!("it was stopped"));
        stopped.stop();
        soon(stopped.ended()).await;
        let mut last = bus.listen::<Account>();
        deposit(&store, 0..5).await;
        heard(&mut last, 5).await;
        drop(bus);
        soon(panics.ended()).await;
        soon(steady.ended()).await;
        assert_eq!(told.iter().collect::<Vec<_>>(), [0, 1, 3, 4]);
        assert_eq!(more.iter().collect::<Vec<_>>(), (0..5).zip((2..).map(Version)).collect::<Vec<_>>());
    }

    async fn an_event_that_cannot_be_read_is_told_and_the_next_follows(store: Store) {
        open(&store).await;
        let bus = Bus::new(&store).await.unwrap();
        let mut listener = bus.listen::<Account>();
        let stream = StreamId::new("account", "damaged").unwrap();
        let damaged = [NewEvent::json("Deposited", 1, &"no object").unwrap(), NewEvent::json("Unheard", 1, &1).unwrap(), NewEvent::of(&Deposited { amount: 3 }).unwrap()];
        store.append(&stream, Expected::Any, damaged).await.unwrap();
        for _ in 0..2 {
            let error = soon(listener.next()).await.unwrap_err();
            assert!(matches!(error, BusError::Decode(_)) && error.to_string().contains("account/damaged"), "{error}");
        }
        assert_eq!(heard(&mut listener, 1).await, [3]);
    }

    async fn a_store_that_fails_for_a_while_delays_it_and_nothing_is_missed(store: Store) {
        open(&store).await;
        let faults = Faults::new();
        let bus = Bus::new(&faults.around(&store)).await.unwrap();
        let mut listener = bus.listen::<Account>();
        for round in 0..5 {
            faults.script(Operation::Read, [Some(Fault::Fail); 2]).script(Operation::Head, [Some(Fault::Fail); 2]);
            deposit(&store, round * 10..round * 10 + 10).await;
            assert_eq!(heard(&mut listener, 10).await, (round * 10..round * 10 + 10).collect::<Vec<_>>());
        }
        assert!(faults.injected().len() >= 10, "{:?}", faults.injected());
    }

    async fn it_ends_with_the_store_and_with_the_last_bus(store: Store) {
        open(&store).await;
        let bus = Bus::new(&store).await.unwrap();
        let (clone, mut listener) = (bus.clone(), bus.listen::<Account>());
        drop(bus);
        deposit(&store, 1..2).await;
        assert_eq!(heard(&mut listener, 1).await, [1]);
        drop(clone);
        assert!(soon(listener.next()).await.unwrap().is_none());

        let bus = Bus::new(&store).await.unwrap();
        let (mut listener, handler) = (bus.listen::<Account>(), bus.on::<Account>(|_, _| ()));
        store.clone().close().await.unwrap();
        assert!(soon(listener.next()).await.unwrap().is_none());
        soon(handler.ended()).await;
        assert!(soon(bus.listen::<Account>().next()).await.unwrap().is_none());
        assert!(Bus::new(&store).await.is_err());
    }
}
