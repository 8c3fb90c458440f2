//! What a store answers, as plain data: every value and every error that a caller can tell apart, with its fields.

use recount::chrono::{DateTime, Utc};
use recount::log::{
    AppendError, Appended, Detail, EventId, Expected, ReadError, RecordedEvent, StreamId, TenantId,
};
use recount::repository::{CreateError, ExecuteError, LoadError, SaveError};
use recount::snapshot::SnapshotError;
use recount::store::{Checkpoint, CheckpointError, StoreError, StoredSnapshot};

use crate::bank::{Account, Insufficient};

#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Done,
    Number(u64),
    Appended {
        position: u64,
        streams: Vec<(String, u64)>,
        repeated: bool,
    },
    Conflict {
        stream: String,
        expected: Expected,
        actual: u64,
    },
    Duplicate {
        event: EventId,
        stream: String,
        version: u64,
    },
    Refused {
        stream: String,
        event: String,
        reason: String,
    },
    OutsideTenant {
        stream: String,
        tenant: String,
    },
    Events(Vec<Row>),
    Stats {
        events: u64,
        streams: u64,
        by_name: Vec<(String, u64)>,
    },
    Snapshot(Option<StoredSnapshot>),
    Checkpoint(Option<Checkpoint>),
    Moved {
        expected: u64,
        actual: u64,
    },
    Loaded {
        state: Account,
        version: u64,
        pending: usize,
    },
    NotFound(String),
    BeyondEnd {
        stream: String,
        asked: u64,
        last: u64,
    },
    AlreadyExists {
        stream: String,
        version: u64,
    },
    Rejected(Insufficient),
    Unrecordable {
        stream: String,
        version: u64,
        event: String,
        reason: String,
    },
    /// What the model never answers.
    Fault(String),
}

impl Answer {
    /// All kinds that a run of many scripts comes to.
    pub const KINDS: [&str; 19] = [
        "Done",
        "Number",
        "Appended",
        "Conflict",
        "Duplicate",
        "Refused",
        "OutsideTenant",
        "Events",
        "Stats",
        "Snapshot",
        "Checkpoint",
        "Moved",
        "Loaded",
        "NotFound",
        "BeyondEnd",
        "AlreadyExists",
        "Rejected",
        "Unrecordable",
        "Repeated",
    ];

    pub fn kind(&self) -> &'static str {
        match self {
            Self::Appended { repeated: true, .. } => "Repeated",
            Self::Done => "Done",
            Self::Number(_) => "Number",
            Self::Appended { .. } => "Appended",
            Self::Conflict { .. } => "Conflict",
            Self::Duplicate { .. } => "Duplicate",
            Self::Refused { .. } => "Refused",
            Self::OutsideTenant { .. } => "OutsideTenant",
            Self::Events(_) => "Events",
            Self::Stats { .. } => "Stats",
            Self::Snapshot(_) => "Snapshot",
            Self::Checkpoint(_) => "Checkpoint",
            Self::Moved { .. } => "Moved",
            Self::Loaded { .. } => "Loaded",
            Self::NotFound(_) => "NotFound",
            Self::BeyondEnd { .. } => "BeyondEnd",
            Self::AlreadyExists { .. } => "AlreadyExists",
            Self::Rejected(_) => "Rejected",
            Self::Unrecordable { .. } => "Unrecordable",
            Self::Fault(_) => "Fault",
        }
    }
}

/// An event that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub position: u64,
    /// Stream and version, where they were asked for.
    pub place: Option<(String, u64)>,
    pub name: String,
    pub schema_version: u32,
    pub recorded_at: DateTime<Utc>,
    pub payload: String,
    /// Id and actor, where they were asked for.
    pub context: Option<(EventId, Option<String>)>,
}

impl Row {
    pub fn of(event: RecordedEvent, detail: Detail) -> Self {
        Self {
            position: event.position.0,
            place: (detail >= Detail::Place).then(|| (event.stream.to_string(), event.version.0)),
            name: event.name.to_string(),
            schema_version: event.schema_version,
            recorded_at: event.recorded_at,
            payload: String::from_utf8(event.payload).unwrap(),
            context: (detail == Detail::Full).then_some((event.id, event.metadata.actor)),
        }
    }
}

fn outside(stream: &StreamId, tenant: &TenantId) -> Answer {
    Answer::OutsideTenant {
        stream: stream.to_string(),
        tenant: tenant.to_string(),
    }
}

/// Either side of a result is an answer.
pub fn answer<T: Into<Answer>, E: Into<Answer>>(result: Result<T, E>) -> Answer {
    match result {
        Ok(value) => value.into(),
        Err(error) => error.into(),
    }
}

impl From<()> for Answer {
    fn from((): ()) -> Self {
        Self::Done
    }
}

impl From<u64> for Answer {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<Appended> for Answer {
    fn from(appended: Appended) -> Self {
        Self::Appended {
            position: appended.position.0,
            streams: appended
                .streams
                .into_iter()
                .map(|stream| (stream.stream.to_string(), stream.version.0))
                .collect(),
            repeated: appended.repeated,
        }
    }
}

impl From<AppendError> for Answer {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Conflict {
                stream,
                expected,
                actual,
            } => Self::Conflict {
                stream: stream.to_string(),
                expected,
                actual: actual.0,
            },
            AppendError::Duplicate {
                event,
                stream,
                version,
            } => Self::Duplicate {
                event,
                stream: stream.to_string(),
                version: version.0,
            },
            AppendError::Refused {
                stream,
                event,
                reason,
            } => Self::Refused {
                stream: stream.to_string(),
                event,
                reason,
            },
            AppendError::OutsideTenant { stream, tenant } => outside(&stream, &tenant),
            other => Self::Fault(format!("{other:?}")),
        }
    }
}

impl From<ReadError> for Answer {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::OutsideTenant { stream, tenant } => outside(&stream, &tenant),
            other => Self::Fault(format!("{other:?}")),
        }
    }
}

impl From<StoreError> for Answer {
    fn from(error: StoreError) -> Self {
        Self::Fault(format!("{error:?}"))
    }
}

impl From<CheckpointError> for Answer {
    fn from(error: CheckpointError) -> Self {
        match error {
            CheckpointError::Moved {
                expected, actual, ..
            } => Self::Moved { expected, actual },
            other => Self::Fault(format!("{other:?}")),
        }
    }
}

impl From<LoadError> for Answer {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::NotFound { stream } => Self::NotFound(stream.to_string()),
            LoadError::BeyondEnd {
                stream,
                asked,
                last,
            } => Self::BeyondEnd {
                stream: stream.to_string(),
                asked: asked.0,
                last: last.0,
            },
            LoadError::Read(error) => error.into(),
            other => Self::Fault(format!("{other:?}")),
        }
    }
}

impl From<recount::aggregate::RecordError> for Answer {
    fn from(error: recount::aggregate::RecordError) -> Self {
        Self::Unrecordable {
            stream: error.stream.to_string(),
            version: error.version.0,
            event: error.event.to_owned(),
            reason: error.reason,
        }
    }
}

impl From<CreateError> for Answer {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::AlreadyExists { stream, version } => Self::AlreadyExists {
                stream: stream.to_string(),
                version: version.0,
            },
            CreateError::Record(error) => error.into(),
            CreateError::Append(error) => error.into(),
            other => Self::Fault(format!("{other:?}")),
        }
    }
}

impl From<SaveError> for Answer {
    fn from(error: SaveError) -> Self {
        match error {
            SaveError::Record(error) => error.into(),
            SaveError::Append(error) => error.into(),
            other => Self::Fault(format!("{other:?}")),
        }
    }
}

impl From<ExecuteError<Insufficient>> for Answer {
    fn from(error: ExecuteError<Insufficient>) -> Self {
        match error {
            ExecuteError::Rejected(refusal) => Self::Rejected(refusal),
            ExecuteError::Load(error) => error.into(),
            ExecuteError::Record(error) => error.into(),
            ExecuteError::Append(error) => error.into(),
            other => Self::Fault(format!("{other:?}")),
        }
    }
}

impl From<SnapshotError> for Answer {
    fn from(error: SnapshotError) -> Self {
        match error {
            SnapshotError::Load(error) => error.into(),
            other => Self::Fault(format!("{other:?}")),
        }
    }
}
