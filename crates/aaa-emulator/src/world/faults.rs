//! Planned faults, and when they fire.

use aaa_types::UserId;
use jiff::Timestamp;

use super::World;
use crate::control::{Action, Cause, Fault, Faults, Match, Operation, PlannedFault};

/// The faults, in the order in which they were planned.
#[derive(Debug, Default)]
pub(super) struct Planned(Vec<(PlannedFault, u32)>);

/// On what an action works. Each fault is asked only on occasions of its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Delivery,
    Call,
    JobState,
    JobEnd,
}

/// A moment at which something could go wrong.
pub(super) struct Occasion<'a> {
    pub(super) kind: Option<&'a str>,
    pub(super) user: Option<UserId>,
    pub(super) cause: Option<Cause>,
    pub(super) operation: Option<Operation>,
}

impl Occasion<'_> {
    /// A replay job has ended.
    pub(super) fn completion() -> Self {
        Self { kind: Some("replay_job_status"), user: None, cause: None, operation: None }
    }
}

impl Planned {
    /// Returns what goes wrong now.
    pub(super) fn fire(&mut self, class: Class, occasion: &Occasion<'_>) -> Option<Action> {
        for (fault, seen) in &mut self.0 {
            let is_left = fault.fired < fault.planned;
            if !is_left || class_of(fault.action) != class || !fits(&fault.when, occasion) {
                continue;
            }
            *seen += 1;
            if *seen >= fault.when.nth.unwrap_or(1) {
                fault.fired += 1;
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
        if fault.times == 0 || fault.when.nth == Some(0) {
            return Err("`times` and `nth` begin with 1");
        }
        if let Action::Respond { status } = fault.action
            && !(400..=599).contains(&status)
        {
            return Err("`status` must be an error, 400 to 599");
        }
        let is_call = matches!(fault.action, Action::Respond { .. });
        if is_call != fault.when.operation.is_some() {
            return Err("`operation` belongs to `respond`, and `respond` needs one");
        }
        let planned = PlannedFault {
            id: (self.faults.0.len() + 1).to_string(),
            when: fault.when,
            action: fault.action,
            planned: fault.times,
            fired: 0,
        };
        self.faults.0.push((planned.clone(), 0));
        Ok(planned)
    }

    /// Returns the planned faults, and how often each fired.
    pub fn faults(&self) -> Faults {
        Faults { faults: self.faults.0.iter().map(|(fault, _)| fault.clone()).collect() }
    }

    /// Returns the status that a planned fault gives to a call of the API.
    pub fn call_fault(&mut self, operation: Operation, now: Timestamp) -> Option<u16> {
        self.observe(now);
        let occasion = Occasion { kind: None, user: None, cause: None, operation: Some(operation) };
        match self.faults.fire(Class::Call, &occasion) {
            Some(Action::Respond { status }) => Some(status),
            _ => None,
        }
    }
}

fn class_of(action: Action) -> Class {
    match action {
        Action::Drop
        | Action::LoseAnswer
        | Action::Delay { .. }
        | Action::Duplicate
        | Action::BadSignature
        | Action::Corrupt
        | Action::Truncate => Class::Delivery,
        Action::Respond { .. } => Class::Call,
        Action::IncompleteJob | Action::CompleteJob => Class::JobState,
        Action::MissingCompletion => Class::JobEnd,
    }
}

fn fits(when: &Match, occasion: &Occasion<'_>) -> bool {
    when.kind.as_deref().is_none_or(|kind| occasion.kind == Some(kind))
        && when.user_id.is_none_or(|user| occasion.user == Some(user))
        && when.cause.is_none_or(|cause| occasion.cause == Some(cause))
        && when.operation.is_none_or(|operation| occasion.operation == Some(operation))
}
