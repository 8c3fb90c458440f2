//! What the test does to a store: commands as plain data, and how they are made at random.
//!
//! A command says nothing that depends on what was done before but by number ("the third batch so far"), so that any
//! part of a script is a script too, which is what shrinking needs.

use std::fmt;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use recount::chrono::{DateTime, TimeDelta, Utc};
use recount::log::{Detail, Expected, Position, Query, Selector, Version};

/// The handle that a command goes through: a tenant's, or the one that is bound to none.
pub type Tenant = Option<&'static str>;

/// A stream. Its tenant is named only where one handle asks for what may be another's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    pub tenant: Tenant,
    pub category: &'static str,
    pub id: &'static str,
}

/// Commands in order. Shown one a line, as a failure prints them.
#[derive(Clone)]
pub struct Script(pub Vec<Step>);

#[derive(Debug, Clone)]
pub struct Step {
    pub command: Command,
    /// Which of the two handles on one file carries it out.
    pub second: bool,
    /// What the clock shows: it may go backwards.
    pub now: DateTime<Utc>,
}

#[derive(Debug, Clone)]
pub enum Command {
    Append(Tenant, Vec<Part>),
    /// The batch of this number, counted round, once more, with a change or without.
    Again(Tenant, usize, Change),
    Read(Tenant, Read),
    Version(Tenant, Name),
    Head(Tenant),
    Stats(Tenant),
    /// Snapshots and checkpoints as a backend keeps them, whatever they hold.
    SaveSnapshot(Name, u64, u64, &'static [u8]),
    Snapshot(Name, u64),
    DeleteSnapshots(Tenant, Option<&'static str>),
    SaveCheckpoint(Tenant, Projection, u64, u64, Option<&'static [u8]>),
    Checkpoint(Tenant, Projection),
    /// Aggregates.
    Create(Account, Vec<Happening>),
    Execute(Account, Decision),
    Load(Account),
    LoadAt(Account, u64),
    LoadAsOf(Account, DateTime<Utc>),
    History(Account),
    TakeSnapshot(Account),
    /// Roots that were loaded once, put on a shelf, and may be stale by now.
    Keep(Account, usize),
    Copy(usize, usize),
    Record(usize, Vec<Happening>),
    Save(Account, usize),
    UnitOfWork(Tenant, Vec<usize>, Option<Part>),
    /// What only a file can suffer.
    DamageSnapshots(Damage),
    Reopen(Closing),
}

/// An account, through whose handle, by whom, and what snapshots there are of it.
#[derive(Debug, Clone, Copy)]
pub struct Account {
    pub by: Tenant,
    pub id: &'static str,
    pub actor: Option<&'static str>,
    pub snapshots: Snapshots,
}

#[derive(Debug, Clone, Copy)]
pub enum Snapshots {
    Never,
    OnRequest,
    Every(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Projection {
    pub name: &'static str,
    pub fingerprint: u64,
}

#[derive(Debug, Clone)]
pub struct Part {
    pub stream: Name,
    pub expected: Expectation,
    pub events: Vec<Fresh>,
}

#[derive(Debug, Clone, Copy)]
pub enum Expectation {
    /// The version that is there.
    Right,
    Is(Expected),
}

#[derive(Debug, Clone)]
pub struct Fresh {
    pub id: Id,
    pub name: &'static str,
    pub schema_version: u32,
    pub payload: &'static str,
    pub actor: Option<&'static str>,
    pub recorded_at: DateTime<Utc>,
    pub fault: Option<Fault>,
}

#[derive(Debug, Clone, Copy)]
pub enum Id {
    /// A new one; the greater the number the later it sorts, whenever it is made.
    New(u8),
    /// The id of the stored event of this number, counted round.
    Of(usize),
    /// The id of the event before it in the batch.
    Twin,
}

/// Why no store takes an event.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    NoName,
    NulInName,
    LongName,
    VersionZero,
    NotJson,
    NotUtf8,
}

/// What is different when a batch is appended again.
#[derive(Debug, Clone, Copy)]
pub enum Change {
    Nothing,
    Expected(Expected),
    Payload,
    EventName,
    SchemaVersion,
    /// The time and the metadata, which are not what happened.
    Circumstances,
    Stream(Name),
    Shorter,
    Later,
    Longer,
    Reversed,
    Merged,
    Split,
    Checks(Name),
}

#[derive(Debug, Clone)]
pub struct Read {
    pub query: Query,
    pub stream: Option<Name>,
    /// Whether events are taken one by one rather than page by page.
    pub one_by_one: bool,
}

#[derive(Debug, Clone, Copy)]
pub enum Happening {
    Opened(&'static str),
    Deposited(i64),
    Withdrawn(i64),
    Measured(f64),
}

#[derive(Debug, Clone)]
pub enum Decision {
    /// These, whatever the state.
    Always(Vec<Happening>),
    /// Withdraws, if the balance allows it, and deposits it again.
    TakeAndGiveBack(i64),
}

#[derive(Debug, Clone, Copy)]
pub enum Damage {
    HalfIsLost,
    Text(&'static str),
    Bytes(&'static [u8]),
    Number,
    FieldTooMany,
    Version(i64),
    OtherShape,
    Gone,
}

#[derive(Debug, Clone, Copy)]
pub enum Closing {
    Closed,
    Dropped,
}

impl Name {
    /// The stream that is meant when this name is used through a handle; `Err` with the handle's tenant when it is
    /// another's.
    pub fn through(self, by: Tenant) -> Result<Self, &'static str> {
        match (by, self.tenant) {
            (Some(own), Some(other)) if own != other => Err(own),
            (Some(own), _) => Ok(Self {
                tenant: Some(own),
                ..self
            }),
            (None, _) => Ok(self),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(tenant) = self.tenant {
            write!(f, "{tenant}:")?;
        }
        write!(f, "{}/{}", self.category, self.id)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.0.iter().enumerate() {
            let handle = if step.second { "second" } else { "first" };
            write!(
                f,
                "\n{number:3}. {:?}, {handle} handle, {}",
                step.command, step.now
            )?;
        }
        Ok(())
    }
}

/// Scripts of up to this many commands: about one thing for the most part, so that it comes to the rare cases, or about all.
pub fn script(longest: usize) -> impl Strategy<Value = Script> {
    let of = move |log, accounts, kept| {
        let command = prop_oneof![
            log => on_the_log(),
            accounts => on_accounts(),
            kept => on_what_is_kept(),
            2 => on_the_file(),
        ];
        vec(step(command), 1..=longest)
    };
    // An account to begin with, since most commands need one.
    let accounts = (first_account(), of(2, 30, 2)).prop_map(|(first, mut rest)| {
        rest.insert(0, first);
        rest
    });
    prop_oneof![
        3 => of(30, 1, 1),
        3 => accounts,
        2 => of(1, 1, 30),
        2 => of(10, 10, 4),
    ]
    .prop_map(Script)
}

fn step(command: impl Strategy<Value = Command> + 'static) -> BoxedStrategy<Step> {
    (command, any::<bool>(), time())
        .prop_map(|(command, second, now)| Step {
            command,
            second,
            now,
        })
        .boxed()
}

fn first_account() -> impl Strategy<Value = Step> {
    step(
        (account(), vec(happening(), 0..3)).prop_map(|(account, rest)| {
            let opened = std::iter::once(Happening::Opened("John"));
            let account = Account {
                by: None,
                id: "a",
                ..account
            };
            Command::Create(account, opened.chain(rest).collect())
        }),
    )
}

fn on_the_log() -> BoxedStrategy<Command> {
    use Command as C;
    prop_oneof![
        24 => (tenant(), vec(part(), 0..4)).prop_map(|(by, parts)| C::Append(by, parts)),
        14 => (tenant(), 0..64_usize, change()).prop_map(|(by, number, change)| C::Again(by, number, change)),
        20 => (tenant(), read()).prop_map(|(by, read)| C::Read(by, read)),
        3 => (tenant(), name()).prop_map(|(by, name)| C::Version(by, name)),
        2 => tenant().prop_map(C::Head),
        3 => tenant().prop_map(C::Stats),
    ]
    .boxed()
}

fn on_what_is_kept() -> BoxedStrategy<Command> {
    use Command as C;
    let category = option::of(prop_oneof![Just("account"), Just("meter"), Just("order")]);
    let version = prop_oneof![3 => 0..4_u64, 1 => small()];
    let revision = prop_oneof![6 => 0..4_u64, 1 => Just(u64::MAX)];
    prop_oneof![
        3 => (snapshot_name(), version, 0..2_u64, bytes()).prop_map(|(name, version, shape, state)| C::SaveSnapshot(name, version, shape, state)),
        3 => (snapshot_name(), 0..2_u64).prop_map(|(name, shape)| C::Snapshot(name, shape)),
        1 => (tenant(), category).prop_map(|(by, category)| C::DeleteSnapshots(by, category)),
        3 => (tenant(), projection(), revision, small(), option::of(bytes()))
            .prop_map(|(by, projection, revision, position, state)| C::SaveCheckpoint(by, projection, revision, position, state)),
        2 => (tenant(), projection()).prop_map(|(by, projection)| C::Checkpoint(by, projection)),
    ]
    .boxed()
}

fn on_accounts() -> BoxedStrategy<Command> {
    use Command as C;
    let places = prop::sample::subsequence(vec![0_usize, 1, 2], 0..=3).prop_shuffle();
    prop_oneof![
        3 => (account(), vec(happening(), 0..4)).prop_map(|(account, events)| C::Create(account, events)),
        12 => (account(), decision()).prop_map(|(account, decision)| C::Execute(account, decision)),
        5 => account().prop_map(C::Load),
        3 => (account(), small()).prop_map(|(account, version)| C::LoadAt(account, version)),
        2 => (account(), time()).prop_map(|(account, time)| C::LoadAsOf(account, time)),
        2 => account().prop_map(C::History),
        3 => account().prop_map(C::TakeSnapshot),
        6 => (account(), place()).prop_map(|(account, place)| C::Keep(account, place)),
        2 => (place(), place()).prop_map(|(from, to)| C::Copy(from, to)),
        6 => (place(), vec(happening(), 1..3)).prop_map(|(place, events)| C::Record(place, events)),
        6 => (account(), place()).prop_map(|(account, place)| C::Save(account, place)),
        4 => (tenant(), places, option::of(part())).prop_map(|(by, places, part)| C::UnitOfWork(by, places, part)),
    ]
    .boxed()
}

fn on_the_file() -> BoxedStrategy<Command> {
    prop_oneof![
        damage().prop_map(Command::DamageSnapshots),
        prop_oneof![Just(Closing::Closed), Just(Closing::Dropped)].prop_map(Command::Reopen),
    ]
    .boxed()
}

fn tenant() -> impl Strategy<Value = Tenant> {
    prop_oneof![4 => Just(None), 3 => Just(Some("acme")), 1 => Just(Some("globex"))]
}

/// Raw events go to streams of no aggregate; only the name of a meter can carry a tenant, as its repository gives it.
fn name() -> impl Strategy<Value = Name> {
    let id = prop_oneof![4 => Just("a"), 2 => Just("b"), 1 => Just("s p\u{e4}ce/'😀")];
    prop_oneof![
        5 => id.clone().prop_map(|id| Name { tenant: None, category: "order", id }),
        3 => id.prop_map(|id| Name { tenant: None, category: "meter", id }),
        1 => snapshot_name(),
    ]
}

fn snapshot_name() -> impl Strategy<Value = Name> {
    (tenant(), prop_oneof![4 => Just("a"), 1 => Just("b")]).prop_map(|(tenant, id)| Name {
        tenant,
        category: "meter",
        id,
    })
}

fn readable_name() -> impl Strategy<Value = Name> {
    prop_oneof![
        4 => name(),
        1 => (tenant(), prop_oneof![Just("a"), Just("b"), Just("nobody")])
            .prop_map(|(tenant, id)| Name { tenant, category: "account", id }),
    ]
}

fn part() -> impl Strategy<Value = Part> {
    let expectation = prop_oneof![
        3 => Just(Expectation::Right),
        2 => expected().prop_map(Expectation::Is),
    ];
    let events = prop_oneof![1 => vec(fresh(), 0..1), 6 => vec(fresh(), 1..4)];
    (name(), expectation, events).prop_map(|(stream, expected, events)| Part {
        stream,
        expected,
        events,
    })
}

fn expected() -> impl Strategy<Value = Expected> {
    prop_oneof![
        4 => Just(Expected::Any),
        2 => Just(Expected::NoStream),
        2 => Just(Expected::StreamExists),
        3 => (0..5_u64).prop_map(|version| Expected::Version(Version(version))),
        1 => Just(Expected::Version(Version(u64::MAX))),
    ]
}

fn fresh() -> impl Strategy<Value = Fresh> {
    let id = prop_oneof![60 => any::<u8>().prop_map(Id::New), 3 => (0..64_usize).prop_map(Id::Of), 1 => Just(Id::Twin)];
    let payload = prop_oneof![
        Just("{}"),
        Just("null"),
        Just(" 1.50 "),
        Just("\"\u{e4}\\u0000\u{1f600}\""),
        Just("[1e400, -0.0, 18446744073709551616]"),
        Just("{\"a\":1,\"a\":2}"),
    ];
    let fault = prop_oneof![
        Just(Fault::NoName),
        Just(Fault::NulInName),
        Just(Fault::LongName),
        Just(Fault::VersionZero),
        Just(Fault::NotJson),
        Just(Fault::NotUtf8),
    ];
    let fault = prop_oneof![40 => Just(None), 1 => fault.prop_map(Some)];
    (id, event_name(), 1..4_u32, payload, actor(), time(), fault).prop_map(
        |(id, name, schema_version, payload, actor, recorded_at, fault)| Fresh {
            id,
            name,
            schema_version,
            payload,
            actor,
            recorded_at,
            fault,
        },
    )
}

fn event_name() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        4 => Just("Counted"),
        2 => Just("Opened"),
        1 => Just("counted"),
        1 => Just("\u{e9}t\u{e9} %_'"),
    ]
}

fn actor() -> impl Strategy<Value = Option<&'static str>> {
    option::of(prop_oneof![Just("alice"), Just("")])
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => Just(Change::Nothing),
        2 => expected().prop_map(Change::Expected),
        1 => Just(Change::Payload),
        1 => Just(Change::EventName),
        1 => Just(Change::SchemaVersion),
        1 => Just(Change::Circumstances),
        1 => name().prop_map(Change::Stream),
        1 => Just(Change::Shorter),
        1 => Just(Change::Later),
        1 => Just(Change::Longer),
        1 => Just(Change::Reversed),
        1 => Just(Change::Merged),
        1 => Just(Change::Split),
        1 => name().prop_map(Change::Checks),
    ]
}

/// Few, close together, of every precision, and some that no log was ever written at.
pub fn time() -> impl Strategy<Value = DateTime<Utc>> {
    let near = (
        0..8_i64,
        -1..2_i64,
        prop_oneof![3 => Just(0), 1 => 0..1000_i64],
    )
        .prop_map(|(seconds, micros, nanos)| {
            let base = DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap();
            base + TimeDelta::microseconds(micros) + TimeDelta::nanoseconds(nanos)
        });
    prop_oneof![
        20 => near,
        1 => Just(DateTime::from_timestamp_nanos(-1)),
        1 => Just(DateTime::<Utc>::UNIX_EPOCH),
        1 => Just(DateTime::<Utc>::MIN_UTC),
        1 => Just(DateTime::<Utc>::MAX_UTC),
        // A leap second: half a second after 23:59:60.
        1 => Just(DateTime::from_timestamp(1_483_228_799, 1_500_000_000).unwrap()),
        1 => Just(DateTime::from_timestamp(1_483_228_800, 250_000_000).unwrap()),
    ]
}

fn read() -> BoxedStrategy<Read> {
    let place = || prop_oneof![8 => 0..40_u64, 1 => Just(u64::MAX)];
    let version = || prop_oneof![8 => 0..8_u64, 1 => Just(u64::MAX)];
    let selector = (
        option::of(prop_oneof![
            Just("order"),
            Just("meter"),
            Just("account"),
            Just("ORDER")
        ]),
        vec(
            prop_oneof![4 => event_name(), 1 => Just("Deposited"), 1 => Just("Unheard")],
            0..3,
        ),
    )
        .prop_map(|(category, names)| Selector {
            category: category.map(Into::into),
            names: names.into_iter().map(Into::into).collect(),
        });
    let places = (
        option::weighted(0.3, place()),
        option::weighted(0.3, place()),
    );
    let versions = (
        option::weighted(0.2, version()),
        option::weighted(0.2, version()),
    );
    let times = (option::weighted(0.2, time()), option::weighted(0.2, time()));
    let order = (
        any::<bool>(),
        option::weighted(0.3, prop_oneof![8 => 0..12_u64, 1 => Just(u64::MAX)]),
        prop_oneof![1 => Just(0_usize), 3 => 1..4_usize, 3 => Just(1024), 1 => Just(usize::MAX)],
        prop_oneof![1 => Just(Detail::Payload), 1 => Just(Detail::Place), 6 => Just(Detail::Full)],
        any::<bool>(),
    );
    let selectors = prop_oneof![2 => vec(selector.clone(), 0..1), 3 => vec(selector, 1..3)];
    let stream = option::weighted(0.4, readable_name());
    (stream, selectors, places, versions, times, order)
        .prop_map(
            |(stream, selectors, (after, up_to), (from, to), (since, before), order)| {
                let (backwards, limit, page_size, detail, one_by_one) = order;
                let mut query = Query::all().any_of(selectors);
                query.after = Position(after.unwrap_or(0));
                query.up_to = up_to.map(Position);
                query.from_version = Version(from.unwrap_or(0));
                query.to_version = to.map(Version);
                query.since = since;
                query.before = before;
                query.limit = limit;
                query.page_size = page_size;
                query.detail = detail;
                Read {
                    query: if backwards { query.backwards() } else { query },
                    stream,
                    one_by_one,
                }
            },
        )
        .boxed()
}

/// Versions and positions that a domain can have.
fn small() -> impl Strategy<Value = u64> {
    prop_oneof![20 => 0..20_u64, 1 => Just(u64::MAX >> 1)]
}

fn bytes() -> impl Strategy<Value = &'static [u8]> {
    prop_oneof![
        Just(b"{}".as_slice()),
        Just(b"".as_slice()),
        Just(b"\xff\0".as_slice()),
        Just("\u{e4}\0b".as_bytes()),
        Just(b"12".as_slice()),
    ]
}

fn projection() -> impl Strategy<Value = Projection> {
    (
        prop_oneof![3 => Just("balances"), 1 => Just("")],
        prop_oneof![3 => Just(7_u64), 1 => Just(u64::MAX)],
    )
        .prop_map(|(name, fingerprint)| Projection { name, fingerprint })
}

fn account() -> impl Strategy<Value = Account> {
    // Mostly one and the same, so that its story is long.
    let by = prop_oneof![8 => Just(None), 3 => Just(Some("acme")), 1 => Just(Some("globex"))];
    let id = prop_oneof![9 => Just("a"), 1 => Just("b")];
    let snapshots = prop_oneof![
        1 => Just(Snapshots::Never),
        1 => Just(Snapshots::OnRequest),
        3 => (0..4_u64).prop_map(Snapshots::Every),
    ];
    (by, id, actor(), snapshots).prop_map(|(by, id, actor, snapshots)| Account {
        by,
        id,
        actor,
        snapshots,
    })
}

fn place() -> impl Strategy<Value = usize> {
    prop_oneof![4 => Just(0), 1 => 1..3_usize]
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        1 => Just(Happening::Opened("Jane")),
        20 => (1..100_i64).prop_map(Happening::Deposited),
        6 => (1..100_i64).prop_map(Happening::Withdrawn),
        3 => prop::num::f64::NORMAL.prop_map(Happening::Measured),
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(-0.0)].prop_map(Happening::Measured),
    ]
}

fn decision() -> impl Strategy<Value = Decision> {
    prop_oneof![
        3 => vec(happening(), 0..4).prop_map(Decision::Always),
        1 => (1..200_i64).prop_map(Decision::TakeAndGiveBack),
    ]
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        Just(Damage::HalfIsLost),
        prop_oneof![
            Just(""),
            Just("{}"),
            Just("null"),
            Just("{\"balance\":"),
            Just("[[[[")
        ]
        .prop_map(Damage::Text),
        Just(Damage::Bytes(b"{\"holder\":\"\xff\"}")),
        Just(Damage::Number),
        Just(Damage::FieldTooMany),
        prop_oneof![Just(0), Just(-1), Just(1_000_000), Just(i64::MAX)].prop_map(Damage::Version),
        Just(Damage::OtherShape),
        Just(Damage::Gone),
    ]
}
