//! Commands: what is compared, and how a difference is shown.

use super::*;

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
