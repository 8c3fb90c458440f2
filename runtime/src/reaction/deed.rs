//! What is to be done once, however often it is tried: known by the ids of the events that it appends.

use uuid::Uuid;

use crate::Store;
use crate::log::{
    AppendError, Appended, EventId, Position, Query, ReadError, StreamId, StreamVersion, Version,
};
use crate::store::BackendError;

/// An event that is reacted to.
#[derive(Debug, Clone)]
pub(crate) struct Cause {
    pub(crate) id: EventId,
    pub(crate) stream: StreamId,
    pub(crate) version: Version,
    pub(crate) position: Position,
}

/// One command of a reaction to one event.
///
/// Its ids follow from the event, the reaction, the stream that is written to, and how many commands came before it there: neither
/// from what is decided nor from how often. All events of a command are stored together, so the first id tells of all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deed {
    namespace: Uuid,
    /// What it appends stands behind its cause.
    cause: Position,
}

impl Deed {
    /// The command on `stream` before which `before` others were given there. These ids are stored: they can never be derived in
    /// another way without doing again what was done.
    pub(crate) fn new(cause: &Cause, reaction: &str, stream: &StreamId, before: u32) -> Self {
        // No name of a stream holds a NUL, so that two different places are never written alike.
        let name = [
            &place(&cause.stream),
            &*cause.version.to_string(),
            &place(stream),
            &*before.to_string(),
            reaction,
        ]
        .join("\0");
        Self {
            namespace: Uuid::new_v5(&cause.id.0, name.as_bytes()),
            cause: cause.position,
        }
    }

    /// The id of its event at this index, counted from 0.
    pub(crate) fn id(&self, index: usize) -> EventId {
        EventId(Uuid::new_v5(&self.namespace, index.to_string().as_bytes()))
    }

    /// What it appended to a stream, if it was done when the stream had this version, whose event stands at `last`.
    pub(crate) async fn done_by(
        &self,
        store: &Store,
        stream: &StreamId,
        version: Version,
        last: Position,
    ) -> Result<Option<Appended>, ReadError> {
        if last <= self.cause {
            return Ok(None);
        }
        // From the end back to the cause: few events, however long the stream is.
        let query = Query::stream(stream).to_version(version).backwards();
        let mut reader = store.read(query.page_size(64));
        let first = self.id(0);
        while let Some(page) = reader.next_page().await? {
            for record in page.iter() {
                if record.id() == first {
                    return self.appended(store, stream, record.version()).await;
                }
                if record.position() <= self.cause {
                    return Ok(None);
                }
            }
        }
        Ok(None)
    }

    /// The outcome of an append that failed: what was appended before, if the failure was that the store has this deed's events.
    pub(crate) async fn unless_done(
        &self,
        store: &Store,
        error: AppendError,
    ) -> Result<Appended, AppendError> {
        match &error {
            AppendError::Duplicate {
                event,
                stream,
                version,
            } if *event == self.id(0) => match self.appended(store, stream, *version).await {
                Ok(appended) => appended.ok_or(error),
                Err(unreadable) => Err(AppendError::Unavailable {
                    store: store.url().to_owned(),
                    source: BackendError::new(unreadable),
                }),
            },
            _ => Err(error),
        }
    }

    /// What it appended to a stream, where its first event has this version.
    async fn appended(
        &self,
        store: &Store,
        stream: &StreamId,
        first: Version,
    ) -> Result<Option<Appended>, ReadError> {
        let mut reader = store.read(Query::stream(stream).from_version(first));
        let (mut appended, mut index) = (None, 0);
        'pages: while let Some(page) = reader.next_page().await? {
            for record in page.iter() {
                if record.id() != self.id(index) {
                    break 'pages;
                }
                appended = Some((record.position(), record.version()));
                index += 1;
            }
        }
        Ok(appended.map(|(position, version)| Appended {
            position,
            streams: vec![StreamVersion {
                stream: stream.clone(),
                version,
            }],
            repeated: true,
        }))
    }
}

fn place(stream: &StreamId) -> String {
    let tenant = stream.tenant().map_or("", |tenant| tenant.as_str());
    [tenant, stream.category().as_str(), stream.id()].join("\0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(stream: &str, version: u64) -> Cause {
        Cause {
            id: EventId(Uuid::from_u128(7)),
            stream: StreamId::new("account", stream).unwrap(),
            version: Version(version),
            position: Position(9),
        }
    }

    fn stream(category: &str, id: &str) -> StreamId {
        StreamId::new(category, id).unwrap()
    }

    #[test]
    fn ids_of_stored_events_stay_derivable() {
        let plan = stream("plan", "p");
        let deed = Deed::new(&cause("a", 1), "coach", &plan, 0);
        // Stored by whoever reacted to this event with an earlier release.
        assert_eq!(
            deed.id(0).to_string(),
            "9965df1b-5cbf-5bdf-8870-4cf28546e5d6"
        );
        assert_eq!(
            deed.id(1).to_string(),
            "553d256b-8fe9-5d5e-a52a-861dd0ce8a7f"
        );
    }

    #[test]
    fn whatever_differs_gives_other_ids() {
        let (plan, mut seen) = (stream("plan", "p"), std::collections::HashSet::new());
        let acme = plan
            .clone()
            .in_tenant(Some(crate::log::TenantId::new("acme").unwrap()));
        let other_event = Cause {
            id: EventId(Uuid::from_u128(8)),
            ..cause("a", 1)
        };
        let deeds = [
            Deed::new(&cause("a", 1), "coach", &plan, 0),
            Deed::new(&cause("a", 1), "coach", &plan, 1),
            Deed::new(&cause("a", 1), "trainer", &plan, 0),
            Deed::new(&cause("a", 1), "coach", &acme, 0),
            Deed::new(&cause("a", 1), "coach", &stream("acme", "plan/p"), 0),
            Deed::new(&cause("a", 1), "coach", &stream("pla", "np"), 0),
            Deed::new(&cause("a", 2), "coach", &plan, 0),
            Deed::new(&cause("b", 1), "coach", &plan, 0),
            Deed::new(&other_event, "coach", &plan, 0),
        ];
        for deed in &deeds {
            assert!(seen.insert(deed.id(0)) && seen.insert(deed.id(1)));
        }
    }
}
