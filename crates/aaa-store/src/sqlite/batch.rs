//! What one transaction stores.

use std::time::Instant;

use aaa_webhook::{
    app::SecretSlot,
    delivery::{KeyedEvent, VerifiedDelivery},
    inbox::Receipt,
};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{CachedStatement, Connection, params};

use super::{
    Settings,
    counters::{self, DUPLICATES, KEYS_SINCE},
    filing::Unfiled,
    ledger,
    measured::Took,
    redact,
    values::{number, signed},
};

/// What the writer has to know of the settings.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) key_retention: SignedDuration,
    pub(super) body_retention: Option<SignedDuration>,
    pub(super) heartbeat_period: SignedDuration,
    pub(super) redact: bool,
}

impl Rules {
    pub(super) fn of(settings: &Settings) -> Self {
        Self {
            key_retention: signed(settings.key_retention),
            body_retention: settings.body_retention.map(signed),
            heartbeat_period: signed(settings.heartbeat_period),
            redact: settings.redact_on_deletion,
        }
    }
}

/// An open transaction: the statements that every delivery needs, and what was counted so far.
pub(super) struct Batch<'c> {
    pub(super) db: &'c Connection,
    pub(super) rules: Rules,
    unfiled: &'c mut Unfiled,
    /// Keys of events before this time may be gone.
    keys_since: Option<Timestamp>,
    find_key: CachedStatement<'c>,
    add_event: CachedStatement<'c>,
    add_delivery: CachedStatement<'c>,
    took: Took,
    duplicates: i64,
    last_seq: Option<u64>,
}

/// What a transaction did.
#[derive(Debug)]
pub(super) struct Done {
    /// The last sequence number, if any was given.
    pub(super) last_seq: Option<u64>,
    pub(super) took: Took,
}

impl<'c> Batch<'c> {
    pub(super) fn new(
        db: &'c Connection,
        rules: Rules,
        unfiled: &'c mut Unfiled,
    ) -> rusqlite::Result<Self> {
        Ok(Self {
            db,
            rules,
            unfiled,
            keys_since: counters::read(db, KEYS_SINCE)?
                .and_then(|seconds| Timestamp::from_second(seconds).ok()),
            find_key: db.prepare_cached("SELECT 1 FROM event_keys WHERE key = ?")?,
            add_event: db.prepare_cached(
                "INSERT INTO events (delivery, kind, for_user_id, item, occurred_at, \
                 payload_start, payload_length, stale, unfiled_key) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?,
            add_delivery: db.prepare_cached(
                "INSERT INTO deliveries (id, app, slot, signature, arrived_at, body) \
                 VALUES (?, ?, ?, ?, ?, ?)",
            )?,
            took: Took::default(),
            duplicates: 0,
            last_seq: None,
        })
    }

    /// Stores the events that are new, and the body once if there is any.
    pub(super) fn store(&mut self, delivery: &VerifiedDelivery) -> rusqlite::Result<Receipt> {
        let mut receipt = Receipt { stored: 0, duplicates: 0 };
        let (mut row, mut asked) = (None, Vec::new());
        for event in delivery.events() {
            let key = event.key();
            if self.unfiled.contains(&key) || self.find_key.exists([key.as_bytes()])? {
                receipt.duplicates += 1;
                continue;
            }
            let row = match row {
                Some(row) => row,
                None => *row.insert(self.add_delivery(delivery)?),
            };
            let seq = self.add_event(row, event, delivery)?;
            self.unfiled.add(key);
            self.last_seq = u64::try_from(seq).ok();
            receipt.stored += 1;
            if self.rules.redact {
                let (kind, item) = (event.identity().kind(), event.identity().item().to_string());
                let payload = delivery.body().slice(event.payload());
                asked.push((kind, item, payload, seq));
            }
        }
        for (kind, item, payload, seq) in asked {
            redact::react(self.db, delivery.app(), kind, &item, &payload, seq)?;
        }
        self.duplicates += number(receipt.duplicates);
        self.took.deliveries += 1;
        self.took.bytes += delivery.body().len() as u64;
        Ok(receipt)
    }

    /// Notes since when a delivery waited that was stored.
    pub(super) fn queued_since(&mut self, queued: Instant) {
        self.took.queued.push(queued);
    }

    /// Writes the counters, where that costs nothing more.
    ///
    /// A copy is answered like a new event, so even a batch of nothing but copies has to sync the
    /// log: the event may have been written by a process that died before its own sync. Counting
    /// the copies makes sure that there is something to sync. In any other batch a counter would
    /// be one more page to write.
    pub(super) fn finish(self) -> rusqlite::Result<Done> {
        if self.took.deliveries > 0 {
            self.unfiled.takes_deliveries();
        }
        counters::add(self.db, DUPLICATES, self.duplicates)?;
        if self.unfiled.are_many() {
            self.unfiled.file(self.db)?;
        }
        if self.duplicates > 0 || self.unfiled.is_filing() {
            self.unfiled.count(self.db)?;
        }
        Ok(Done { last_seq: self.last_seq, took: self.took })
    }

    /// Files what is stored so far, so that events may be removed.
    pub(super) fn file(&mut self) -> rusqlite::Result<()> {
        self.unfiled.file(self.db)
    }

    fn add_delivery(&mut self, delivery: &VerifiedDelivery) -> rusqlite::Result<i64> {
        let slot = match delivery.slot() {
            SecretSlot::Active => "active",
            SecretSlot::Previous => "previous",
        };
        let arrived_at = delivery.arrived_at().as_microsecond();
        let body = delivery.body().as_ref();
        let id = self.unfiled.next_delivery();
        self.add_delivery.insert(params![
            id,
            delivery.app(),
            slot,
            delivery.signature(),
            arrived_at,
            body
        ])
    }

    fn add_event(
        &mut self,
        row: i64,
        event: &KeyedEvent,
        delivery: &VerifiedDelivery,
    ) -> rusqlite::Result<i64> {
        let identity = event.identity();
        let payload = event.payload();
        let stale = match event.occurred_at() {
            Some(occurred_at) => self.is_stale(occurred_at, delivery.arrived_at())?,
            None => false,
        };
        self.took.stale += u64::from(stale);
        self.add_event.insert(params![
            row,
            identity.kind(),
            identity.for_user_id(),
            identity.item().to_string(),
            event.occurred_at().map(|time| time.as_microsecond()),
            number(payload.start),
            number(payload.len()),
            stale,
            event.key().as_bytes(),
        ])
    }

    /// Says whether an event is so old that its key may have been removed already: then it may be
    /// an old capture sent again. What was really removed counts too: a clock may be set back, a
    /// retention made longer.
    ///
    /// It has to be old by our clock and by X's: one of ours that runs ahead makes nothing old.
    fn is_stale(&self, occurred_at: Timestamp, arrived_at: Timestamp) -> rusqlite::Result<bool> {
        if self.keys_since.is_some_and(|since| occurred_at < since) {
            return Ok(true);
        }
        let age = arrived_at.duration_since(occurred_at);
        if age <= self.rules.key_retention {
            return Ok(false);
        }
        let offset = ledger::offset(self.db)?.unwrap_or_default();
        Ok(age.saturating_add(offset.min(SignedDuration::ZERO)) > self.rules.key_retention)
    }
}

#[cfg(test)]
#[cfg(feature = "conformance")]
mod tests;
