//! Decides what to do next about the gaps; does none of it itself.
//!
//! The driver asks [`Engine::next_action`], does it, and tells [`Engine::on`] what happened. Time,
//! store and network are the driver's, so the engine can be led through any history on a fake
//! clock. An [`Engine`] is for one webhook, a [`Fleet`] for all webhooks of an app.
//!
//! # Invariants
//!
//! * There is never more than one live job: the next is only created when the last is settled.
//! * An intent is recorded before the call it announces, an outcome after.
//! * A window counts as recovered only if its job ended `Complete` and the receiver, in one run,
//!   refused nothing from the call to the completion: replayed deliveries are not retried.
//! * What X ends incomplete is asked for a few times more, then in halves, down to a minute. Only
//!   a minute is given up, and only when X itself, often enough, said that its job was incomplete,
//!   at last of that minute alone.
//!   What fails for another reason is tried until X no longer has it. While the receiver refused
//!   something, that is another reason, whatever X says; such windows are halved, too, since less
//!   may get through.
//! * No more calls are made than X takes.
//! * With work pending there is always an action or a time to wake up.

mod budget;
mod figures;
mod fleet;
mod halving;
mod judge;
mod learned;
mod patience;
mod settings;
mod step;
mod words;
mod work;

use jiff::SignedDuration;

#[cfg(feature = "broken")]
pub use self::settings::Flaw;
use self::{
    budget::Budget,
    judge::failed,
    patience::Patience,
    step::{Live, Step},
    work::Work,
};
pub use self::{
    figures::Figures,
    fleet::Fleet,
    learned::learned,
    settings::{Rate, Settings},
    words::{Action, Health, Input, Moment, Quota, Refusal, RefusalKind, Webhook},
};
use crate::{
    ledger::{Attempt, Intent, Outcome, Purpose},
    plan::{Plan, Window},
};

/// The state machine for one webhook.
#[derive(Debug)]
pub struct Engine {
    webhook: Webhook,
    settings: Settings,
    health: Health,
    work: Work,
    step: Step,
    /// Attempts that an earlier run left open besides.
    open: Vec<(Live, Outcome)>,
    patience: Patience,
    budget: Budget,
    figures: Figures,
    gone: bool,
    stopped: bool,
}

impl Engine {
    /// Creates an engine from what the ledger remembers; attempts for other webhooks only tell
    /// how many calls were made.
    ///
    /// What an earlier run left open is settled first, as failed: whether its job delivered
    /// everything was not seen from beginning to end. Asking again is safe, since
    /// events are stored once; should the job still run, X answers with a conflict.
    pub fn new(
        webhook: Webhook,
        settings: Settings,
        health: Health,
        attempts: Vec<Attempt>,
    ) -> Self {
        let mut engine = Self {
            webhook,
            settings,
            health,
            work: Work::new(webhook, settings.tries),
            step: Step::Idle,
            open: Vec::new(),
            patience: Patience::new(settings.pause, settings.long_pause),
            budget: Budget::new(settings.rate),
            figures: Figures::default(),
            gone: false,
            stopped: false,
        };
        for attempt in attempts {
            engine.budget.note(attempt.intent.at);
            if attempt.intent.webhook != webhook.id {
                continue;
            }
            if !attempt.outcome.is_open() {
                engine.figures.note(&attempt);
                engine.work.settle(&attempt);
                continue;
            }
            let job = match attempt.outcome {
                Outcome::Running { job } => Some(job),
                _ => None,
            };
            let Attempt { number, intent, .. } = attempt;
            let live = Live { number, intent, health, since: SignedDuration::ZERO };
            engine.open.push((live, failed(job, "the receiver stopped before the end")));
        }
        engine.step = engine.next_step();
        engine
    }

    /// Returns the webhook.
    pub fn webhook(&self) -> Webhook {
        self.webhook
    }

    /// Returns what is to be done now, or `None` when there is nothing to do but wait.
    ///
    /// The same action is returned until its result is told.
    pub fn next_action(&mut self, now: Moment) -> Option<Action> {
        if matches!(self.step, Step::Idle) {
            let intent = self.next_intent(now)?;
            self.step = Step::begin(intent, &self.settings, self.health, now);
        }
        match &mut self.step {
            Step::Idle => None,
            Step::Intending(intent) | Step::IntendingLate { intent, .. } => {
                Some(Action::Intend(*intent))
            }
            Step::Creating { live, called, .. } => {
                if !*called {
                    *called = true;
                    self.budget.note(now.x);
                }
                let Intent { webhook, core, request, .. } = live.intent;
                let request = self.settings.asked(core, request);
                Some(Action::Create { webhook, request })
            }
            Step::Noting { live, job, .. } => Some(Action::Settle {
                attempt: live.number,
                outcome: Outcome::Running { job: *job },
            }),
            Step::Running { live, job } => {
                if now.uptime.saturating_sub(live.since) < self.settings.kept_timeout() {
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

    /// Returns the first window whose time has come, gaps before sweeps.
    fn next_intent(&mut self, now: Moment) -> Option<Intent> {
        if self.stopped || !self.budget.wait(now.x).is_zero() {
            return None;
        }
        let Self { webhook, settings, work, patience, .. } = self;
        let plans = work.plans(None, &settings.kept_limits(), now);
        let (purpose, window) = [Purpose::Gap, Purpose::Sweep].into_iter().find_map(|purpose| {
            let mut ready = plans.of(purpose).now.iter();
            let free = |w: &&Window| patience.wait(w.core, now.uptime).is_zero();
            Some((purpose, *ready.find(free)?))
        })?;
        let (core, request) = (window.core, work.request(window.core, window.request));
        Some(Intent { webhook: webhook.id, core, request, at: now.x, purpose })
    }

    /// Returns after how long to ask again although nothing happened; `None` when nothing is
    /// pending. X's clock may be set forward meanwhile, so asking earlier does no harm.
    pub fn next_wakeup(&mut self, now: Moment) -> Option<SignedDuration> {
        match &self.step {
            Step::Idle if self.stopped => None,
            Step::Idle => {
                let all = self.patience.wait_all(now.uptime).max(self.budget.wait(now.x));
                let Self { settings, work, patience, .. } = self;
                let plans = work.plans(None, &settings.kept_limits(), now);
                [&plans.gaps, &plans.sweep]
                    .into_iter()
                    .filter_map(|plan| {
                        let mut soonest: Option<SignedDuration> = None;
                        for window in &plan.now {
                            let wait = patience.wait(window.core, now.uptime).max(all);
                            soonest = Some(soonest.map_or(wait, |soonest| soonest.min(wait)));
                            if soonest == Some(all) {
                                break;
                            }
                        }
                        // What becomes ready first need not be in front: windows differ in length.
                        let later = plan.later.iter().map(|later| later.at).min();
                        let later = later.map(|at| at.duration_since(now.x).max(all));
                        soonest.into_iter().chain(later).min()
                    })
                    .min()
            }
            Step::Running { live, .. } => {
                let since = now.uptime.saturating_sub(live.since);
                let left = self.settings.kept_timeout().saturating_sub(since);
                Some(left.max(SignedDuration::ZERO))
            }
            _ => Some(SignedDuration::ZERO),
        }
    }

    /// Takes note of what happened. What does not fit, such as the completion of another job or a
    /// second one of the same, changes nothing.
    pub fn on(&mut self, input: Input, now: Moment) {
        match input {
            Input::Gaps(gaps) => self.work.set_gaps(gaps),
            Input::Declared(declared) => self.work.set_declared(declared),
            Input::Health(health) => self.health = health,
            Input::Quota(quota) => self.budget.learn(quota),
            Input::Called => self.budget.note(now.x),
            input => self.advance(input, now),
        }
    }

    /// Returns the plan for the gaps as it stands, without the window of a live job: what can be
    /// asked for now, what has to wait, and what is lost, minutes that were given up included.
    pub fn plan(&mut self, now: Moment) -> &Plan {
        self.plan_for(Purpose::Gap, now)
    }

    /// Returns the plan for a purpose.
    pub fn plan_for(&mut self, purpose: Purpose, now: Moment) -> &Plan {
        let live = self.step.live();
        self.work.plans(live, &self.settings.kept_limits(), now).of(purpose)
    }

    /// Returns figures about the engine at this moment.
    pub fn figures(&mut self, now: Moment) -> Figures {
        let running = usize::from(matches!(self.step, Step::Running { .. }));
        let figures = self.figures;
        let live = self.step.live();
        let plans = self.work.plans(live, &self.settings.kept_limits(), now);
        figures.of(plans, running)
    }

    /// Says whether anything is missing that may still be had, or a job is under way.
    pub fn is_pending(&mut self, now: Moment) -> bool {
        self.next_wakeup(now).is_some()
    }

    /// Says whether X no longer knows the webhook, and everything is settled: then another engine
    /// is needed, for the webhook that took its place.
    pub fn is_gone(&self) -> bool {
        self.gone && matches!(self.step, Step::Idle)
    }
}

#[cfg(test)]
mod tests;
