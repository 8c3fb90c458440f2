//! What can be wrong, by name.

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("position {position} follows {before}")]
    PositionsFall { before: u64, position: u64 },
    #[error("stream {stream} has version {found} at position {position}, not {expected}")]
    Hole {
        stream: u32,
        position: u64,
        expected: u64,
        found: u64,
    },
    #[error("event {index} of batch {batch:#x} is stored twice, the second time at {position}")]
    Doubled {
        batch: u64,
        index: u64,
        position: u64,
    },
    #[error("{0}")]
    Altered(String),
    #[error("position {position} holds an event of batch {batch:#x}, which nobody appended")]
    Stray { batch: u64, position: u64 },
    #[error("of batch {batch:#x}, {found} of {of} events are stored")]
    Torn { batch: u64, found: u64, of: u64 },
    #[error("the events of batch {batch:#x} do not stand together, in order, in their streams")]
    Misplaced { batch: u64 },
    #[error(
        "batches {one:#x} and {two:#x} both were told that version {version} of stream {stream} is theirs"
    )]
    TwoWinners {
        one: u64,
        two: u64,
        stream: u32,
        version: u64,
    },
    #[error("batch {batch:#x} was acknowledged and is not stored")]
    Lost { batch: u64 },
    #[error("batch {batch:#x} was acknowledged at another place than it is stored")]
    WrongPlace { batch: u64 },
    #[error("batch {batch:#x} was acknowledged as new twice")]
    AppliedTwice { batch: u64 },
    #[error("batch {batch:#x} was called a repetition, but nobody had appended it before")]
    NeverApplied { batch: u64 },
    #[error("batch {batch:#x} was stored and met a conflict when it was tried again")]
    NotRecognised { batch: u64 },
    #[error("batch {batch:#x} has the id of another batch's event, and was not refused for it")]
    StolenIdMistaken { batch: u64 },
    #[error("batch {batch:#x} was refused as another batch's duplicate, which it is not")]
    TakenForAnother { batch: u64 },
    #[error("batch {batch:#x} was refused and is stored")]
    RefusedButStored { batch: u64 },
    #[error("batch {batch:#x} is stored though stream {stream} was at version {version}")]
    ConditionBroken {
        batch: u64,
        stream: u32,
        version: u64,
    },
    #[error(
        "batch {batch:#x} was refused though its condition on stream {stream} holds at version {version}"
    )]
    RefusedWithoutCause {
        batch: u64,
        stream: u32,
        version: u64,
    },
    #[error("{who} was told of stream {stream} at version {version}, which never was")]
    NeverWas { who: Who, stream: u32, version: u64 },
    #[error("{who} saw position {position}, which holds nothing or something else")]
    Phantom { who: Who, position: u64 },
    #[error("{who} read past position {position} and was not shown it")]
    Missed { who: Who, position: u64 },
    #[error("{who} went on after {after}, but was at {at}")]
    LostItsPlace { who: Who, at: u64, after: u64 },
    #[error("{who} ended at {at}, the log at {end}")]
    EndedEarly { who: Who, at: u64, end: u64 },
    #[error("{who} saw a part of batch {batch:#x}")]
    HalfSeen { who: Who, batch: u64 },
    #[error(
        "position {position} cannot have been committed before {early} answered, since it was not when {late} began"
    )]
    Reordered {
        position: u64,
        early: Who,
        late: Who,
    },
}

/// Who saw something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Attempt(u64),
    Reader(u64),
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Attempt(number) => write!(f, "attempt {number:#x}"),
            Self::Reader(number) => write!(f, "reader {number:#x}"),
        }
    }
}
