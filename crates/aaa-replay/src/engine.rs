//! Decides what to do next about the gaps; does none of it itself.
//!
//! The driver asks [`Engine::next_action`], does it, and tells [`Engine::on`] what happened. Time,
//! store and network are the driver's, so the engine can be led through any history on a fake
//! clock.
//!
//! # Invariants
//!
//! * There is never more than one live job: the next is only created when the last is settled.
//! * An intent is recorded before the call it announces, an outcome after.
//! * A window counts as recovered only if its job ended `Complete` and the receiver, in one run,
//!   refused nothing from the call to the completion: replayed deliveries are not retried.
//! * A window is given up only when X itself, often enough, said that its job was incomplete.
//!   What fails for another reason is tried until X no longer has it.
//! * With work pending there is always an action or a time to wake up.

mod patience;
mod words;

use std::collections::BTreeMap;

use aaa_types::{
    JobId, ReplayWindow,
    payload::{JobState, ReplayJobStatus},
};
use jiff::SignedDuration;

use self::patience::Patience;
pub use self::words::{Action, Health, Input, Moment, Refusal, RefusalKind, Settings, Webhook};
use crate::{
    coverage::Gap,
    ledger::{Attempt, Intent, Outcome},
    plan::{Lost, LostReason, Plan, outstanding, plan},
};

/// How near to the look-back a refused window has to begin for the look-back to be doubted.
const NEAR_THE_EDGE: SignedDuration = SignedDuration::from_hours(1);

/// By how much the look-back is then shortened.
const LESS_LOOK_BACK: SignedDuration = SignedDuration::from_mins(10);

/// The state machine for one webhook.
#[derive(Debug)]
pub struct Engine {
    webhook: Webhook,
    settings: Settings,
    health: Health,
    missing: Vec<Gap>,
    settled: Vec<Attempt>,
    step: Step,
    patience: Patience,
    gone: bool,
}

#[derive(Debug, Clone)]
enum Step {
    Idle,
    Intending(Intent),
    /// The intent is durable; the call is made or about to be.
    Creating {
        live: Live,
        called: bool,
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
struct Live {
    number: u64,
    intent: Intent,
    /// The receiver's health before the call.
    health: Health,
    since: SignedDuration,
}

impl Engine {
    /// Creates an engine from what the ledger remembers.
    ///
    /// An attempt that an earlier run left open is settled first, as failed: whether its job
    /// delivered everything was not seen from beginning to end. Asking again is safe, since
    /// events are stored once; should the job still run, X answers with a conflict.
    pub fn new(
        webhook: Webhook,
        settings: Settings,
        health: Health,
        attempts: Vec<Attempt>,
    ) -> Self {
        let (open, settled): (Vec<_>, Vec<_>) =
            attempts.into_iter().partition(|attempt| attempt.outcome.is_open());
        let step = open.into_iter().next_back().map_or(Step::Idle, |attempt| {
            let job = match attempt.outcome {
                Outcome::Running { job } => Some(job),
                _ => None,
            };
            let Attempt { number, intent, .. } = attempt;
            let live = Live { number, intent, health, since: SignedDuration::ZERO };
            Step::Settling { live, outcome: failed(job, "the receiver stopped before the end") }
        });
        let patience = Patience::new(settings.pause, settings.long_pause);
        let missing = Vec::new();
        Self { webhook, settings, health, missing, settled, step, patience, gone: false }
    }

    /// Returns what is to be done now, or `None` when there is nothing to do but wait.
    ///
    /// The same action is returned until its result is told.
    pub fn next_action(&mut self, now: Moment) -> Option<Action> {
        if matches!(self.step, Step::Idle) {
            let ready = self.plan(now).now;
            let free = |core| self.patience.wait(core, now.uptime).is_zero();
            let window = ready.into_iter().find(|window| free(window.core))?;
            let (webhook, core, request) = (self.webhook.id, window.core, window.request);
            self.step = Step::Intending(Intent { webhook, core, request, at: now.x });
        }
        match &mut self.step {
            Step::Idle => None,
            Step::Intending(intent) => Some(Action::Intend(*intent)),
            Step::Creating { live, called, .. } => {
                *called = true;
                let Intent { webhook, request, .. } = live.intent;
                Some(Action::Create { webhook, request })
            }
            Step::Noting { live, job, .. } => Some(Action::Settle {
                attempt: live.number,
                outcome: Outcome::Running { job: *job },
            }),
            Step::Running { live, job } => {
                if now.uptime.saturating_sub(live.since) < self.settings.completion_timeout {
                    return None;
                }
                let outcome = failed(Some(*job), "no completion arrived in time");
                let attempt = live.number;
                self.step = Step::Settling { live: *live, outcome: outcome.clone() };
                Some(Action::Settle { attempt, outcome })
            }
            Step::Settling { live, outcome } => {
                Some(Action::Settle { attempt: live.number, outcome: outcome.clone() })
            }
        }
    }

    /// Returns after how long to ask again although nothing happened; `None` when nothing is
    /// pending. X's clock may be set forward meanwhile, so asking earlier does no harm.
    pub fn next_wakeup(&self, now: Moment) -> Option<SignedDuration> {
        match &self.step {
            Step::Idle => {
                let plan = self.plan(now);
                let ready = plan.now.iter().map(|w| self.patience.wait(w.core, now.uptime));
                let all = self.patience.wait_all(now.uptime);
                let later = plan.later.iter().map(|l| l.at.duration_since(now.x).max(all));
                ready.chain(later).min()
            }
            Step::Running { live, .. } => {
                let since = now.uptime.saturating_sub(live.since);
                let left = self.settings.completion_timeout.saturating_sub(since);
                Some(left.max(SignedDuration::ZERO))
            }
            _ => Some(SignedDuration::ZERO),
        }
    }

    /// Takes note of what happened.
    pub fn on(&mut self, input: Input, now: Moment) {
        let step = std::mem::replace(&mut self.step, Step::Idle);
        self.step = match (step, input) {
            (step, Input::Gaps(gaps)) => {
                self.missing = gaps;
                step
            }
            (step, Input::Health(health)) => {
                self.health = health;
                step
            }
            (Step::Intending(intent), Input::Intended(number)) => {
                let live = Live { number, intent, health: self.health, since: now.uptime };
                Step::Creating { live, called: false, early: Vec::new() }
            }
            (Step::Creating { live, called: true, early }, Input::Accepted(job)) => {
                self.patience.relieve();
                Step::Noting { live, job, early }
            }
            (Step::Creating { live, called: true, .. }, Input::Refused(refusal)) => {
                self.refuse(refusal.kind, live.intent, now);
                Step::Settling { live, outcome: failed(None, &refusal.words) }
            }
            // A short job may end before X's answer to its creation is read.
            (Step::Creating { live, called, mut early }, Input::Completed(status)) => {
                early.push(status);
                Step::Creating { live, called, early }
            }
            (Step::Noting { live, job, mut early }, Input::Completed(status)) => {
                early.push(status);
                Step::Noting { live, job, early }
            }
            (Step::Noting { live, job, early }, Input::Settled) => {
                match early.into_iter().find(|status| status.job_id == job) {
                    Some(status) => Step::Settling { live, outcome: self.judge(live, &status) },
                    None => Step::Running { live, job },
                }
            }
            (Step::Running { live, job }, Input::Completed(status)) if status.job_id == job => {
                Step::Settling { live, outcome: self.judge(live, &status) }
            }
            (Step::Settling { live, outcome }, Input::Settled) => {
                let job_failed = match &outcome {
                    Outcome::Incomplete { .. } => true,
                    Outcome::Failed { job, .. } => job.is_some(),
                    _ => false,
                };
                if job_failed {
                    self.patience.hold(live.intent.core, now.uptime);
                }
                let Live { number, intent, .. } = live;
                self.settled.push(Attempt { number, intent, outcome, settled_at: now.x });
                Step::Idle
            }
            (step, _) => step,
        };
    }

    /// Returns the plan as it stands, without the window of a live job: what can be asked for
    /// now, what has to wait, and what is lost, windows that were given up included.
    pub fn plan(&self, now: Moment) -> Plan {
        let live = match &self.step {
            Step::Idle => None,
            Step::Intending(intent) => Some(intent.core),
            Step::Creating { live, .. }
            | Step::Noting { live, .. }
            | Step::Running { live, .. }
            | Step::Settling { live, .. } => Some(live.intent.core),
        };
        let recovered = self.settled.iter().filter_map(|attempt| match attempt.outcome {
            Outcome::Recovered { .. } => Some(attempt.intent.core),
            _ => None,
        });
        let given_up = self.given_up();
        let closed: Vec<_> = recovered.chain(given_up.iter().copied()).chain(live).collect();
        let missing = outstanding(&self.missing, &closed);
        let (early, missing) = match self.webhook.created_at {
            Some(created_at) => split_at(&missing, created_at),
            None => (Vec::new(), missing),
        };
        let mut plan = plan(&missing, now.x, &self.settings.limits);
        let lost = |core: ReplayWindow, reason| Lost {
            from: core.from_date().start(),
            to: core.to_date().start(),
            reason,
        };
        let tries = self.settings.tries;
        plan.lost.extend(early.into_iter().map(|core| lost(core, LostReason::BeforeWebhook)));
        let given_up = given_up.into_iter();
        plan.lost.extend(given_up.map(|core| lost(core, LostReason::GivenUp { tries })));
        plan
    }

    /// Says whether anything is missing that may still be had, or a job is under way.
    pub fn is_pending(&self, now: Moment) -> bool {
        self.next_wakeup(now).is_some()
    }

    /// Says whether X no longer knows the webhook, and everything is settled: then another engine
    /// is needed, for the webhook that took its place.
    pub fn is_gone(&self) -> bool {
        self.gone && matches!(self.step, Step::Idle)
    }

    fn judge(&self, live: Live, status: &ReplayJobStatus) -> Outcome {
        let job = status.job_id;
        let words = status.job_state_description.as_deref();
        match &status.job_state {
            JobState::Complete if live.health == self.health => Outcome::Recovered { job },
            JobState::Complete => failed(Some(job), "the receiver refused deliveries meanwhile"),
            JobState::Incomplete => {
                let reason = words.unwrap_or("the job ended incomplete").to_owned();
                Outcome::Incomplete { job, reason }
            }
            other => Outcome::Incomplete { job, reason: format!("the job ended as {other:?}") },
        }
    }

    fn refuse(&mut self, kind: RefusalKind, intent: Intent, now: Moment) {
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
                self.doubt_look_back(intent, now);
            }
            RefusalKind::Gone => {
                self.gone = true;
                self.patience.back_off(now.uptime);
            }
            RefusalKind::Lasting => self.patience.rest_long(now.uptime),
        }
    }

    /// X refused a window that begins near the look-back: its own is shorter than we think, and
    /// without the oldest minutes the rest of the window can be had.
    fn doubt_look_back(&mut self, intent: Intent, now: Moment) {
        let look_back = &mut self.settings.limits.look_back;
        let age = now.x.duration_since(intent.request.from_date().start());
        if age.saturating_add(NEAR_THE_EDGE) >= *look_back && *look_back > LESS_LOOK_BACK * 2 {
            *look_back = look_back.saturating_sub(LESS_LOOK_BACK);
        }
    }

    /// Returns the cores that X has ended incomplete as often as is tried.
    fn given_up(&self) -> Vec<ReplayWindow> {
        let mut failures: BTreeMap<ReplayWindow, usize> = BTreeMap::new();
        for attempt in &self.settled {
            if matches!(attempt.outcome, Outcome::Incomplete { .. }) {
                *failures.entry(attempt.intent.core).or_default() += 1;
            }
        }
        failures.retain(|_, count| *count >= self.settings.tries);
        failures.into_keys().collect()
    }
}

fn failed(job: Option<JobId>, reason: &str) -> Outcome {
    Outcome::Failed { job, reason: reason.to_owned() }
}

/// Cuts windows at a time, into what is before its minute and what is from it on.
fn split_at(
    windows: &[ReplayWindow],
    time: jiff::Timestamp,
) -> (Vec<ReplayWindow>, Vec<ReplayWindow>) {
    let minute = aaa_types::UtcMinute::floor(time);
    let before = |w: &ReplayWindow| ReplayWindow::new(w.from_date(), w.to_date().min(minute)).ok();
    let after = |w: &ReplayWindow| ReplayWindow::new(w.from_date().max(minute), w.to_date()).ok();
    (windows.iter().filter_map(before).collect(), windows.iter().filter_map(after).collect())
}

#[cfg(test)]
mod tests;
