//! The stores under test: one in memory, one in a file and one on a server that two handles share. Each carries out the commands.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use recount::chrono::{DateTime, Utc};
use recount::event::Event as _;
use recount::log::{Batch, EventId, RecordedEvent, StreamId, TenantId, Version};
use recount::prelude::*;
use recount::snapshot::SnapshotPolicy;
use recount::store::sqlite::{SqliteOptions, Synchronous};
use recount::store::{Checkpoint, Effects, MemoryBackend, ProjectionKey, StoredSnapshot};
use recount::{Clock, IdSource};
use rusqlite::Connection;

use crate::answer::{Answer, Row, answer};
use crate::bank::{self, AccountEvent, AccountId, Meter, id};
use crate::batches::{Append, recorded_id};
use crate::commands::{
    Account, Closing, Command, Damage, Decision, Happening, Name, Projection, Read, Snapshots,
    Step, Tenant,
};
use crate::server::Schema;
use crate::shared::Shared;

pub struct Subject {
    handles: [Handle; 2],
    place: Place,
    sources: Sources,
    shelf: [Option<Root<bank::Account>>; 3],
}

enum Place {
    Memory,
    File { folder: tempfile::TempDir },
    Server(Schema, Box<tokio_postgres::Client>),
}

/// A store, and the backend behind it.
#[derive(Clone)]
struct Handle {
    store: Store,
    backend: Shared,
    kept: Option<Kept>,
}

/// The repositories of a handle that keeps roots in memory, one for each tenant.
type Kept = Arc<Mutex<HashMap<Tenant, Repository<bank::Account>>>>;

/// Time and ids as the script says, the same for every store and for the model.
#[derive(Debug, Clone, Default)]
struct Sources {
    now: Arc<Mutex<DateTime<Utc>>>,
    step: Arc<AtomicUsize>,
    ids: Arc<AtomicUsize>,
}

impl Clock for Sources {
    fn now(&self) -> DateTime<Utc> {
        *self.now.lock().unwrap()
    }
}

impl IdSource for Sources {
    fn next(&self) -> EventId {
        let number = self.ids.fetch_add(1, Ordering::Relaxed);
        recorded_id(self.step.load(Ordering::Relaxed), number)
    }
}

impl Handle {
    fn on(backend: Shared, sources: &Sources) -> Self {
        let store = Store::new(backend.clone())
            .with_clock(sources.clone())
            .with_ids(sources.clone());
        Self {
            store,
            backend,
            kept: None,
        }
    }

    /// The accounts of a tenant. Few are kept, so that some go.
    fn accounts(&self, by: Tenant) -> Repository<bank::Account> {
        let accounts = || accounts(&self.of(by));
        match &self.kept {
            None => accounts(),
            Some(kept) => {
                let mut kept = kept.lock().unwrap();
                let kept = kept.entry(by).or_insert_with(|| accounts().with_cache(2));
                kept.clone()
            }
        }
    }

    async fn open(path: PathBuf, sources: &Sources) -> Self {
        let options = SqliteOptions::new(path).synchronous(Synchronous::Normal);
        let backend = options.open().await.unwrap();
        Self::on(Shared(Arc::new(backend)), sources)
    }

    async fn connect(schema: &Schema, sources: &Sources) -> Self {
        let backend = schema.options().connections(2).open().await.unwrap();
        Self::on(Shared(Arc::new(backend)), sources)
    }

    /// The handle of a tenant, or the one that is bound to none.
    fn of(&self, by: Tenant) -> Store {
        match by {
            Some(tenant) => self.store.for_tenant(tenant).unwrap(),
            None => self.store.clone(),
        }
    }

    /// A name in full. Only repositories make one with a tenant in it.
    fn stream(&self, name: Name) -> StreamId {
        match name {
            Name {
                tenant: None,
                category,
                id,
            } => StreamId::new(category, id),
            Name {
                tenant,
                category: "account",
                id,
            } => accounts(&self.of(tenant)).stream(&bank::id(id)),
            Name { tenant, id, .. } => {
                Repository::<Meter>::new(&self.of(tenant)).stream(&bank::id(id))
            }
        }
        .unwrap()
    }
}

fn accounts(store: &Store) -> Repository<bank::Account> {
    Repository::new(store)
}

fn tenant_id(by: Tenant) -> Option<TenantId> {
    by.map(|tenant| TenantId::new(tenant).unwrap())
}

impl Subject {
    pub fn memory() -> Self {
        let sources = Sources::default();
        let handle = Handle::on(Shared(Arc::new(MemoryBackend::new())), &sources);
        Self::new(Place::Memory, [handle.clone(), handle], sources)
    }

    pub async fn file() -> Self {
        let sources = Sources::default();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.db");
        let handles = [
            Handle::open(path.clone(), &sources).await,
            Handle::open(path, &sources).await,
        ];
        Self::new(Place::File { folder }, handles, sources)
    }

    /// `None` where there is no server.
    pub async fn server() -> Option<Self> {
        let sources = Sources::default();
        let schema = Schema::new().await?;
        let handles = [
            Handle::connect(&schema, &sources).await,
            Handle::connect(&schema, &sources).await,
        ];
        let client = Box::new(schema.client().await);
        Some(Self::new(Place::Server(schema, client), handles, sources))
    }

    fn new(place: Place, handles: [Handle; 2], sources: Sources) -> Self {
        Self {
            place,
            handles,
            sources,
            shelf: [None, None, None],
        }
    }

    /// The same store, whose repositories keep roots in memory; each handle has its own and does not see the other's.
    pub fn keeping(mut self) -> Self {
        for handle in &mut self.handles {
            handle.kept = Some(Kept::default());
        }
        self
    }

    pub fn name(&self) -> &'static str {
        match (&self.place, &self.handles[0].kept) {
            (Place::Memory, None) => "memory",
            (Place::Memory, Some(_)) => "memory, with a cache",
            (Place::File { .. }, None) => "SQLite",
            (Place::File { .. }, Some(_)) => "SQLite, with a cache",
            (Place::Server(..), _) => "PostgreSQL",
        }
    }

    fn path(&self) -> Option<PathBuf> {
        match &self.place {
            Place::Memory | Place::Server(..) => None,
            Place::File { folder } => Some(folder.path().join("log.db")),
        }
    }

    pub async fn answer(&mut self, number: usize, step: &Step, batch: Option<&[Append]>) -> Answer {
        *self.sources.now.lock().unwrap() = step.now;
        self.sources.step.store(number, Ordering::Relaxed);
        self.sources.ids.store(0, Ordering::Relaxed);
        let handle = self.handles[usize::from(step.second)].clone();
        let answer = self.carry_out(&handle, step, batch).await;
        // Snapshots are taken behind the command's back.
        handle.store.settle().await;
        // A refused append may have drawn positions, which are left out from then on; the model leaves none out. Nobody appends now.
        if let Place::Server(_, client) = &self.place {
            let undraw = "SELECT setval('positions', greatest(max(position), 1), max(position) IS NOT NULL) FROM events";
            client.batch_execute(undraw).await.unwrap();
        }
        answer
    }

    async fn carry_out(
        &mut self,
        handle: &Handle,
        step: &Step,
        batch: Option<&[Append]>,
    ) -> Answer {
        match &step.command {
            Command::Append(by, _) | Command::Again(by, ..) => match batch {
                Some(batch) => answer(handle.of(*by).append_batch(to_batch(handle, batch)).await),
                None => Answer::Done,
            },
            Command::Read(by, read) => read_all(handle, *by, read).await,
            Command::Version(by, name) => answer(
                handle
                    .of(*by)
                    .version(&handle.stream(*name))
                    .await
                    .map(|version| version.0),
            ),
            Command::Head(by) => answer(handle.of(*by).head().await.map(|position| position.0)),
            Command::Stats(by) => {
                let stats = handle.of(*by).stats().await.unwrap();
                Answer::Stats {
                    events: stats.events,
                    streams: stats.streams,
                    by_name: stats.events_by_name.into_iter().collect(),
                }
            }
            Command::SaveSnapshot(name, version, shape, state) => {
                let snapshot = StoredSnapshot {
                    version: Version(*version),
                    fingerprint: *shape,
                    state: state.to_vec(),
                };
                answer(
                    handle
                        .backend
                        .0
                        .save_snapshot(&handle.stream(*name), snapshot)
                        .await,
                )
            }
            Command::Snapshot(name, shape) => {
                let found = handle
                    .backend
                    .0
                    .snapshot(&handle.stream(*name), *shape)
                    .await;
                answer(found.map(Answer::Snapshot))
            }
            Command::DeleteSnapshots(by, category) => {
                answer(handle.of(*by).delete_snapshots(*category).await)
            }
            Command::SaveCheckpoint(by, projection, revision, position, state) => {
                let checkpoint = Checkpoint {
                    revision: *revision,
                    position: Position(*position),
                    state: state.map(<[u8]>::to_vec),
                };
                let tenant = tenant_id(*by);
                let saved = handle.backend.0.save_checkpoint(
                    tenant.as_ref(),
                    projection.key(),
                    checkpoint,
                    Effects::default(),
                );
                answer(saved.await)
            }
            Command::Checkpoint(by, projection) => {
                let tenant = tenant_id(*by);
                let found = handle
                    .backend
                    .0
                    .checkpoint(tenant.as_ref(), projection.key());
                answer(found.await.map(Answer::Checkpoint))
            }
            Command::Reopen(closing) => {
                self.reopen(usize::from(step.second), *closing).await;
                Answer::Done
            }
            Command::DamageSnapshots(damage) => {
                if let Some(path) = self.path() {
                    damage.inflict(&Connection::open(path).unwrap());
                }
                Answer::Done
            }
            _ => {
                self.carry_out_on_accounts(handle, &step.command, batch)
                    .await
            }
        }
    }

    async fn carry_out_on_accounts(
        &mut self,
        handle: &Handle,
        command: &Command,
        batch: Option<&[Append]>,
    ) -> Answer {
        match command {
            Command::Create(account, events) => {
                let events = happened(events);
                answer(
                    account
                        .repository(handle)
                        .create(&id(account.id), events)
                        .await,
                )
            }
            Command::Execute(account, decision) => {
                let ids = Arc::clone(&self.sources.ids);
                let decide = move |state: &bank::Account| {
                    // However often it decides.
                    ids.store(0, Ordering::Relaxed);
                    match decision {
                        Decision::Always(events) => Ok(happened(events)),
                        Decision::TakeAndGiveBack(amount) => Ok(vec![
                            state.withdraw(*amount)?.into(),
                            state.deposit(*amount).into(),
                        ]),
                    }
                };
                answer(
                    account
                        .repository(handle)
                        .execute(&id(account.id), decide)
                        .await,
                )
            }
            Command::Load(account) => answer(
                account
                    .repository(handle)
                    .load(&id(account.id))
                    .await
                    .map(|root| loaded(&root)),
            ),
            Command::LoadAt(account, version) => {
                let found = account
                    .repository(handle)
                    .load_at(&id(account.id), Version(*version))
                    .await;
                answer(found.map(|root| loaded(&root)))
            }
            Command::LoadAsOf(account, time) => {
                let found = account
                    .repository(handle)
                    .load_as_of(&id(account.id), *time)
                    .await;
                answer(found.map(|root| loaded(&root)))
            }
            Command::History(account) => {
                history(&account.repository(handle), &id(account.id)).await
            }
            Command::TakeSnapshot(account) => {
                let taken = account
                    .repository(handle)
                    .take_snapshot(&id(account.id))
                    .await;
                answer(taken.map(|version| version.0))
            }
            Command::Keep(account, place) => {
                let found = account.repository(handle).load(&id(account.id)).await;
                self.shelf[*place] = found.as_ref().ok().cloned();
                answer(found.map(|root| loaded(&root)))
            }
            Command::Copy(from, to) => {
                let copy = self.shelf[*from].clone();
                self.shelf[*to] = copy;
                Answer::Done
            }
            Command::Record(place, events) => match &mut self.shelf[*place] {
                Some(root) => loaded(root.record(happened(events))),
                None => Answer::Done,
            },
            Command::Save(account, place) => match &mut self.shelf[*place] {
                Some(root) => answer(account.repository(handle).save(root).await),
                None => Answer::Done,
            },
            Command::UnitOfWork(by, places, _) => {
                let mut roots: Vec<_> = self.shelf.iter_mut().map(Option::as_mut).collect();
                let mut work = handle.of(*by).unit_of_work();
                for place in places {
                    if let Some(root) = roots[*place].take() {
                        work = work.save(root);
                    }
                }
                for part in batch.unwrap_or_default() {
                    let events = part.events.iter().cloned();
                    work = work.append(&handle.stream(part.stream), part.expected, events);
                }
                answer(work.commit().await)
            }
            other => panic!("{other:?} is not about accounts"),
        }
    }

    async fn reopen(&mut self, which: usize, closing: Closing) {
        if let Place::Memory = self.place {
            return;
        }
        if let Closing::Closed = closing {
            self.handles[which].store.clone().close().await.unwrap();
        }
        let kept = self.handles[which].kept.as_ref().map(|_| Kept::default());
        self.handles[which] = match &self.place {
            Place::Memory => return,
            Place::File { folder } => {
                Handle::open(folder.path().join("log.db"), &self.sources).await
            }
            Place::Server(schema, _) => Handle::connect(schema, &self.sources).await,
        };
        self.handles[which].kept = kept;
    }
}

impl Account {
    fn repository(&self, handle: &Handle) -> Repository<bank::Account> {
        let policy = match self.snapshots {
            Snapshots::Never => SnapshotPolicy::never(),
            Snapshots::OnRequest => SnapshotPolicy::on_request(),
            Snapshots::Every(versions) => SnapshotPolicy::every(versions),
        };
        let metadata = match self.actor {
            Some(actor) => Metadata::new().actor(actor),
            None => Metadata::new(),
        };
        handle
            .accounts(self.by)
            .with_metadata(metadata)
            .with_snapshots(policy)
    }
}

impl Projection {
    fn key(&self) -> ProjectionKey<'static> {
        ProjectionKey {
            name: self.name,
            fingerprint: self.fingerprint,
        }
    }
}

impl Damage {
    /// Changes what a domain cannot: the rows of the accounts' snapshots.
    fn inflict(self, connection: &Connection) {
        let sql = match self {
            Self::HalfIsLost => {
                "UPDATE snapshots SET state = coalesce(substr(state, 1, length(state) / 2), '')"
                    .to_owned()
            }
            Self::Text(text) => format!("UPDATE snapshots SET state = '{text}'"),
            Self::Bytes(bytes) => {
                use std::fmt::Write as _;
                let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
                    write!(hex, "{byte:02x}").unwrap();
                    hex
                });
                format!("UPDATE snapshots SET state = x'{hex}'")
            }
            Self::Number => "UPDATE snapshots SET state = 7".to_owned(),
            Self::FieldTooMany => {
                "UPDATE snapshots SET state = json_set(state, '$.more', 1)".to_owned()
                    + " WHERE typeof(state) = 'text' AND json_valid(state)"
            }
            Self::Version(version) => format!("UPDATE snapshots SET version = {version}"),
            Self::OtherShape => "UPDATE snapshots SET fingerprint = ~fingerprint".to_owned(),
            Self::Gone => "UPDATE snapshots SET state = x''".to_owned(),
        };
        let and = if sql.contains("WHERE") {
            "AND"
        } else {
            "WHERE"
        };
        connection
            .busy_timeout(std::time::Duration::from_secs(10))
            .unwrap();
        connection
            .execute(&format!("{sql} {and} category = 'account'"), [])
            .unwrap();
    }
}

fn to_batch(handle: &Handle, parts: &[Append]) -> Batch {
    parts.iter().fold(Batch::new(), |batch, part| {
        batch.append(
            handle.stream(part.stream),
            part.expected,
            part.events.iter().cloned(),
        )
    })
}

async fn read_all(handle: &Handle, by: Tenant, read: &Read) -> Answer {
    let mut query = read.query.clone();
    query.stream = read.stream.map(|name| handle.stream(name));
    // A handle's own tenant decides, whatever a query says.
    query.tenant = tenant_id(Some("globex"));
    let (size, detail) = (query.page_size.max(1), query.detail);
    let mut reader = handle.of(by).read(query);
    let mut events: Vec<RecordedEvent> = Vec::new();
    if read.one_by_one {
        loop {
            match reader.next().await {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(error) => return error.into(),
            }
        }
    } else {
        loop {
            match reader.next_page().await {
                Ok(Some(page)) => {
                    assert!(
                        (1..=size).contains(&page.len()),
                        "a page of {} events",
                        page.len()
                    );
                    events.extend(page.iter().map(|record| record.to_owned().unwrap()));
                }
                Ok(None) => break,
                Err(error) => return error.into(),
            }
        }
    }
    Answer::Events(
        events
            .into_iter()
            .map(|event| Row::of(event, detail))
            .collect(),
    )
}

async fn history(accounts: &Repository<bank::Account>, id: &AccountId) -> Answer {
    let past = match accounts.history(id).unwrap().collect().await {
        Ok(past) => past,
        Err(error) => return error.into(),
    };
    let row = |past: recount::repository::PastEvent<AccountEvent>| {
        let mut payload = Vec::new();
        past.event.encode(&mut payload).unwrap();
        Row {
            position: past.at.position.0,
            place: Some((past.at.stream.to_string(), past.at.version.0)),
            name: past.event.name().to_owned(),
            schema_version: past.event.schema_version(),
            recorded_at: past.at.recorded_at,
            payload: String::from_utf8(payload).unwrap(),
            context: Some((past.at.id, past.at.metadata.actor)),
        }
    };
    Answer::Events(past.into_iter().map(row).collect())
}

fn loaded(root: &Root<bank::Account>) -> Answer {
    Answer::Loaded {
        state: (**root).clone(),
        version: Root::version(root).0,
        pending: Root::pending(root),
    }
}

fn happened(events: &[Happening]) -> Vec<AccountEvent> {
    events
        .iter()
        .map(|event| match *event {
            Happening::Opened(holder) => bank::Account::open(holder).into(),
            Happening::Deposited(amount) => bank::Deposited { amount }.into(),
            Happening::Withdrawn(amount) => bank::Withdrawn { amount }.into(),
            Happening::Measured(value) => bank::Measured { value }.into(),
        })
        .collect()
}
