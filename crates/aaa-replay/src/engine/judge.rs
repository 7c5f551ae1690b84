//! What X's answers mean.

use super::{Engine, Moment, RefusalKind, settings::flaw::Flaw, step::Live};
use crate::ledger::{Intent, Outcome};
use aaa_types::{
    JobId,
    payload::{JobState, ReplayJobStatus},
};

impl Engine {
    /// Says what the end of a job is worth.
    pub(super) fn judge(&self, live: Live, status: &ReplayJobStatus) -> Outcome {
        let job = status.job_id;
        let trusted =
            self.health.took_all_since(&live.health) || self.settings.has(Flaw::TrustedComplete);
        let words = status.job_state_description.as_deref();
        match &status.job_state {
            JobState::Complete if trusted => Outcome::Recovered { job },
            JobState::Complete => failed(Some(job), "the receiver refused deliveries meanwhile"),
            _ if self.settings.has(Flaw::IgnoredIncomplete) => Outcome::Recovered { job },
            JobState::Incomplete => {
                let reason = words.unwrap_or("the job ended incomplete").to_owned();
                Outcome::Incomplete { job, reason }
            }
            other => Outcome::Incomplete { job, reason: format!("the job ended as {other:?}") },
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
                self.patience.hold(intent.core, now.uptime);
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
