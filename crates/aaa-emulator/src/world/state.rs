//! What somebody sees who looks.

use jiff::Timestamp;

use super::World;
use crate::control::{Counts, State, WebhookState};

impl World {
    /// Returns what there is.
    pub fn state(&self, now: Timestamp) -> State {
        let webhooks = self.hooks.values().map(|hook| WebhookState {
            id: hook.id,
            url: hook.url.clone(),
            valid: hook.valid,
            created_at: hook.created_at,
            last_check_passed_at: hook.last_passed,
            last_check_error: hook.last_error.clone(),
            subscriptions: hook.subscribers.iter().copied().collect(),
        });
        State {
            now: self.now.max(now),
            settings: self.settings.clone(),
            webhooks: webhooks.collect(),
            jobs: self.records.jobs().to_vec(),
            counts: Counts {
                in_flight: self.deliveries.len(),
                queued: self.hooks.values().map(|hook| hook.queue.len()).sum(),
                ..self.records.counts()
            },
        }
    }
}
