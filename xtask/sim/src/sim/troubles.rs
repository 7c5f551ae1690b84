//! What held up an engine: how much has gone wrong, and which failures that explains.

use aaa_types::WebhookId;

use super::Sim;
use crate::clock::{MINUTE, Millis};

/// How things stood when an attempt began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    at: Millis,
    /// How much had gone wrong.
    troubles: u64,
    /// How many failures were put down to that.
    excused: u64,
}

impl Sim {
    /// Returns how much has gone wrong so far that may hold up an engine.
    pub(super) fn troubles(&self) -> u64 {
        let fired: u32 = self.world.faults().faults.iter().map(|fault| fault.fired).sum();
        self.troubles + u64::from(fired)
    }

    /// Notes that an attempt for a webhook begins.
    pub(super) fn note_asked(&mut self, webhook: WebhookId) {
        let (at, troubles, excused) = (self.clocks.now(), self.troubles(), self.excused);
        self.asked.insert(webhook, Asked { at, troubles, excused });
    }

    /// Notes that an attempt for a webhook failed, if because of a fault.
    ///
    /// That is so when something went wrong since an attempt failed last. When attempts of several
    /// webhooks were under way, more may have gone wrong than this one had failed of: then
    /// something is left for those that fail later.
    pub(super) fn note_failure(&mut self, webhook: WebhookId) {
        let troubles = self.troubles();
        let Some(asked) = self.asked.get(&webhook).copied() else { return };
        let is_new = troubles > self.seen_troubles;
        if is_new || troubles.saturating_sub(asked.troubles) > self.excused - asked.excused {
            self.seen_troubles = troubles;
            self.excused += 1;
            let took = self.clocks.now() - asked.at;
            self.truth.set_back(took + 15 * MINUTE, asked.at);
        }
    }
}
