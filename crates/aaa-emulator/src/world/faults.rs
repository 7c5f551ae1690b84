//! Planned faults, and when they fire.

mod sense;

use std::collections::VecDeque;

use aaa_types::{UserId, WebhookId};
use jiff::{SignedDuration, Timestamp};

use super::{Effect, World, random::Random};
use crate::control::{
    Action, Cause, CheckCause, Fault, Faults, Firing, Match, Operation, PlannedFault,
};

/// How many firings the journal keeps.
const JOURNAL: usize = 100_000;

/// The faults, in the order in which they were planned.
#[derive(Debug)]
pub(super) struct Planned {
    faults: Vec<(PlannedFault, u32)>,
    journal: VecDeque<Firing>,
    /// Of their own, so that a fault changes no id.
    random: Random,
}

/// On what an action works. Each fault is asked only on occasions of its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Delivery,
    Call,
    Check,
    JobState,
    JobEnd,
}

/// A moment at which something could go wrong.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Occasion<'a> {
    pub(super) kind: Option<&'a str>,
    pub(super) user: Option<UserId>,
    pub(super) webhook: Option<WebhookId>,
    pub(super) cause: Option<Cause>,
    pub(super) operation: Option<Operation>,
    pub(super) check: Option<CheckCause>,
    pub(super) event: Option<u64>,
}

impl Occasion<'_> {
    /// A replay job has ended.
    pub(super) fn completion(webhook: WebhookId) -> Self {
        Self { kind: Some("replay_job_status"), webhook: Some(webhook), ..Self::default() }
    }
}

impl Planned {
    pub(super) fn new(seed: u64) -> Self {
        // Another stream than that of the ids, from the same seed.
        let random = Random::new(seed ^ 0xfa17_fa17_fa17_fa17);
        Self { faults: Vec::new(), journal: VecDeque::new(), random }
    }

    /// Returns what goes wrong now.
    fn fire(&mut self, class: Class, occasion: &Occasion<'_>, now: Timestamp) -> Option<Action> {
        for (fault, seen) in &mut self.faults {
            let is_left = fault.fired < fault.planned;
            if !is_left
                || sense::class_of(&fault.when, fault.action) != class
                || !fits(&fault.when, occasion)
            {
                continue;
            }
            *seen = seen.saturating_add(1);
            let is_late_enough = *seen >= fault.when.nth.unwrap_or(1);
            let probability = fault.when.probability;
            if is_late_enough && probability.is_none_or(|p| p.happens(self.random.next())) {
                fault.fired += 1;
                if self.journal.len() == JOURNAL {
                    self.journal.pop_front();
                }
                self.journal.push_back(Firing {
                    at: now,
                    fault_id: fault.id.clone(),
                    event_id: occasion.event.map(|id| id.to_string()),
                    kind: occasion.kind.map(str::to_owned),
                    user_id: occasion.user,
                    webhook_id: occasion.webhook,
                    cause: occasion.cause,
                    operation: occasion.operation,
                    check: occasion.check,
                });
                return Some(fault.action);
            }
        }
        None
    }
}

impl World {
    /// Plans a fault.
    ///
    /// # Errors
    ///
    /// Says what is wrong with a fault that could never fire, or not as it says.
    pub fn plan_fault(&mut self, fault: Fault) -> Result<PlannedFault, &'static str> {
        sense::judge(&fault)?;
        let planned = PlannedFault {
            id: (self.faults.faults.len() + 1).to_string(),
            when: fault.when,
            action: fault.action,
            planned: fault.times,
            fired: 0,
        };
        self.faults.faults.push((planned.clone(), 0));
        Ok(planned)
    }

    /// Returns the planned faults, how often each fired, and on what.
    pub fn faults(&self) -> Faults {
        let faults = self.faults.faults.iter().map(|(fault, _)| fault.clone());
        Faults { faults: faults.collect(), journal: self.faults.journal.iter().cloned().collect() }
    }

    /// Returns the planned faults, and how often each fired. Of what fired there can be much.
    pub(crate) fn faults_without_journal(&self) -> Faults {
        let faults = self.faults.faults.iter().map(|(fault, _)| fault.clone());
        Faults { faults: faults.collect(), journal: Vec::new() }
    }

    /// Returns the last faults that were planned, and how many there are.
    pub(crate) fn latest_faults(&self, count: usize) -> (Vec<PlannedFault>, usize) {
        let all = &self.faults.faults;
        let latest = all.iter().rev().take(count).map(|(fault, _)| fault.clone());
        (latest.collect(), all.len())
    }

    /// Returns what goes wrong with a call of the API.
    pub fn call_fault(
        &mut self,
        operation: Operation,
        user: Option<UserId>,
        now: Timestamp,
    ) -> Option<Action> {
        self.observe(now);
        let occasion = Occasion { user, operation: Some(operation), ..Occasion::default() };
        self.fire(Class::Call, &occasion)
    }

    /// Returns what goes wrong now. A jump of the clock is nothing that goes wrong by itself.
    pub(super) fn fire(&mut self, class: Class, occasion: &Occasion<'_>) -> Option<Action> {
        match self.faults.fire(class, occasion, self.now) {
            Some(Action::JumpClock { seconds }) => {
                let by = i64::try_from(seconds).unwrap_or(i64::MAX);
                self.effects.push(Effect::JumpClock(SignedDuration::from_secs(by)));
                None
            }
            action => action,
        }
    }
}

fn fits(when: &Match, occasion: &Occasion<'_>) -> bool {
    when.kind.as_deref().is_none_or(|kind| occasion.kind == Some(kind))
        && when.user_id.is_none_or(|user| occasion.user == Some(user))
        && when.webhook_id.is_none_or(|webhook| occasion.webhook == Some(webhook))
        && when.cause.is_none_or(|cause| occasion.cause == Some(cause))
        && when.operation.is_none_or(|operation| occasion.operation == Some(operation))
        && when.check.is_none_or(|check| occasion.check == Some(check))
}
