//! How a query finds its page.

use super::log::Log;
use crate::log::{Direction, Page, Position, Query, Row};

impl Log {
    pub(super) fn read(&self, query: &Query, page: &mut Page) {
        page.clear();
        page.set_last(true);
        let limit = query.limit.map_or(query.page_size, |limit| {
            usize::try_from(limit)
                .unwrap_or(usize::MAX)
                .min(query.page_size)
        });
        // Positions that the query can reach: in a stream by its index, else by the place in the vector.
        let from = usize::try_from(query.after.0)
            .unwrap_or(usize::MAX)
            .min(self.events.len());
        let to = query.up_to.map_or(self.events.len(), |last| {
            usize::try_from(last.0)
                .unwrap_or(usize::MAX)
                .min(self.events.len())
        });
        if let Some(stream) = &query.stream {
            let all = self
                .streams
                .get(stream)
                .map(Vec::as_slice)
                .unwrap_or_default();
            let start = all
                .partition_point(|index| *index < from)
                .max(usize::try_from(query.from_version.0.saturating_sub(1)).unwrap_or(usize::MAX));
            let end = all.partition_point(|index| *index < to);
            self.fill(
                query,
                limit,
                all.get(start..end.max(start))
                    .unwrap_or_default()
                    .iter()
                    .copied(),
                page,
            );
        } else {
            self.fill(query, limit, from..to.max(from), page);
        }
    }

    fn fill(
        &self,
        query: &Query,
        limit: usize,
        indexes: impl DoubleEndedIterator<Item = usize>,
        page: &mut Page,
    ) {
        match query.direction {
            Direction::Forwards => self.fill_in_order(query, limit, indexes, page),
            Direction::Backwards => self.fill_in_order(query, limit, indexes.rev(), page),
        }
    }

    fn fill_in_order(
        &self,
        query: &Query,
        limit: usize,
        indexes: impl Iterator<Item = usize>,
        page: &mut Page,
    ) {
        for index in indexes {
            let Some(stored) = self.events.get(index) else {
                continue;
            };
            let position = Position(index as u64 + 1);
            if !query.fits(
                &stored.stream,
                &stored.event.name,
                position,
                stored.version,
                stored.event.recorded_at,
            ) {
                continue;
            }
            if page.is_full(limit) {
                page.set_last(false);
                return;
            }
            page.push(
                &stored.kind,
                Row {
                    position,
                    version: stored.version,
                    id: stored.event.id,
                    recorded_at: stored.event.recorded_at.timestamp_micros(),
                    stream: stored.stream.id(),
                    metadata: &stored.metadata,
                    payload: &stored.event.payload,
                },
            );
        }
    }
}
