//! What a replay job found.

use std::time::Duration;

use aaa_replay::ledger::Intent;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use futures_util::StreamExt;
use tokio::time::{sleep, timeout};

use super::{
    LOOK, REQUEST, Shared,
    error::JetStreamError,
    message::{self, Subjects},
};

/// How long events are counted at most, for a figure: whoever settles an attempt holds a lease
/// meanwhile.
const COUNT: Duration = Duration::from_secs(5);

/// The most events that are read at once.
const BATCH: usize = 1000;

impl Shared {
    /// Counts the events behind a number that happened in the minutes that were asked for: as many
    /// as can be found in the time there is.
    pub(super) async fn count(&self, after: u64, intent: &Intent) -> u64 {
        let mut found = 0;
        let counted = async {
            while let Err(error) = self.count_into(&mut found, after, intent).await {
                tracing::debug!(%error, "what a replay brought is counted anew");
                sleep(LOOK).await;
            }
        };
        if timeout(COUNT, counted).await.is_err() {
            tracing::warn!(found, "what a replay brought is not counted to the end");
        }
        found
    }

    /// Counts from the beginning.
    async fn count_into(
        &self,
        found: &mut u64,
        after: u64,
        intent: &Intent,
    ) -> Result<(), JetStreamError> {
        let failed = |error: &dyn std::fmt::Display| JetStreamError::failed("count events", error);
        *found = 0;
        let last = self.newest().await?;
        if last <= after {
            return Ok(());
        }
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence {
                start_sequence: after.saturating_add(1),
            },
            ack_policy: AckPolicy::None,
            filter_subject: Subjects::events(&self.settings.stream),
            headers_only: true,
            memory_storage: true,
            num_replicas: 1,
            inactive_threshold: Duration::from_secs(30),
            ..pull::Config::default()
        };
        let consumer = self.events.create_consumer(config).await.map_err(|e| failed(&e))?;
        let (from, to) = (intent.request.from_date(), intent.request.to_date());
        let of_the_time = |time: &jiff::Timestamp| from.start() <= *time && *time < to.start();
        // What arrives meanwhile would never let it end.
        let mut is_over = false;
        while !is_over {
            // With a connection the request is lost, or its answer, and nobody asks again.
            let lost = |_| failed(&"no message came in time");
            let batch = consumer.fetch().max_messages(BATCH).messages();
            let mut batch = timeout(REQUEST, batch).await.map_err(lost)?.map_err(|e| failed(&e))?;
            is_over = true;
            while let Some(message) = timeout(REQUEST, batch.next()).await.map_err(lost)? {
                let message = message.map_err(|e| failed(&e))?;
                let seq = message.info().map_err(|e| failed(&e))?.stream_sequence;
                is_over = seq >= last;
                let time = message.headers.as_ref().and_then(message::occurred_at);
                *found += u64::from(seq <= last && time.as_ref().is_some_and(of_the_time));
            }
        }
        let name = &consumer.cached_info().name;
        if let Err(error) = self.events.delete_consumer(name).await {
            tracing::debug!(%error, "the server forgets a reader by itself");
        }
        Ok(())
    }
}
