//! Given these events, when a command is decided, then these events follow.
#![expect(
    clippy::return_self_not_must_use,
    reason = "a test ends with its last `then…`, whose value nobody needs"
)]

use std::convert::Infallible;
use std::fmt::Debug;

use chrono::{DateTime, Utc};

use super::difference::{Shown, difference, list, states};
use super::stored::{append_stored, record, replayed, short_name};
use super::{CountingIds, FixedClock, Refusal};
use crate::Clock as _;
use crate::aggregate::{Apply, Events, IntoEvents, Journal};
use crate::clock::{Ids, Sources};
use crate::event::Event;
use crate::log::{Metadata, NewEvent, StreamId, Version};

/// Begins a test of an aggregate: these events have happened. `given::<Account>(())` is one to which nothing has.
///
/// Each event is written to its stored form and folded, as a repository would do it, with a fixed clock and fixed ids.
///
/// ```
/// # use recount::prelude::*;
/// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct AccountId(String);
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Opened { pub holder: String }
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Deposited { pub cents: i64 }
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Withdrawn { pub cents: i64 }
/// # #[derive(Debug, Clone, PartialEq, thiserror::Error)] pub enum AccountError { #[error("not enough")] Insufficient }
/// # #[derive(Debug, Clone, PartialEq, Aggregate)] #[aggregate(stream = "account", id = AccountId, error = AccountError)]
/// # pub struct Account { holder: String, balance: i64 }
/// # #[apply] impl Account {
/// #     fn opened(event: Opened) -> Self { Self { holder: event.holder, balance: 0 } }
/// #     fn deposited(&mut self, event: Deposited) { self.balance += event.cents; }
/// #     fn withdrawn(&mut self, event: Withdrawn) { self.balance -= event.cents; }
/// # }
/// # impl Account {
/// #     fn open(holder: &str) -> Opened { Opened { holder: holder.into() } }
/// #     fn withdraw(&self, cents: i64) -> Result<Withdrawn, AccountError> {
/// #         if cents > self.balance { Err(AccountError::Insufficient) } else { Ok(Withdrawn { cents }) }
/// #     }
/// # }
/// use recount::testing::given;
///
/// let opened = Opened { holder: "John".into() };
///
/// given::<Account>((opened.clone(), Deposited { cents: 100 }))
///     .when(|account| account.withdraw(30))
///     .then(Withdrawn { cents: 30 })
///     .then_state(Account { holder: "John".into(), balance: 70 });
///
/// given::<Account>(opened.clone())
///     .when(|account| account.withdraw(30))
///     .then_err(AccountError::Insufficient);
///
/// given::<Account>(()).when_created(Account::open("John")).then(opened);
/// ```
///
/// An event in an old version is given by [`and_stored`](Given::and_stored).
///
/// # Panics
/// When the events cannot have happened: one cannot be stored, or stands before the event that creates the state.
#[must_use = "say what is asked: `.when(…)`, or what is expected: `.then_state(…)`"]
#[track_caller]
pub fn given<A: Apply>(events: impl IntoEvents<A>) -> Given<A> {
    let category = match StreamId::new(A::CATEGORY, "given") {
        Ok(stream) => stream,
        Err(error) => panic!("{error}"),
    };
    let clock = FixedClock::default();
    let now = clock.now();
    let sources = Sources {
        clock: std::sync::Arc::new(clock),
        ids: Ids::New(std::sync::Arc::new(CountingIds::default())),
    };
    let journal = Journal::new(category, Version::NONE, now, Metadata::default(), sources);
    let given = Given {
        journal,
        state: A::start(),
    };
    given.and(events)
}

/// What has happened, made by [`given`].
#[derive(Debug)]
pub struct Given<A: Apply> {
    journal: Journal,
    state: Option<A>,
}

impl<A: Apply> Given<A> {
    /// More events that have happened.
    ///
    /// # Panics
    /// As [`given`].
    #[must_use]
    #[track_caller]
    pub fn and(mut self, events: impl IntoEvents<A>) -> Self {
        record(&mut self.journal, &mut self.state, Events::of(events));
        self
    }

    /// An event that has happened as an earlier release stored it: in an old version, or under an old name.
    ///
    /// ```
    /// # use recount::prelude::*;
    /// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct AccountId(String);
    /// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Deposited { pub euros: i64 }
    /// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] #[event(upcast_from = Deposited)] pub struct DepositedV2 { pub cents: i64 }
    /// # impl From<Deposited> for DepositedV2 { fn from(old: Deposited) -> Self { Self { cents: old.euros * 100 } } }
    /// # #[derive(Debug, Clone, Default, PartialEq, Aggregate)] #[aggregate(stream = "account", id = AccountId)]
    /// # pub struct Account { balance: i64 }
    /// # #[apply] impl Account { fn deposited(&mut self, event: DepositedV2) { self.balance += event.cents; } }
    /// use recount::testing::given;
    ///
    /// given::<Account>(DepositedV2 { cents: 50 })
    ///     .and_stored(&Deposited { euros: 1 })
    ///     .then_state(Account { balance: 150 });
    /// ```
    ///
    /// # Panics
    /// When it cannot be stored, or read and folded after those before it.
    #[must_use]
    #[track_caller]
    pub fn and_stored(mut self, event: &impl Event) -> Self {
        append_stored(&mut self.journal, event);
        self.state = replayed(&self.journal.stream, &self.journal.pending);
        self
    }

    /// The events after this are recorded at this time, those that are decided included. The first are recorded at noon
    /// of the first day of 2026, UTC.
    ///
    /// # Panics
    /// When the last event was recorded later: times within a stream do not go backwards.
    #[must_use]
    #[track_caller]
    pub fn at(mut self, time: DateTime<Utc>) -> Self {
        assert!(
            self.journal.pending.is_empty() || time >= self.journal.recorded_at,
            "the event before {time} was recorded at {}: times within a stream do not go backwards",
            self.journal.recorded_at
        );
        self.journal.sources.clock = std::sync::Arc::new(FixedClock::new(time));
        self.journal.recorded_at = time;
        self
    }

    /// The events after this carry this metadata, those that are decided included.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.journal.metadata = metadata;
        self
    }

    /// Lets a command decide. What it returns may be events or a `Result` of such.
    ///
    /// # Panics
    /// When there is no state yet: the aggregate is created by an event, and none is given. Creations are tested with
    /// [`when_created`](Self::when_created).
    #[must_use = "say what is expected: `.then(…)`, `.then_nothing()` or `.then_err(…)`"]
    #[track_caller]
    pub fn when<D, Kind>(self, decide: impl FnOnce(&A) -> D) -> Decided<A, D::Error>
    where
        D: Decision<A, Kind>,
    {
        let Some(state) = &self.state else {
            panic!(
                "there is no `{0}` before an event creates it: give that event, or test the creation with `given::<{0}>(()).when_created(…)`",
                short_name::<A>()
            );
        };
        let decision = decide(state);
        self.decided(decision)
    }

    /// Takes what created the instance: the events of a constructor, or a `Result` of such.
    ///
    /// # Panics
    /// When events are given, for then it exists.
    #[must_use = "say what is expected: `.then(…)`, `.then_nothing()` or `.then_err(…)`"]
    #[track_caller]
    pub fn when_created<D, Kind>(self, decision: D) -> Decided<A, D::Error>
    where
        D: Decision<A, Kind>,
    {
        assert!(
            self.journal.pending.is_empty(),
            "the `{}` exists after the given events and cannot be created",
            short_name::<A>()
        );
        self.decided(decision)
    }

    /// Looks at the state that the events fold to with assertions of one's own.
    ///
    /// # Panics
    /// When they do, or when there is no state.
    #[track_caller]
    pub fn then_check(self, check: impl FnOnce(&A)) -> Self {
        check(existing(self.state.as_ref()));
        self
    }

    #[track_caller]
    fn decided<D, Kind>(mut self, decision: D) -> Decided<A, D::Error>
    where
        D: Decision<A, Kind>,
    {
        let given = self.journal.pending.len();
        let refused = match decision.decided() {
            Ok(events) => {
                record(&mut self.journal, &mut self.state, events);
                None
            }
            Err(error) => Some(error),
        };
        Decided {
            stream: self.journal.stream,
            events: self.journal.pending,
            given,
            state: self.state,
            refused,
        }
    }

    /// Compares the state that the events fold to, as [`Decided::then_state`] does.
    ///
    /// # Panics
    /// When the state is another.
    #[track_caller]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a test writes the state where it is expected"
    )]
    pub fn then_state(self, expected: A) -> Self
    where
        A: PartialEq + Debug,
    {
        compare_states(
            &self.journal.stream,
            &self.journal.pending,
            self.state.as_ref(),
            &expected,
        );
        self
    }
}

/// What a command may return in a test: events, or a `Result` of events. `Kind` only keeps the two apart for the compiler.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what a command of `{A}` may return",
    note = "it returns events that the aggregate applies, or a `Result` of such"
)]
pub trait Decision<A: Apply, Kind> {
    /// Why it was refused.
    type Error;

    /// The events, or why there are none.
    ///
    /// # Errors
    /// What the command returned.
    fn decided(self) -> Result<Events<A>, Self::Error>;
}

/// A command that cannot refuse.
#[derive(Debug)]
pub struct Plain;

impl<A: Apply, E: IntoEvents<A>> Decision<A, Plain> for E {
    type Error = Infallible;

    fn decided(self) -> Result<Events<A>, Infallible> {
        Ok(Events::of(self))
    }
}

/// A command that returns a `Result`.
#[derive(Debug)]
pub struct Fallible;

impl<A: Apply, T: IntoEvents<A>, E> Decision<A, Fallible> for Result<T, E> {
    type Error = E;

    fn decided(self) -> Result<Events<A>, E> {
        self.map(Events::of)
    }
}

/// What a command decided, made by [`Given::when`]. Each method checks one thing, panics with a readable difference when it
/// does not hold, and hands itself on.
#[derive(Debug)]
pub struct Decided<A: Apply, X> {
    stream: StreamId,
    /// Those given, then those decided.
    events: Vec<NewEvent>,
    given: usize,
    state: Option<A>,
    refused: Option<X>,
}

impl<A: Apply, X: Debug> Decided<A, X> {
    /// These events were decided, exactly and in this order. They are compared as they are stored.
    ///
    /// # Panics
    /// When the command was refused or other events were decided.
    #[track_caller]
    pub fn then(self, events: impl IntoEvents<A>) -> Self {
        let (given, decided) = self.split();
        let expected = Shown::expected(Events::<A>::of(events));
        if let Some(error) = &self.refused {
            panic!(
                "`{}` refused the command: {error:?}\n\n  given\n{}  expected\n{}",
                short_name::<A>(),
                list(&given),
                list(&expected)
            );
        }
        if let Some(lines) = difference(&expected, &decided) {
            panic!(
                "`{}` decided on other events than expected\n\n  given\n{}  then (- expected, + decided)\n{lines}",
                short_name::<A>(),
                list(&given)
            );
        }
        self
    }

    /// The command was accepted and no event was decided.
    ///
    /// # Panics
    /// When it was refused or events were decided.
    #[track_caller]
    pub fn then_nothing(self) -> Self {
        self.then(())
    }

    /// The command was refused with this error: a value that it equals, its text, or a
    /// [`pattern!`](crate::testing::pattern).
    ///
    /// # Panics
    /// When it was accepted, or refused with another error.
    #[track_caller]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a test writes the error where it is expected"
    )]
    pub fn then_err<Kind>(self, expected: impl Refusal<X, Kind>) -> Self {
        let error = self.refusal(&format!(" with {}", expected.describe()));
        assert!(
            expected.matches(error),
            "`{}` refused the command for another reason\n\n  given\n{}  then (- expected, + refused with)\n    - {}\n    + {}\n",
            short_name::<A>(),
            list(&self.split().0),
            expected.describe(),
            expected.describe_other(error)
        );
        self
    }

    /// The command was refused with an error of which this is true: for what cannot be written as a pattern.
    ///
    /// ```
    /// # use recount::prelude::*;
    /// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct DoorId(String);
    /// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Closed {}
    /// # #[derive(Debug, Clone, Default, PartialEq, Aggregate)] #[aggregate(stream = "door", id = DoorId)] pub struct Door {}
    /// # #[apply] impl Door { fn closed(&mut self, _: Closed) {} }
    /// # impl Door { fn close(&self) -> Result<Closed, Box<dyn std::error::Error + Send + Sync>> { Err(Box::new(std::io::Error::other("stuck"))) } }
    /// use recount::testing::given;
    ///
    /// given::<Door>(()).when(Door::close).then_err_that(|error| error.is::<std::io::Error>());
    /// ```
    ///
    /// # Panics
    /// When it was accepted, or refused with an error of which it is not.
    #[track_caller]
    pub fn then_err_that(self, is_expected: impl FnOnce(&X) -> bool) -> Self {
        let error = self.refusal("");
        assert!(
            is_expected(error),
            "`{}` refused the command for another reason: {error:?}\n\n  given\n{}",
            short_name::<A>(),
            list(&self.split().0)
        );
        self
    }

    /// The state after what was decided; the one before, when the command was refused. It is compared twice: as it was
    /// folded when the events were recorded, and as it is when the stored events are loaded again.
    ///
    /// # Panics
    /// When either is another.
    #[track_caller]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a test writes the state where it is expected"
    )]
    pub fn then_state(self, expected: A) -> Self
    where
        A: PartialEq + Debug,
    {
        compare_states(&self.stream, &self.events, self.state.as_ref(), &expected);
        self
    }

    /// Looks at the state with assertions of one's own.
    ///
    /// # Panics
    /// When they do, or when there is no state.
    #[track_caller]
    pub fn then_check(self, check: impl FnOnce(&A)) -> Self {
        check(existing(self.state.as_ref()));
        self
    }

    /// Why the command was refused, which it should have been.
    #[track_caller]
    fn refusal(&self, expected: &str) -> &X {
        let Some(error) = &self.refused else {
            let (given, decided) = self.split();
            panic!(
                "`{}` should have refused the command{expected}\n\n  given\n{}  decided\n{}",
                short_name::<A>(),
                list(&given),
                list(&decided)
            );
        };
        error
    }

    fn split(&self) -> (Vec<Shown>, Vec<Shown>) {
        let mut given = Shown::all(&self.events);
        let decided = given.split_off(self.given);
        (given, decided)
    }
}

#[track_caller]
fn compare_states<A: Apply + PartialEq + Debug>(
    stream: &StreamId,
    events: &[NewEvent],
    recorded: Option<&A>,
    expected: &A,
) {
    let events_text = || list(&Shown::all(events));
    let name = short_name::<A>();
    let recorded = existing(recorded);
    assert!(
        recorded == expected,
        "`{name}` is in another state than expected\n\n  after\n{}  then (- expected, + folded)\n{}",
        events_text(),
        states(expected, recorded)
    );
    let loaded = replayed(stream, events);
    let loaded = existing(loaded.as_ref());
    assert!(
        loaded == expected,
        "`{name}` is in another state once its events were stored and loaded: an event or its fold does not survive it\n\n  after\n{}  then (- recorded, + loaded)\n{}",
        events_text(),
        states(recorded, loaded)
    );
}

#[track_caller]
fn existing<A>(state: Option<&A>) -> &A {
    match state {
        Some(state) => state,
        None => panic!("there is no `{}`: nothing created it", short_name::<A>()),
    }
}
