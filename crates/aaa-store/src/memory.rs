//! A store that forgets.

mod consumers;
mod ledger;

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aaa_replay::ledger::Book;
use aaa_types::{EventKey, event::Body};
use aaa_webhook::{
    consumer::{ConsumerName, Cursor, DeadLetter},
    delivery::VerifiedDelivery,
    inbox::{EventLog, EventQuery, Inbox, InboxError, Origin, Receipt, StoredEvent},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::watch;

use crate::sqlite::{Settings, values::signed};

/// An inbox and its log in memory, for tests and for trying out: it forgets everything.
///
/// It answers like the other stores, but what it promises survives nothing. A receiver that
/// answers 200 with it loses events when it ends.
#[derive(Debug)]
pub struct MemoryStore {
    key_retention: SignedDuration,
    state: Mutex<State>,
    last_seq: watch::Sender<u64>,
}

impl MemoryStore {
    /// Creates an empty store. An event older than `key_retention` at its arrival is stale.
    pub fn new(key_retention: Duration) -> Self {
        Self {
            key_retention: signed(key_retention),
            state: Mutex::new(State::new(signed(Settings::default().heartbeat_period))),
            last_seq: watch::Sender::new(0),
        }
    }

    /// Watches the sequence number of the last event, so that a consumer can sleep until there is
    /// something new.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.last_seq.subscribe()
    }

    /// Says how often heartbeats come; 5 s unless told otherwise. What was written so far is
    /// forgotten.
    #[must_use]
    pub fn with_heartbeat_period(self, period: Duration) -> Self {
        self.state().book = Book::new(signed(period));
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(Settings::default().key_retention)
    }
}

#[derive(Debug)]
struct State {
    keys: HashSet<EventKey>,
    events: Vec<StoredEvent>,
    /// When each of them happened, if it says so.
    occurred: Vec<Option<Timestamp>>,
    deliveries: u64,
    consumers: BTreeMap<ConsumerName, Kept>,
    book: Book,
}

impl State {
    fn new(heartbeat_period: SignedDuration) -> Self {
        Self {
            keys: HashSet::new(),
            events: Vec::new(),
            occurred: Vec::new(),
            deliveries: 0,
            consumers: BTreeMap::new(),
            book: Book::new(heartbeat_period),
        }
    }
}

#[derive(Debug, Default)]
struct Kept {
    cursor: Cursor,
    dead: BTreeMap<u64, DeadLetter>,
}

impl Inbox for MemoryStore {
    async fn commit(&self, delivery: VerifiedDelivery) -> Result<Receipt, InboxError> {
        let broken = |error: &dyn std::fmt::Display| InboxError::Unavailable(error.to_string());
        let body = Body::parse(delivery.body()).map_err(|error| broken(&error))?;
        let context = to_raw_value(&body.context()).map_err(|error| broken(&error))?;
        let mut state = self.state();
        state.deliveries += 1;
        // A clock of ours that runs ahead of X's makes nothing old.
        let offset = state.book.last_heartbeat().map(|last| last.offset).unwrap_or_default();
        let ahead = offset.min(SignedDuration::ZERO);
        let mut receipt = Receipt { stored: 0, duplicates: 0 };
        for event in delivery.events() {
            if !state.keys.insert(event.key()) {
                receipt.duplicates += 1;
                continue;
            }
            receipt.stored += 1;
            let identity = event.identity();
            let payload = delivery.body().slice(event.payload());
            let payload = String::from_utf8_lossy(&payload).into_owned();
            let age = |time| delivery.arrived_at().duration_since(time).saturating_add(ahead);
            let stored = StoredEvent {
                seq: state.events.len() as u64 + 1,
                kind: identity.kind().to_owned(),
                for_user_id: identity.for_user_id().map(str::to_owned),
                key: identity.to_string(),
                app: delivery.app().to_owned(),
                received_at: delivery.arrived_at(),
                stale: event.occurred_at().is_some_and(|time| age(time) > self.key_retention),
                payload: RawValue::from_string(payload).map_err(|error| broken(&error))?,
                context: context.clone(),
                body: delivery.body().clone(),
                origin: Origin {
                    delivery: state.deliveries,
                    signature: delivery.signature().to_owned(),
                },
            };
            state.events.push(stored);
            state.occurred.push(event.occurred_at());
        }
        let last = state.events.len() as u64;
        drop(state);
        if receipt.stored > 0 {
            self.last_seq.send_replace(last);
        }
        Ok(receipt)
    }
}

impl EventLog for MemoryStore {
    async fn events(&self, query: EventQuery) -> Result<Vec<StoredEvent>, InboxError> {
        let state = self.state();
        let wanted = |event: &&StoredEvent| {
            event.seq > query.after
                && query.kind.as_ref().is_none_or(|kind| *kind == event.kind)
                && query.user.as_ref().is_none_or(|user| Some(user) == event.for_user_id.as_ref())
        };
        Ok(state.events.iter().filter(wanted).take(query.limit).cloned().collect())
    }
}
