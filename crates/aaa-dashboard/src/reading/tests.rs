use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
};

use aaa_replay::{
    ledger::{Declaration, LedgerError},
    picture::Picture,
};
use aaa_types::{UserId, WebhookId};
use aaa_webhook::{
    consumer::{ConsumerName, Cursor, CursorError, DeadLetter, DeadLetterQuery},
    inbox::Origin,
};
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::store::Answer;

/// A log that counts how often it is asked.
pub(crate) struct Log {
    events: BTreeMap<u64, (i64, &'static str)>,
    asked: AtomicUsize,
}

impl Log {
    /// Numbers and seconds.
    pub(crate) fn new(events: impl IntoIterator<Item = (u64, i64)>) -> Self {
        let events = events.into_iter().map(|(seq, second)| {
            (seq, (second, if seq % 7 == 0 { "rare_events" } else { "x_events" }))
        });
        Self { events: events.collect(), asked: AtomicUsize::new(0) }
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }
}

impl Store for Log {
    fn events(&self, query: EventQuery) -> Answer<'_, Result<Vec<StoredEvent>, InboxError>> {
        self.asked.fetch_add(1, SeqCst);
        let events = self.events.range(query.after.saturating_add(1)..);
        let events =
            events.filter(|(_, (_, kind))| query.kind.as_deref().is_none_or(|k| k == *kind));
        let raw = || serde_json::value::RawValue::from_string("{}".to_owned()).unwrap();
        let events = events.take(query.limit).map(|(seq, (second, kind))| StoredEvent {
            seq: *seq,
            kind: (*kind).to_owned(),
            for_user_id: None,
            key: String::new(),
            app: String::new(),
            received_at: Timestamp::from_second(*second).unwrap(),
            stale: false,
            payload: raw(),
            context: raw(),
            body: bytes::Bytes::new(),
            origin: Origin::default(),
        });
        let events = events.collect();
        Box::pin(async move { Ok(events) })
    }

    fn picture(&self) -> Answer<'_, Result<Picture, LedgerError>> {
        unreachable!("events only")
    }

    fn declare(&self, _: Declaration) -> Answer<'_, Result<u64, LedgerError>> {
        unreachable!("events only")
    }

    fn dismiss(&self, _: WebhookId, _: UserId) -> Answer<'_, Result<(), LedgerError>> {
        unreachable!("events only")
    }

    fn cursors(&self) -> Answer<'_, Result<Vec<(ConsumerName, Cursor)>, CursorError>> {
        unreachable!("events only")
    }

    fn dead_letters(&self, _: DeadLetterQuery) -> Answer<'_, Result<Vec<DeadLetter>, CursorError>> {
        unreachable!("events only")
    }

    fn redrive<'a>(
        &'a self,
        _: &'a ConsumerName,
        _: RangeInclusive<u64>,
    ) -> Answer<'a, Result<u64, CursorError>> {
        unreachable!("events only")
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn seqs(events: &[StoredEvent]) -> Vec<u64> {
    events.iter().map(|event| event.seq).collect()
}

proptest! {
    #[test]
    fn the_end_is_found(seqs in prop::collection::btree_set(1_u64..5_000, 0..60), known in 0_usize..60) {
        let log = Log::new(seqs.iter().map(|seq| (*seq, 0)));
        let end = seqs.last().copied().unwrap_or(0);
        prop_assert_eq!(block_on(last(&log, 0)).unwrap(), end);
        prop_assert!(log.asked() < 40, "{}", log.asked());
        // One that was known may be gone by now.
        let known = seqs.iter().nth(known).copied().unwrap_or(end);
        prop_assert_eq!(block_on(last(&log, known)).unwrap(), end);
    }

    #[test]
    fn the_newest_come_first(
        all in prop::collection::btree_set(1_u64..3_000, 0..400),
        up_to in 0_u64..3_100,
        limit in 1_usize..80,
        rare: bool,
    ) {
        let log = Log::new(all.iter().map(|seq| (*seq, 0)));
        let filter = Filter { kind: rare.then(|| "rare_events".to_owned()), user: None };
        let found = block_on(newest(&log, &filter, up_to, limit)).unwrap();
        let expected: Vec<_> = all
            .iter()
            .rev()
            .filter(|seq| **seq <= up_to && (!rare || *seq % 7 == 0))
            .take(limit)
            .copied()
            .collect();
        prop_assert_eq!(seqs(&found), expected);
    }
}

/// A burst long ago is not walked through for its last events.
#[test]
fn a_long_log_is_not_read_whole() {
    let log = Log::new((1..=200_000).map(|seq| (seq, 0)));
    let found = block_on(newest(&log, &Filter::default(), 250_000, 50)).unwrap();
    assert_eq!(seqs(&found), (199_951..=200_000).rev().collect::<Vec<_>>());
    assert!(log.asked() < 150, "{}", log.asked());
    assert_eq!(block_on(one(&log, 7)).unwrap().unwrap().seq, 7);
    assert!(block_on(one(&log, 0)).unwrap().is_none());
    assert!(block_on(one(&log, 200_001)).unwrap().is_none());
}
