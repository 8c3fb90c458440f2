//! The kit for tests: what it accepts, what it refuses, and what a failure prints.

use std::panic::{AssertUnwindSafe, catch_unwind};

use recount::event::PayloadError;
use recount::log::{Expected, NewEvent, Query, StreamId};
use recount::prelude::*;
use recount::testing::{
    Fault, Faults, Operation, given, given_log, golden, pattern, sample, stored, upcast,
};
use serde_json::json;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
struct AccountId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Opened {
    holder: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Deposited {
    amount: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(upcast_from = Deposited)]
struct DepositedV2 {
    cents: i64,
    tags: Vec<String>,
}

/// Of a negative amount nobody knows what it meant.
#[derive(Debug, thiserror::Error)]
#[error("{0} is negative")]
struct Negative(i64);

impl TryFrom<Deposited> for DepositedV2 {
    type Error = Negative;

    fn try_from(old: Deposited) -> Result<Self, Negative> {
        if old.amount < 0 {
            return Err(Negative(old.amount));
        }
        Ok(Self {
            cents: old.amount * 100,
            tags: Vec::new(),
        })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Closed {}

/// Half of it is not stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Noted {
    text: String,
    #[serde(skip)]
    lost: String,
}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
enum AccountError {
    #[error("the account is closed")]
    Closed,
    #[error("{cents} cents are too many")]
    TooMany { cents: i64 },
}

#[derive(Debug, Clone, PartialEq, Aggregate)]
#[aggregate(stream = "account", id = AccountId, error = AccountError, retired("Frozen"))]
struct Account {
    holder: String,
    balance: i64,
    closed_at: Option<DateTime<Utc>>,
    by: Option<String>,
    note: String,
}

#[apply]
impl Account {
    fn opened(event: Opened) -> Self {
        Self {
            holder: event.holder,
            balance: 0,
            closed_at: None,
            by: None,
            note: String::new(),
        }
    }

    fn deposited(&mut self, event: DepositedV2) {
        self.balance += event.cents;
    }

    fn closed(&mut self, _: Closed, at: &EventContext) {
        self.closed_at = Some(at.recorded_at);
        self.by.clone_from(&at.metadata.actor);
    }

    fn noted(&mut self, event: Noted) {
        self.note = event.lost;
    }
}

impl Account {
    fn deposit(&self, cents: i64) -> Result<(DepositedV2, Option<Closed>), AccountError> {
        if self.closed_at.is_some() {
            return Err(AccountError::Closed);
        }
        if cents > 1000 {
            return Err(AccountError::TooMany { cents });
        }
        Ok((deposited(cents), (cents == 1000).then_some(Closed {})))
    }
}

fn opened() -> Opened {
    Opened {
        holder: "John".into(),
    }
}

fn deposited(cents: i64) -> DepositedV2 {
    DepositedV2 {
        cents,
        tags: vec!["cash".into()],
    }
}

fn account(balance: i64) -> Account {
    Account {
        holder: "John".into(),
        balance,
        closed_at: None,
        by: None,
        note: String::new(),
    }
}

/// An aggregate whose commands refuse with any error, and which starts from `Default`.
#[derive(Debug, Clone, Default, PartialEq, Aggregate)]
#[aggregate(stream = "tally", id = AccountId)]
struct Tally {
    sum: i64,
}

#[apply]
impl Tally {
    fn deposited(&mut self, event: DepositedV2) {
        self.sum += event.cents;
    }
}

/// What a failing check printed.
fn failure(check: impl FnOnce()) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(check)) else {
        panic!("nothing failed");
    };
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => (*panic.downcast_ref::<&str>().unwrap()).to_owned(),
    }
}

#[test]
fn a_command_is_compared_by_its_events_its_error_and_the_state_after() {
    given::<Account>((opened(), deposited(100)))
        .when(|account| account.deposit(50))
        .then(deposited(50))
        .then_state(account(150))
        .then_check(|account| assert_eq!(account.balance, 150));
    given::<Account>(opened())
        .and(deposited(100))
        .then_state(account(100))
        .when(|account| account.deposit(1000))
        .then((deposited(1000), Closed {}));
    given::<Account>((opened(), Closed {}))
        .when(|account| account.deposit(1))
        .then_err(AccountError::Closed)
        .then_err("the account is closed")
        .then_err(pattern!(AccountError::Closed));
    given::<Account>(opened())
        .when(|account| account.deposit(5000))
        .then_err(pattern!(AccountError::TooMany { cents } if *cents > 4000))
        .then_state(account(0));
    given::<Account>(opened()).when(|_| ()).then_nothing();
    given::<Account>(())
        .when_created(opened())
        .then(opened())
        .then_state(account(0));
    given::<Tally>(())
        .when(|tally| deposited(tally.sum + 1))
        .then(deposited(1))
        .then_state(Tally { sum: 1 });
    given::<Tally>(())
        .when(|_| Err::<(), Box<dyn std::error::Error>>("no".into()))
        .then_err("no");
}

#[test]
fn time_and_metadata_are_what_the_test_says() {
    let noon: DateTime<Utc> = "2026-01-01T12:00:00Z".parse().unwrap();
    let later: DateTime<Utc> = "2026-03-01T12:00:00Z".parse().unwrap();
    given::<Account>((opened(), Closed {}))
        .then_state(Account {
            closed_at: Some(noon),
            ..account(0)
        })
        .when(|_| ())
        .then_nothing();
    given::<Account>(opened())
        .at(later)
        .with_metadata(Metadata::new().actor("clerk"))
        .when(|_| Closed {})
        .then(Closed {})
        .then_state(Account {
            closed_at: Some(later),
            by: Some("clerk".into()),
            ..account(0)
        });
    assert!(
        failure(|| _ = given::<Account>(opened()).at(DateTime::UNIX_EPOCH))
            .contains("times within a stream do not go backwards")
    );
}

#[test]
fn other_events_are_shown_with_the_fields_that_differ() {
    let text = failure(|| {
        given::<Account>((opened(), deposited(1)))
            .when(|account| account.deposit(1000))
            .then((opened(), deposited(999), Closed {}));
    });
    assert_eq!(
        text,
        r#"`Account` decided on other events than expected

  given
    1 Opened {"holder":"John"}
    2 Deposited v2 {"cents":1,"tags":["cash"]}
  then (- expected, + decided)
    - Opened {"holder":"John"}
    - Deposited v2 {"cents":999,"tags":["cash"]}
    + Deposited v2 {"cents":1000,"tags":["cash"]}
        cents: expected 999, got 1000
      Closed {}
"#
    );
    let text = failure(|| {
        given::<Account>(opened())
            .when(|account| account.deposit(1000))
            .then(DepositedV2 {
                cents: 1000,
                tags: vec!["wire".into()],
            });
    });
    assert!(
        text.ends_with(
            r#"  then (- expected, + decided)
    - Deposited v2 {"cents":1000,"tags":["wire"]}
    + Deposited v2 {"cents":1000,"tags":["cash"]}
        tags[0]: expected "wire", got "cash"
    + Closed {}
"#
        ),
        "{text}"
    );
}

#[test]
fn other_outcomes_are_told() {
    for (part, check) in [
        (
            "`Account` refused the command: Closed",
            Box::new(|| {
                given::<Account>((opened(), Closed {}))
                    .when(|account| account.deposit(1))
                    .then(deposited(1));
            }) as Box<dyn FnOnce()>,
        ),
        (
            "`Account` should have refused the command with AccountError::TooMany { .. }",
            Box::new(|| {
                given::<Account>(opened())
                    .when(|account| account.deposit(1))
                    .then_err(pattern!(AccountError::TooMany { .. }));
            }),
        ),
        (
            "- TooMany { cents: 3 }\n    + TooMany { cents: 2000 }",
            Box::new(|| {
                given::<Account>(opened())
                    .when(|account| account.deposit(2000))
                    .then_err(AccountError::TooMany { cents: 3 });
            }),
        ),
        (
            "- the text \"full\"\n    + the text \"2000 cents are too many\"",
            Box::new(|| {
                given::<Account>(opened())
                    .when(|account| account.deposit(2000))
                    .then_err("full");
            }),
        ),
        (
            "-     balance: 7,\n    +     balance: 0,",
            Box::new(|| {
                given::<Account>(opened()).then_state(account(7));
            }),
        ),
        (
            "there is no `Account` before an event creates it",
            Box::new(|| {
                given::<Account>(())
                    .when(|account| account.deposit(1))
                    .then_nothing();
            }),
        ),
        (
            "exists after the given events and cannot be created",
            Box::new(|| {
                given::<Account>(opened())
                    .when_created(opened())
                    .then_nothing();
            }),
        ),
    ] {
        let text = failure(check);
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn events_that_cannot_have_happened_are_refused() {
    let before = failure(|| drop(given::<Account>(deposited(1))));
    assert!(
        before.contains("it stands before any event that creates the state"),
        "{before}"
    );
    let twice = failure(|| drop(given::<Account>((opened(), deposited(1), opened()))));
    assert!(
        twice.contains("version 3")
            && twice.contains("2 Deposited v2 {\"cents\":1,\"tags\":[\"cash\"]}"),
        "{twice}"
    );
}

#[test]
fn a_state_that_does_not_survive_storing_is_found() {
    let note = Noted {
        text: "kept".into(),
        lost: "not stored".into(),
    };
    let text = failure(|| {
        given::<Account>((opened(), note)).then_state(Account {
            note: "not stored".into(),
            ..account(0)
        });
    });
    assert!(
        text.contains("an event or its fold does not survive it"),
        "{text}"
    );
}

#[test]
fn an_upcast_is_compared_as_it_is_read() {
    let read = DepositedV2 {
        cents: 500,
        tags: vec![],
    };
    upcast(&Deposited { amount: 5 })
        .then(read.clone())
        .then([read.clone()])
        .then(vec![read]);
    stored("Deposited", 1, json!({ "amount": -1 }))
        .then_err::<DepositedV2>(pattern!(PayloadError::Upcast { from: 1, .. }));
    stored("Deposited", 9, json!({})).then_err::<DepositedV2>(pattern!(PayloadError::Newer {
        stored: 9,
        known: 2
    }));
    stored("Elsewhere", 1, json!({})).then_err::<AccountEvent>(pattern!(PayloadError::Unknown));
    let text = failure(|| {
        upcast(&Deposited { amount: 5 }).then([deposited(500)]);
    });
    assert!(text.contains("tags: expected [\"cash\"], got []"), "{text}");
    let text = failure(|| {
        stored("Deposited", 2, json!({ "cents": 1 })).then([deposited(1)]);
    });
    assert!(
        text.contains("cannot be read: the payload does not fit: missing field `tags`"),
        "{text}"
    );
}

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

#[test]
fn a_boxed_error_is_compared_with_what_it_holds() {
    let refuse = |_: &Tally| {
        Err::<(), Box<dyn std::error::Error + Send + Sync>>(Box::new(AccountError::Closed))
    };
    given::<Tally>(())
        .when(refuse)
        .then_err(AccountError::Closed)
        .then_err_that(|error| error.is::<AccountError>());
    let text = failure(|| {
        given::<Tally>(())
            .when(refuse)
            .then_err(AccountError::TooMany { cents: 1 });
    });
    assert!(
        text.contains("- TooMany { cents: 1 }\n    + Closed"),
        "{text}"
    );
}

#[test]
fn of_a_large_state_only_what_differs_is_shown() {
    let state = |changed: i64| {
        let many = (0..200)
            .map(|number| format!("line {number}"))
            .collect::<Vec<_>>();
        Account {
            holder: many.join(","),
            ..account(changed)
        }
    };
    let text = failure(|| {
        given::<Account>(Opened {
            holder: state(0).holder,
        })
        .then_state(state(1));
    });
    let difference = text.split("then (- expected, + folded)\n").nth(1).unwrap();
    assert_eq!(
        difference
            .lines()
            .map(|line| line.chars().take(24).collect::<String>())
            .collect::<Vec<_>>(),
        [
            "      Account {",
            "          holder: \"line ",
            "    -     balance: 1,",
            "    +     balance: 0,",
            "          closed_at: Non",
            "          by: None,",
            "      …",
        ]
    );
}

/// A golden file with this content, in a folder that is gone afterwards.
fn golden_file(lines: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("account.jsonl");
    std::fs::write(&path, lines).unwrap();
    (folder, path)
}

#[test]
fn golden_events_are_read_as_they_were() {
    golden::<Account>("tests/golden/account.jsonl");
}

#[test]
fn golden_tells_what_is_read_as_something_else_and_what_is_missing() {
    let (_folder, path) = golden_file(
        r#"{"name":"Opened","version":1,"payload":{"holder":"John"},"read_as":[{"name":"Opened","version":1,"payload":{"holder":"Jane"}}]}
{"name":"Deposited","version":1,"payload":{"amount":-1},"read_as":[]}
{"name":"Noted","version":1,"payload":{"text":"x"}}
{"name":"Deposited","version":2,"colour":"red"}
"#,
    );
    let before = std::fs::read_to_string(&path).unwrap();
    let text = failure(|| golden::<Account>(&path));
    for part in [
        "line 1 (Opened in version 1) is read as something else",
        "holder: expected \"Jane\", got \"John\"",
        "line 2 (Deposited in version 1) cannot be read: upcast from version 1 failed: -1 is negative",
        "line 3 does not say what it is read as: run this test once with RECOUNT_BLESS=1",
        "line 4 is not such a line: unknown field `colour`",
        "Closed in version 1 can be read, but no line shows one",
        "Deposited in version 2 can be read, but no line shows one",
    ] {
        assert!(text.contains(part), "{part}\n\n{text}");
    }
    assert!(!text.contains("Deposited in version 1 can be read"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
}

#[test]
fn golden_says_how_to_begin_and_where_a_retired_event_stands() {
    let text = failure(|| golden::<Account>("tests/golden/nowhere.jsonl"));
    assert!(
        text.contains("tests/golden/nowhere.jsonl") && text.contains("recount::testing::sample"),
        "{text}"
    );
    let lines = std::fs::read_to_string("tests/golden/account.jsonl").unwrap();
    let retired = r#"{"name":"Frozen","version":1,"payload":{"by":"court"},"read_as":[]}"#;
    let (_folder, path) = golden_file(&format!("{lines}{retired}\n"));
    golden::<Account>(&path);
    stored("Frozen", 1, json!({ "by": "court" })).then_retired::<Account>();
    assert!(
        failure(|| {
            stored("Closed", 1, json!({})).then_retired::<Account>();
        })
        .contains("does not say `retired(\"Closed\")`")
    );
}

#[tokio::test]
async fn a_fault_that_nothing_met_is_told() {
    let faults = Faults::new();
    let store = faults.around(&Store::connect("memory:").await.unwrap());
    faults
        .next(Operation::Append, Fault::Fail)
        .next(Operation::Head, Fault::Fail);
    assert!(store.head().await.is_err());
    let text = failure(|| faults.assert_all_met());
    assert!(text.contains("[Fail] at Append never happened"), "{text}");
    faults.stop();
    faults.assert_all_met();
    for refused in [
        Box::new(|| _ = Faults::seeded(1, 2.0)) as Box<dyn FnOnce()>,
        Box::new(|| _ = Faults::seeded(1, f64::NAN)),
        Box::new(|| _ = Faults::seeded_with(1, 0.5, [])),
    ] {
        failure(refused);
    }
    let only_heads = Faults::seeded_with(1, 1.0, [Fault::Fail]).at([Operation::Head]);
    let store = only_heads.around(&store);
    assert!(store.stats().await.is_ok() && store.head().await.is_err());
}

#[tokio::test]
async fn a_sample_has_the_first_event_of_each_version() {
    let store = Store::connect("memory:").await.unwrap();
    let stream = StreamId::new("account", "a").unwrap();
    let events = [
        NewEvent::of(&opened()).unwrap(),
        NewEvent::of(&Deposited { amount: 1 }).unwrap(),
        NewEvent::of(&deposited(2)).unwrap(),
        NewEvent::of(&deposited(3)).unwrap(),
    ];
    store
        .append(&stream, Expected::NoStream, events)
        .await
        .unwrap();
    let lines = sample(&store, Query::all()).await.unwrap();
    assert_eq!(
        lines,
        r#"{"name":"Opened","version":1,"payload":{"holder":"John"}}
{"name":"Deposited","version":1,"payload":{"amount":1}}
{"name":"Deposited","version":2,"payload":{"cents":2,"tags":["cash"]}}
"#
    );
}
