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

#[cfg(test)]
mod tests {
    use aaa_types::{JobId, ReplayWindow};
    use jiff::Timestamp;

    use super::*;
    use crate::{
        coverage::Cause,
        ledger::Intent,
        plan::{LaterWindow, Lost, LostReason, Plan, Window},
    };

    fn at() -> Timestamp {
        "2025-11-22T12:00:00Z".parse().unwrap()
    }

    fn window() -> ReplayWindow {
        ReplayWindow::new("202511221000".parse().unwrap(), "202511221010".parse().unwrap()).unwrap()
    }

    #[test]
    fn attempts_count_by_what_came_of_them_and_what_they_were_for() {
        let job: JobId = "5".parse().unwrap();
        let reason = || "no".to_owned();
        let mut figures = Figures::default();
        for (outcome, purpose, found) in [
            (Outcome::Recovered { job }, Purpose::Gap, 4),
            (Outcome::Recovered { job }, Purpose::Sweep, 50),
            (Outcome::Recovered { job }, Purpose::Sweep, 0),
            (Outcome::Incomplete { job, reason: reason() }, Purpose::Gap, 2),
            (Outcome::Incomplete { job, reason: reason() }, Purpose::Sweep, 3),
            (Outcome::Failed { job: None, reason: reason() }, Purpose::Gap, 0),
            // Nothing has come of these.
            (Outcome::Intended, Purpose::Gap, 0),
            (Outcome::Running { job }, Purpose::Gap, 0),
        ] {
            let (webhook, core) = ("12".parse().unwrap(), window());
            let intent = Intent { webhook, core, request: core, at: at(), purpose };
            figures.note(&Attempt { number: 1, intent, outcome, settled_at: at(), found });
        }
        let expected = Figures {
            recovered: 3,
            incomplete: 2,
            failed: 1,
            found: 6,
            swept: 53,
            ..Figures::default()
        };
        assert_eq!(figures, expected);
    }

    #[test]
    fn plans_are_counted_beside_what_was_done() {
        let window = Window { core: window(), request: window() };
        let later = LaterWindow { window, at: at() };
        let lost = |reason| Lost { from: at(), to: at(), reason };
        let perhaps = lost(LostReason::MaybeNotAttempted { cause: Cause::Invalid });
        let gaps = Plan {
            now: vec![window; 2],
            later: vec![later; 3],
            lost: vec![perhaps.clone(), lost(LostReason::GivenUp { tries: 3 }), perhaps],
        };
        let sweep = Plan { now: vec![window; 4], later: vec![later; 5], lost: Vec::new() };
        let done = Figures { recovered: 7, found: 8, ..Figures::default() };
        let expected =
            Figures { now: 2, later: 3, lost: 1, maybe_lost: 2, to_sweep: 9, running: 1, ..done };
        assert_eq!(done.of(&Plans { gaps, sweep }, 1), expected);
    }

    #[test]
    fn the_figures_of_two_engines_add_up() {
        let all = |n: u64| Figures {
            now: n as usize,
            later: 2 * n as usize,
            lost: 3 * n as usize,
            maybe_lost: 4 * n as usize,
            to_sweep: 5 * n as usize,
            running: 6 * n as usize,
            recovered: 7 * n,
            incomplete: 8 * n,
            failed: 9 * n,
            found: 10 * n,
            swept: 11 * n,
        };
        assert_eq!(all(3).plus(all(40)), all(43));
    }
}
