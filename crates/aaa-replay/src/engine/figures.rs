use serde::Serialize;

use super::work::Plans;
use crate::ledger::{Attempt, Outcome, Purpose};

/// Figures about an engine at one moment, for whoever watches it.
///
/// # Examples
///
/// ```
/// use aaa_replay::engine::Figures;
///
/// let one = Figures { recovered: 2, found: 7, ..Figures::default() };
/// assert_eq!(one.plus(one).found, 14);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Windows that can be asked for now.
    pub now: usize,
    /// Windows that X does not take yet.
    pub later: usize,
    /// Stretches that are lost for certain.
    pub lost: usize,
    /// Stretches that may be lost.
    pub maybe_lost: usize,
    /// Windows of covered time that wait to be looked at, now or later.
    pub to_sweep: usize,
    /// Jobs that run.
    pub running: usize,
    /// Attempts that recovered their window.
    pub recovered: u64,
    /// Attempts that X ended incomplete.
    pub incomplete: u64,
    /// Attempts that failed otherwise.
    pub failed: u64,
    /// Events that attempts to close gaps found.
    pub found: u64,
    /// Events that sweeps found.
    pub swept: u64,
}

impl Figures {
    /// Takes note of an attempt that is settled.
    pub(super) fn note(&mut self, attempt: &Attempt) {
        match attempt.outcome {
            Outcome::Recovered { .. } => self.recovered += 1,
            Outcome::Incomplete { .. } => self.incomplete += 1,
            Outcome::Failed { .. } => self.failed += 1,
            Outcome::Intended | Outcome::Running { .. } => {}
        }
        match attempt.intent.purpose {
            Purpose::Gap => self.found += attempt.found,
            Purpose::Sweep => self.swept += attempt.found,
        }
    }

    /// Adds what the plans say.
    pub(super) fn of(self, plans: &Plans, running: usize) -> Self {
        let lost = plans.gaps.lost.iter().filter(|lost| lost.reason.is_certain()).count();
        Self {
            now: plans.gaps.now.len(),
            later: plans.gaps.later.len(),
            lost,
            maybe_lost: plans.gaps.lost.len() - lost,
            to_sweep: plans.sweep.now.len() + plans.sweep.later.len(),
            running,
            ..self
        }
    }

    /// Adds the figures of another engine.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            now: self.now + other.now,
            later: self.later + other.later,
            lost: self.lost + other.lost,
            maybe_lost: self.maybe_lost + other.maybe_lost,
            to_sweep: self.to_sweep + other.to_sweep,
            running: self.running + other.running,
            recovered: self.recovered + other.recovered,
            incomplete: self.incomplete + other.incomplete,
            failed: self.failed + other.failed,
            found: self.found + other.found,
            swept: self.swept + other.swept,
        }
    }
}
