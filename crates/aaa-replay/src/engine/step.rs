//! How far the attempt is that is under way.

use aaa_types::{JobId, ReplayWindow, payload::ReplayJobStatus};
use jiff::SignedDuration;

use super::{Engine, Health, Input, Moment, Settings, judge::failed, settings::flaw::Flaw};
use crate::ledger::{Attempt, Intent, Outcome};

#[derive(Debug, Clone)]
pub(super) enum Step {
    Idle,
    Intending(Intent),
    /// The intent is durable; the call is made or about to be.
    Creating {
        live: Live,
        called: bool,
        early: Vec<ReplayJobStatus>,
    },
    /// Only a broken engine records the intent after the call.
    IntendingLate {
        intent: Intent,
        live: Live,
        job: JobId,
        early: Vec<ReplayJobStatus>,
    },
    /// The job is to be recorded as running.
    Noting {
        live: Live,
        job: JobId,
        early: Vec<ReplayJobStatus>,
    },
    Running {
        live: Live,
        job: JobId,
    },
    Settling {
        live: Live,
        outcome: Outcome,
    },
}

/// An attempt that is not settled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Live {
    /// Zero before it has one, in a broken engine.
    pub(super) number: u64,
    pub(super) intent: Intent,
    /// The receiver's health before the call.
    pub(super) health: Health,
    pub(super) since: SignedDuration,
}

impl Step {
    pub(super) fn begin(intent: Intent, settings: &Settings, health: Health, now: Moment) -> Self {
        if settings.has(Flaw::NoIntent) {
            let live = Live { number: 0, intent, health, since: now.uptime };
            return Self::Creating { live, called: false, early: Vec::new() };
        }
        Self::Intending(intent)
    }

    /// Returns the minutes that are being asked for.
    pub(super) fn live(&self) -> Option<ReplayWindow> {
        match self {
            Self::Idle => None,
            Self::Intending(intent) | Self::IntendingLate { intent, .. } => Some(intent.core),
            Self::Creating { live, .. }
            | Self::Noting { live, .. }
            | Self::Running { live, .. }
            | Self::Settling { live, .. } => Some(live.intent.core),
        }
    }
}

impl Engine {
    /// Takes note of something that concerns the attempt.
    pub(super) fn advance(&mut self, input: Input, now: Moment) {
        let step = std::mem::replace(&mut self.step, Step::Idle);
        self.step = match (step, input) {
            (step, Input::Stop) => self.stop(step),
            (Step::Intending(intent), Input::Intended(number)) => {
                let live = Live { number, intent, health: self.health, since: now.uptime };
                Step::Creating { live, called: false, early: Vec::new() }
            }
            (Step::IntendingLate { live, job, early, .. }, Input::Intended(number)) => {
                Step::Noting { live: Live { number, ..live }, job, early }
            }
            (Step::Creating { live, called: true, early }, Input::Accepted(job)) => {
                self.patience.relieve();
                if live.number == 0 {
                    Step::IntendingLate { intent: live.intent, live, job, early }
                } else {
                    Step::Noting { live, job, early }
                }
            }
            (Step::Creating { live, called: true, .. }, Input::Refused(refusal)) => {
                self.refuse(refusal.kind, live.intent, now);
                if live.number == 0 {
                    Step::Idle
                } else {
                    Step::Settling { live, outcome: failed(None, &refusal.words) }
                }
            }
            // A short job may end before X's answer to its creation is read.
            (Step::Creating { live, called, mut early }, Input::Completed(status)) => {
                early.push(status);
                Step::Creating { live, called, early }
            }
            (Step::IntendingLate { intent, live, job, mut early }, Input::Completed(status)) => {
                early.push(status);
                Step::IntendingLate { intent, live, job, early }
            }
            (Step::Noting { live, job, mut early }, Input::Completed(status)) => {
                early.push(status);
                Step::Noting { live, job, early }
            }
            (Step::Noting { live, job, early }, Input::Settled { .. }) => {
                match early.into_iter().find(|status| status.job_id == job) {
                    _ if self.stopped => Step::Settling { live, outcome: stopped(Some(job)) },
                    Some(status) => Step::Settling { live, outcome: self.judge(live, &status) },
                    None => Step::Running { live, job },
                }
            }
            (Step::Running { live, job }, Input::Completed(status)) if status.job_id == job => {
                Step::Settling { live, outcome: self.judge(live, &status) }
            }
            (Step::Settling { live, outcome }, Input::Settled { found }) => {
                self.settled(live, outcome, found, now);
                self.next_step()
            }
            (step, _) => step,
        };
    }

    /// Returns to what is still open, if there is anything.
    pub(super) fn next_step(&mut self) -> Step {
        self.open.pop().map_or(Step::Idle, |(live, outcome)| Step::Settling { live, outcome })
    }

    /// Ends what is under way, once what is being done at this moment is done.
    fn stop(&mut self, step: Step) -> Step {
        self.stopped = true;
        match step {
            Step::Intending(_) => Step::Idle,
            Step::Creating { live, called: false, .. } => {
                Step::Settling { live, outcome: stopped(None) }
            }
            Step::Running { live, job } => Step::Settling { live, outcome: stopped(Some(job)) },
            step => step,
        }
    }

    fn settled(&mut self, live: Live, outcome: Outcome, found: u64, now: Moment) {
        let job_failed = match &outcome {
            Outcome::Incomplete { .. } => true,
            Outcome::Failed { job, .. } => job.is_some(),
            _ => false,
        };
        if job_failed {
            self.patience.hold(live.intent.core, now.uptime);
        } else if matches!(outcome, Outcome::Recovered { .. }) {
            self.patience.release(live.intent.core);
        }
        let Live { number, intent, .. } = live;
        let attempt = Attempt { number, intent, outcome, settled_at: now.x, found };
        self.figures.note(&attempt);
        self.work.settle(&attempt);
    }
}

fn stopped(job: Option<JobId>) -> Outcome {
    failed(job, "nobody waits for it any more")
}
