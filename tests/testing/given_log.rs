//! Projections, and code that reacts.

use futures_util::FutureExt as _;
use recount::reaction::Act;

use super::*;

#[derive(Debug, Default, PartialEq)]
struct Balances {
    sum: i64,
    last: Option<(String, u64, DateTime<Utc>)>,
}

#[projection(name = "balances", of(Account))]
impl Balances {
    fn deposited(&mut self, event: DepositedV2, at: &Envelope) {
        self.sum += event.cents;
        self.last = Some((
            at.stream.id().to_owned(),
            at.position.0 * 100 + at.version.0,
            at.recorded_at,
        ));
    }
}

#[test]
fn a_projection_sees_what_it_handles_and_nothing_else() {
    let (a, b) = (AccountId::new("a").unwrap(), AccountId::new("b").unwrap());
    let later: DateTime<Utc> = "2026-03-01T12:00:00Z".parse().unwrap();
    let log = given_log()
        .stream::<Account>(&a, opened())
        // The same event of another aggregate.
        .stream::<Tally>(&a, deposited(7))
        .stream::<Account>(&b, (opened(), deposited(1)))
        .at(later)
        .stream::<Account>(&a, deposited(20));
    log.project::<Balances>().then_state(Balances {
        sum: 21,
        last: Some(("a".into(), 502, later)),
    });
    let text = failure(|| {
        log.project::<Balances>().then_state(Balances::default());
    });
    assert!(
        text.contains("5 account/a Deposited v2 {\"cents\":20")
            && text.contains("-     sum: 0,\n    -     last: None,\n    +     sum: 21,"),
        "{text}"
    );
    assert!(
        failure(|| drop(given_log().stream::<Account>(&a, deposited(1))))
            .contains("stream account")
    );
}

#[tokio::test]
async fn what_code_appends_is_compared_stream_by_stream() {
    let (a, b) = (AccountId::new("a").unwrap(), AccountId::new("b").unwrap());
    let log = given_log().stream::<Account>(&a, (opened(), deposited(5)));
    let react = async |store: &Store| {
        let appended = Repository::<Account>::new(store)
            .execute(&a, |account| account.deposit(account.balance * 2))
            .await?;
        assert_eq!(appended.version(), Version(3));
        Repository::<Tally>::new(store)
            .create(&b, deposited(1))
            .await?;
        Ok::<_, Box<dyn std::error::Error>>(())
    };
    log.when(react)
        .await
        .then::<Account>(&a, deposited(10))
        .then::<Tally>(&b, deposited(1))
        .then_nothing_else();
    let reacted = log.when(react).await.then::<Account>(&a, deposited(10));
    let text = failure(|| reacted.then_nothing_else());
    assert!(text.contains("1 tally/b Deposited v2"), "{text}");
    log.when(react)
        .await
        .then::<Account>(&a, deposited(10))
        .then_anything_else();
    let reacted = log.when(react).await;
    let text = failure(|| reacted.then::<Account>(&a, ()).then_anything_else());
    assert!(
        text.contains("were appended to account/a")
            && text.contains("+ Deposited v2 {\"cents\":10")
            && text.contains("appended to other streams\n    1 tally/b Deposited v2"),
        "{text}"
    );
}

#[tokio::test]
async fn code_that_fails_is_told_or_expected() {
    let fails = async |_: &Store| Err::<(), _>(AccountError::Closed);
    let reacted = given_log().when(fails).await;
    assert!(failure(|| reacted.then_nothing_else()).contains("the code returned an error: Closed"));
    given_log()
        .when(fails)
        .await
        .then_failed("Closed")
        .then_nothing_else();
    let reacted = given_log().when(async |_: &Store| ()).await;
    assert!(
        failure(|| reacted.then_failed("Closed").then_nothing_else())
            .contains("should have returned an error")
    );
}

#[tokio::test]
async fn the_same_id_in_two_tenants_is_two_streams_in_a_given_log() {
    let id = AccountId::new("a").unwrap();
    given_log()
        .stream::<Tally>(&id, deposited(1))
        .in_tenant("acme")
        .stream::<Tally>(&id, deposited(20))
        .when(async |store: &Store| {
            let acme = store.for_tenant("acme").unwrap();
            let tallies = Repository::<Tally>::new(&acme);
            let double = |tally: &Tally| Ok(deposited(tally.sum));
            tallies.execute(&id, double).await.map(|_| ())
        })
        .await
        .then::<Tally>(&id, ())
        .in_tenant("acme")
        .then::<Tally>(&id, deposited(20))
        .then_nothing_else();
}

#[tokio::test]
async fn code_that_acts_is_run_twice_and_may_append_once() {
    let (a, b) = (AccountId::new("a").unwrap(), AccountId::new("b").unwrap());
    let log = given_log().stream::<Account>(&a, (opened(), deposited(5)));
    log.when_acting("double", async |act: &Act| {
        let double = |account: &Account| account.deposit(account.balance);
        act.execute(&a, double).await
    })
    .await
    .then::<Account>(&a, deposited(5))
    .then_nothing_else();

    // What is appended by other means is appended again.
    let careless = log.when_acting("double", async |act: &Act| {
        let tallies = Repository::<Tally>::new(act.store());
        tallies.execute(&b, |_| Ok(deposited(1))).await
    });
    let text = failure(|| drop(careless.now_or_never()));
    assert!(
        text.contains("appended once more") && text.contains("tally/b Deposited v2"),
        "{text}"
    );

    let fails_later = log.when_acting("double", async |act: &Act| {
        let tallies = Repository::<Tally>::new(act.store());
        tallies.create(&b, deposited(1)).await
    });
    let text = failure(|| drop(fails_later.now_or_never()));
    assert!(text.contains("handled again, and that failed"), "{text}");

    log.when_acting("double", async |_: &Act| Err::<(), _>(AccountError::Closed))
        .await
        .then_failed("Closed")
        .then_nothing_else();
}
