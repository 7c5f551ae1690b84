//! A store of events in memory that fails when it is told to.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::RangeInclusive,
    sync::{Arc, Mutex, MutexGuard},
};

use aaa_webhook::{
    consumer::{
        Changes, ConsumerName, Cursor, CursorError, Cursors, DeadLetter, DeadLetterQuery,
        DeadLetters, WhichLetters,
    },
    inbox::{EventLog, EventQuery, InboxError, Origin, StoredEvent},
};
use bytes::Bytes;
use serde_json::value::RawValue;
use tokio::sync::watch;

#[derive(Clone, Default)]
pub(crate) struct Store(Arc<Mutex<State>>);

#[derive(Default)]
pub(crate) struct State {
    pub(crate) events: BTreeMap<u64, StoredEvent>,
    pub(crate) cursor: Cursor,
    pub(crate) dead: BTreeMap<u64, DeadLetter>,
    /// What the next calls of each kind fail with.
    pub(crate) opening: VecDeque<CursorError>,
    pub(crate) saving: VecDeque<CursorError>,
    pub(crate) reading: VecDeque<InboxError>,
    /// What was read.
    pub(crate) queries: Vec<(u64, usize)>,
    committed: watch::Sender<u64>,
}

/// An event of a user, as part of a delivery.
pub(crate) fn event(seq: u64, user: &str, delivery: u64) -> StoredEvent {
    let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
    StoredEvent {
        seq,
        kind: "favorite_events".to_owned(),
        for_user_id: Some(user.to_owned()),
        key: format!("{user}/favorite_events:{seq}"),
        app: "main".to_owned(),
        received_at: "2025-11-22T04:13:00Z".parse().unwrap(),
        stale: false,
        payload: raw("{}"),
        context: raw("{}"),
        body: Bytes::from_static(b"{}"),
        origin: Origin { delivery, signature: "sha256=x".to_owned() },
    }
}

impl Store {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.state().committed.subscribe()
    }

    /// Adds events, and says so.
    pub(crate) fn commit(&self, events: impl IntoIterator<Item = StoredEvent>) {
        self.put(events);
        let state = self.state();
        let last = state.events.keys().next_back().copied().unwrap_or(0);
        state.committed.send_replace(last);
    }

    /// Adds events as another process does, which tells nobody.
    pub(crate) fn put(&self, events: impl IntoIterator<Item = StoredEvent>) {
        self.state().events.extend(events.into_iter().map(|event| (event.seq, event)));
    }
}

impl EventLog for Store {
    async fn events(&self, query: EventQuery) -> Result<Vec<StoredEvent>, InboxError> {
        let mut state = self.state();
        if let Some(error) = state.reading.pop_front() {
            return Err(error);
        }
        state.queries.push((query.after, query.limit));
        let later = state.events.range(query.after + 1..).take(query.limit);
        Ok(later.map(|(_, event)| event.clone()).collect())
    }
}

impl Cursors for Store {
    async fn open(&self, _: &ConsumerName, start: u64) -> Result<Cursor, CursorError> {
        let mut state = self.state();
        if let Some(error) = state.opening.pop_front() {
            return Err(error);
        }
        if state.cursor.generation == 0 {
            state.cursor.progress = aaa_webhook::consumer::Progress::new(start, []);
        }
        state.cursor.generation += 1;
        let found = state.cursor.clone();
        state.cursor.deaths += 1;
        Ok(found)
    }

    async fn save(&self, _: &ConsumerName, changes: &Changes) -> Result<(), CursorError> {
        let mut state = self.state();
        if let Some(error) = state.saving.pop_front() {
            return Err(error);
        }
        if changes.generation != state.cursor.generation {
            return Err(CursorError::Taken);
        }
        let Changes { progress, totals, deaths, trial, dead, settled, .. } = changes.clone();
        let cursor = &mut state.cursor;
        (cursor.progress, cursor.totals) = (progress, totals);
        (cursor.deaths, cursor.trial) = (deaths, trial);
        state.dead.extend(dead.into_iter().map(|letter| (letter.seq, letter)));
        state.dead.retain(|seq, _| !settled.contains(seq));
        Ok(())
    }

    async fn cursors(&self) -> Result<Vec<(ConsumerName, Cursor)>, CursorError> {
        Ok(vec![("test".parse().unwrap(), self.state().cursor.clone())])
    }
}

impl DeadLetters for Store {
    async fn dead_letters(&self, query: DeadLetterQuery) -> Result<Vec<DeadLetter>, CursorError> {
        let state = self.state();
        let all = query.which == WhichLetters::All;
        let later = state.dead.range(query.after + 1..).map(|(_, letter)| letter);
        Ok(later.filter(|letter| all || letter.redrive).take(query.limit).cloned().collect())
    }

    async fn redrive(
        &self,
        _: &ConsumerName,
        seqs: RangeInclusive<u64>,
    ) -> Result<u64, CursorError> {
        let mut state = self.state();
        let asked = state.dead.range_mut(seqs).map(|(_, letter)| letter.redrive = true);
        Ok(asked.count() as u64)
    }
}
