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
//! * With work pending there is always an action or a time to wake up.

use aaa_types::{
    JobId, ReplayWindow, WebhookId,
    payload::{JobState, ReplayJobStatus},
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    coverage::{Gap, RunId},
    ledger::{Attempt, Intent, Outcome},
    plan::{Limits, Lost, Plan, outstanding, plan},
};

/// How patient the engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// X's rules.
    pub limits: Limits,
    /// How often a window is replayed before it is given up.
    pub tries: usize,
    /// How long a completion may take before it counts as missed.
    pub completion_timeout: SignedDuration,
    /// How long to wait after a job of somebody else was in the way, and between tries.
    pub pause: SignedDuration,
    /// How long to wait after a refusal that will not pass by itself.
    pub long_pause: SignedDuration,
}

impl Settings {
    /// Returns the settings for a set of rules.
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            tries: 5,
            completion_timeout: SignedDuration::from_mins(30),
            pause: SignedDuration::from_secs(30),
            long_pause: SignedDuration::from_mins(10),
        }
    }
}

/// What the driver has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Record the intent, then tell [`Input::Intended`].
    Intend(Intent),
    /// Ask X for a job, then tell [`Input::Accepted`] or [`Input::Refused`].
    Create {
        /// The webhook.
        webhook: WebhookId,
        /// The minutes.
        request: ReplayWindow,
    },
    /// Record the outcome, then tell [`Input::Settled`].
    Settle {
        /// The attempt.
        attempt: u64,
        /// What came of it.
        outcome: Outcome,
    },
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// These are the gaps now, old ones included.
    Gaps(Vec<Gap>),
    /// The receiver's run, and how many verified deliveries it has refused.
    Health(Health),
    /// The intent is durable under this number.
    Intended(u64),
    /// X accepted the job.
    Accepted(JobId),
    /// X did not accept the job, or its answer was lost.
    Refused(Refusal),
    /// The outcome is durable.
    Settled,
    /// A job ended.
    Completed(ReplayJobStatus),
}

/// What the receiver says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Its run.
    pub run: RunId,
    /// How many verified deliveries it has refused in this run.
    pub refusals: u64,
}

/// Why there is no job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of refusal it is.
    pub kind: RefusalKind,
    /// X's own words.
    pub words: String,
}

/// Kinds of refusals, by what helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// A job is in progress: wait.
    Conflict,
    /// Too many requests: wait until then, on X's clock.
    RateLimited(Option<Timestamp>),
    /// A fault that may pass, a lost answer included: try again.
    Passing,
    /// Wrong credentials or parameters: somebody has to look.
    Lasting,
}

/// The state machine for one webhook.
#[derive(Debug)]
pub struct Engine {
    webhook: WebhookId,
    settings: Settings,
    health: Health,
    missing: Vec<Gap>,
    settled: Vec<Attempt>,
    step: Step,
    not_before: Option<Timestamp>,
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
    /// The receiver's health when the call was made.
    health: Health,
}

impl Engine {
    /// Creates an engine from what the ledger remembers.
    ///
    /// An attempt that an earlier run left open is settled first, as failed: whether its job
    /// delivered everything was not seen from beginning to end. Asking again is safe, since
    /// events are stored once; should the job still run, X answers with a conflict.
    pub fn new(
        webhook: WebhookId,
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
            let live = Live { number: attempt.number, intent: attempt.intent, health };
            Step::Settling { live, outcome: failed(job, "the receiver stopped before the end") }
        });
        let missing = Vec::new();
        Self { webhook, settings, health, missing, settled, step, not_before: None }
    }

    /// Returns what is to be done now, or `None` when there is nothing to do but wait.
    ///
    /// The same action is returned until its result is told.
    pub fn next_action(&mut self, now: Timestamp) -> Option<Action> {
        if matches!(self.step, Step::Idle) && self.not_before.is_none_or(|time| time <= now) {
            let window = self.plan(now).now.first().copied()?;
            let (webhook, core, request) = (self.webhook, window.core, window.request);
            self.step = Step::Intending(Intent { webhook, core, request, at: now });
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
                let since = now.duration_since(live.intent.at);
                if since < self.settings.completion_timeout {
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

    /// Returns when to ask again although nothing happened; `None` when nothing is pending.
    pub fn next_wakeup(&self, now: Timestamp) -> Option<Timestamp> {
        match &self.step {
            Step::Idle => {
                let plan = self.plan(now);
                let ready = plan.now.first().map(|_| now);
                let next = ready.or_else(|| plan.later.iter().map(|later| later.at).min())?;
                Some(self.not_before.map_or(next, |time| time.max(next)))
            }
            Step::Running { live, .. } => Some(
                live.intent
                    .at
                    .saturating_add(self.settings.completion_timeout)
                    .unwrap_or(Timestamp::MAX),
            ),
            _ => Some(now),
        }
    }

    /// Takes note of what happened.
    pub fn on(&mut self, input: Input, now: Timestamp) {
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
                let live = Live { number, intent, health: self.health };
                Step::Creating { live, called: false, early: Vec::new() }
            }
            (Step::Creating { live, called: true, early }, Input::Accepted(job)) => {
                Step::Noting { live, job, early }
            }
            (Step::Creating { live, called: true, .. }, Input::Refused(refusal)) => {
                self.pause(refusal.kind, now);
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
                    Some(status) => self.complete(live, &status, now),
                    None => Step::Running { live, job },
                }
            }
            (Step::Running { live, job }, Input::Completed(status)) if status.job_id == job => {
                self.complete(live, &status, now)
            }
            (Step::Settling { live, outcome }, Input::Settled) => {
                let Live { number, intent, .. } = live;
                self.settled.push(Attempt { number, intent, outcome, settled_at: now });
                Step::Idle
            }
            (step, _) => step,
        };
    }

    /// Returns the plan as it stands, without the window of a live job: what can be asked for
    /// now, what has to wait, and what is lost, exhausted windows included.
    pub fn plan(&self, now: Timestamp) -> Plan {
        let live = match &self.step {
            Step::Idle => None,
            Step::Intending(intent) => Some(intent.core),
            Step::Creating { live, .. }
            | Step::Noting { live, .. }
            | Step::Running { live, .. }
            | Step::Settling { live, .. } => Some(live.intent.core),
        };
        let recovered = self
            .settled
            .iter()
            .filter(|attempt| matches!(attempt.outcome, Outcome::Recovered { .. }));
        let exhausted = self.exhausted();
        let closed: Vec<_> = recovered
            .map(|attempt| attempt.intent.core)
            .chain(exhausted.iter().copied())
            .chain(live)
            .collect();
        let mut plan = plan(&outstanding(&self.missing, &closed), now, &self.settings.limits);
        plan.lost.extend(exhausted.into_iter().map(|core| Lost {
            from: core.from_date().start(),
            to: core.to_date().start(),
            reason: format!("{} replay jobs did not deliver everything", self.settings.tries),
        }));
        plan
    }

    /// Says whether anything is missing that may still be had, or a job is under way.
    pub fn is_pending(&self, now: Timestamp) -> bool {
        self.next_wakeup(now).is_some()
    }

    fn complete(&mut self, live: Live, status: &ReplayJobStatus, now: Timestamp) -> Step {
        let job = status.job_id;
        let outcome = match &status.job_state {
            JobState::Complete if live.health == self.health => Outcome::Recovered { job },
            JobState::Complete => failed(Some(job), "the receiver refused deliveries meanwhile"),
            JobState::Incomplete => failed(Some(job), "the job ended incomplete"),
            other => failed(Some(job), &format!("the job ended as {other:?}")),
        };
        if !matches!(outcome, Outcome::Recovered { .. }) {
            self.pause(RefusalKind::Passing, now);
        }
        Step::Settling { live, outcome }
    }

    fn pause(&mut self, kind: RefusalKind, now: Timestamp) {
        let after = |pause| now.saturating_add(pause).unwrap_or(Timestamp::MAX);
        self.not_before = Some(match kind {
            RefusalKind::Conflict | RefusalKind::Passing | RefusalKind::RateLimited(None) => {
                after(self.settings.pause)
            }
            RefusalKind::RateLimited(Some(reset)) => reset.max(now),
            RefusalKind::Lasting => after(self.settings.long_pause),
        });
    }

    /// Returns the cores that were replayed as often as allowed and not recovered. Only attempts
    /// with a job count: a refusal says nothing about the events.
    fn exhausted(&self) -> Vec<ReplayWindow> {
        let mut failures: std::collections::BTreeMap<ReplayWindow, usize> = Default::default();
        for attempt in &self.settled {
            if matches!(attempt.outcome, Outcome::Failed { job: Some(_), .. }) {
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

#[cfg(test)]
mod tests;
