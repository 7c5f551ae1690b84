//! What X's answers mean.

use super::{Engine, Moment, RefusalKind, settings::flaw::Flaw, step::Live};
use crate::ledger::{Intent, Outcome};
use aaa_types::{
    JobId,
    payload::{JobState, ReplayJobStatus},
};

/// Why a job failed that may have failed because of us.
const REFUSED: &str = "the receiver refused deliveries meanwhile";

/// Says whether an attempt failed because the receiver refused something meanwhile, from the words
/// under which that was recorded, here or by whoever judges a job that nobody followed.
pub(super) fn is_of_our_own(reason: &str) -> bool {
    reason.starts_with(REFUSED)
        || reason.starts_with("the receiver refused deliveries or stopped meanwhile")
}

impl Engine {
    /// Says what the end of a job is worth.
    pub(super) fn judge(&self, live: Live, status: &ReplayJobStatus) -> Outcome {
        let job = status.job_id;
        let trusted =
            self.health.took_all_since(&live.health) || self.settings.has(Flaw::TrustedComplete);
        let said = || match &status.job_state {
            JobState::Incomplete => {
                let words = status.job_state_description.as_deref();
                words.unwrap_or("the job ended incomplete").to_owned()
            }
            other => format!("the job ended as {other:?}"),
        };
        match &status.job_state {
            JobState::Complete if trusted => Outcome::Recovered { job },
            JobState::Complete => failed(Some(job), REFUSED),
            _ if self.settings.has(Flaw::IgnoredIncomplete) => Outcome::Recovered { job },
            // Perhaps what X could not deliver is what we refused.
            _ if !trusted => failed(Some(job), &format!("{REFUSED}: {}", said())),
            _ => Outcome::Incomplete { job, reason: said() },
        }
    }

    /// Decides how long to wait after a refusal.
    pub(super) fn refuse(&mut self, kind: RefusalKind, intent: Intent, now: Moment) {
        match kind {
            RefusalKind::Conflict
            | RefusalKind::Passing
            | RefusalKind::Invalid
            | RefusalKind::RateLimited(None) => {
                self.patience.back_off(now.uptime);
            }
            RefusalKind::RateLimited(Some(reset)) => {
                self.patience.rest(reset.duration_since(now.x), now.uptime);
            }
            RefusalKind::Window => {
                self.patience.hold_front(intent.core, now.uptime);
                self.settings.limits.doubt_look_back(intent.request, now.x);
            }
            RefusalKind::Gone => {
                self.gone = true;
                self.patience.back_off(now.uptime);
            }
            RefusalKind::Lasting => self.patience.rest_long(now.uptime),
        }
    }
}

pub(super) fn failed(job: Option<JobId>, reason: &str) -> Outcome {
    Outcome::Failed { job, reason: reason.to_owned() }
}
