//! Who is so far behind that the stream removes events before they were handled.
//!
//! A stream knows nothing of cursors: with [`Settings::body_retention`](super::Settings) an event
//! goes when it is old, whoever still waits for it. That must not happen in silence.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::PoisonError,
    time::Duration,
};

use aaa_webhook::consumer::Cursors;
use async_nats::jetstream::consumer::Info;
use futures_util::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use tokio::time::timeout;

use super::{
    JetStreamInbox, NO_ANSWER, REQUEST, Shared, clock, error::JetStreamError, message::Subjects,
};
use crate::sqlite::values::signed;

/// A consumer, or workers of one name, whose next event is removed soon.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Overdue {
    /// Its name.
    pub consumer: String,
    /// The number of that event.
    pub seq: u64,
    /// When the stream removes it, by the servers' clock.
    pub removed_at: Timestamp,
}

impl JetStreamInbox {
    /// Returns who waits, at a time, for an event of which three quarters of
    /// [`Settings::body_retention`](super::Settings::body_retention) are over; nobody, when events
    /// are kept for ever. `aaa listen` and every other receiver looks once a minute and logs it.
    ///
    /// # Errors
    ///
    /// Fails when the servers do not answer.
    pub async fn overdue(&self, now: Timestamp) -> Result<Vec<Overdue>, JetStreamError> {
        let shared = &self.shared;
        shared.check_open()?;
        let kept = shared.info().await?.config.max_age;
        if kept.is_zero() {
            return Ok(Vec::new());
        }
        let mut places = BTreeMap::new();
        let cursors = self.cursors().await;
        let unusable = |error| JetStreamError::failed("read the cursors", error);
        for (name, cursor) in cursors.map_err(unusable)? {
            places.insert(name.to_string(), cursor.progress.cursor());
        }
        for (name, handled) in shared.workers().await? {
            places.entry(name).or_insert(handled);
        }
        let mut overdue = Vec::new();
        for (consumer, handled) in places {
            let subject = Subjects::events(&shared.settings.stream);
            let Some(next) = shared.next_of(&subject, handled.saturating_add(1)).await? else {
                continue;
            };
            let stored = Timestamp::from_nanosecond(next.time.unix_timestamp_nanos());
            let Ok(stored) = stored else { continue };
            if let Some(removed_at) = removed_soon(stored, kept, now) {
                overdue.push(Overdue { consumer, seq: next.sequence, removed_at });
            }
        }
        Ok(overdue)
    }

    /// Logs who is new among them, and who is none any more.
    pub(super) async fn tell_overdue(&self) -> Result<(), JetStreamError> {
        let overdue = self.overdue(clock::now()).await?;
        let names: BTreeSet<_> = overdue.iter().map(|late| late.consumer.clone()).collect();
        let mut told = self.shared.overdue.lock().unwrap_or_else(PoisonError::into_inner);
        for Overdue { consumer, seq, removed_at } in &overdue {
            if !told.contains(consumer) {
                tracing::error!(
                    consumer, seq, %removed_at,
                    "it is so far behind that the stream removes events before they are handled: \
                     have it catch up, or keep events for longer"
                );
            }
        }
        for consumer in told.difference(&names) {
            tracing::info!(consumer, "it is no longer behind by so much");
        }
        *told = names;
        Ok(())
    }
}

impl Shared {
    /// Returns how far workers are, by their names.
    async fn workers(&self) -> Result<Vec<(String, u64)>, JetStreamError> {
        let subject = Subjects::events(&self.settings.stream);
        let is_worker = |info: &Info| {
            info.config.durable_name.is_some() && info.config.filter_subject == subject
        };
        let all = self.events.consumers();
        let all = all.try_filter(|info| std::future::ready(is_worker(info)));
        let all = all.map_ok(|info| (info.name.replace('=', "."), info.ack_floor.stream_sequence));
        let action = "look at the workers";
        match timeout(REQUEST, all.boxed().try_collect()).await {
            Ok(workers) => workers.map_err(|error| JetStreamError::failed(action, error)),
            Err(_) => Err(JetStreamError::failed(action, NO_ANSWER)),
        }
    }
}

/// Says when an event is removed, if three quarters of its time are over.
fn removed_soon(stored: Timestamp, kept: Duration, now: Timestamp) -> Option<Timestamp> {
    let early = stored.checked_add(signed(kept / 4 * 3)).ok()?;
    (now >= early).then(|| stored.saturating_add(signed(kept)).unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_quarter_is_soon() {
        let at = |second: i64| Timestamp::from_second(1_763_784_780 + second).unwrap();
        let kept = Duration::from_secs(100);
        assert_eq!(removed_soon(at(0), kept, at(74)), None);
        assert_eq!(removed_soon(at(0), kept, at(75)), Some(at(100)));
        assert_eq!(removed_soon(at(0), kept, at(200)), Some(at(100)));
        assert_eq!(removed_soon(at(0), Duration::MAX, at(75)), None);
    }
}
