//! What X ended incomplete, and what is made of it.

use std::collections::{BTreeMap, BTreeSet};

use aaa_types::{ReplayWindow, UtcMinute};

use super::judge::is_of_our_own;
use crate::ledger::{Attempt, Outcome};

/// Halves windows that fail too often, down to a minute, and gives that up in the end, when it was
/// asked for alone.
///
/// A job that failed while the receiver refused deliveries has a window halved as well, since fewer
/// may get through; but nothing is given up for it.
///
/// Everything follows from the attempts in their order, so a restart comes to the same.
#[derive(Debug)]
pub(super) struct Halving {
    tries: usize,
    cuts: BTreeSet<UtcMinute>,
    /// By the end of a window, since the beginning moves with the look-back.
    failures: BTreeMap<UtcMinute, Failures>,
    /// By which attempt a minute was asked for last.
    given_up: BTreeMap<ReplayWindow, u64>,
}

/// How often a window has failed.
#[derive(Debug, Clone, Copy)]
struct Failures {
    /// Where it began then.
    from: UtcMinute,
    /// So often X said that its job was incomplete.
    incomplete: usize,
    /// So often the receiver had refused something meanwhile.
    refused: usize,
}

impl Failures {
    fn of(&self, core: ReplayWindow) -> usize {
        // Only X's own word counts against a minute.
        let refused = if core.minutes() == 1 { 0 } else { self.refused };
        self.incomplete.saturating_add(refused)
    }
}

impl Halving {
    pub(super) fn new(tries: usize) -> Self {
        Self {
            tries: tries.max(1),
            cuts: BTreeSet::new(),
            failures: BTreeMap::new(),
            given_up: BTreeMap::new(),
        }
    }

    /// Takes note of an attempt that is settled.
    pub(super) fn note(&mut self, attempt: &Attempt) {
        let core = attempt.intent.core;
        if matches!(attempt.outcome, Outcome::Recovered { .. }) {
            self.take_back(core, attempt.number);
        }
        let (incomplete, refused) = match &attempt.outcome {
            Outcome::Incomplete { .. } => (1, 0),
            Outcome::Failed { job: Some(_), reason } if is_of_our_own(reason) => (0, 1),
            _ => return,
        };
        let (from, to) = (core.from_date(), core.to_date());
        let before = self.before(core);
        let incomplete = before.map_or(0, |it| it.incomplete).saturating_add(incomplete);
        let refused = before.map_or(0, |it| it.refused).saturating_add(refused);
        let failures = Failures { from, incomplete, refused };
        if failures.of(core) < self.tries {
            self.failures.insert(to, failures);
            return;
        }
        self.failures.remove(&to);
        match core.halve() {
            Some((first, _)) => {
                self.cuts.insert(first.to_date());
            }
            None => {
                // Should somebody ask for it again, one more failure is enough.
                let incomplete = self.tries.saturating_sub(1);
                self.failures.insert(to, Failures { incomplete, ..failures });
                // What was asked for besides may be what failed.
                if attempt.intent.request == core {
                    self.given_up.insert(core, attempt.number);
                }
            }
        }
    }

    /// What a later attempt recovered is not given up any more.
    fn take_back(&mut self, recovered: ReplayWindow, attempt: u64) {
        let from = recovered.from_date();
        let Ok(first) = ReplayWindow::new(from, from.plus(1)) else { return };
        let within = self.given_up.range(first..);
        let within = within.take_while(|(core, _)| core.to_date() <= recovered.to_date());
        let within = within.filter(|(_, given_up)| **given_up < attempt).map(|(core, _)| *core);
        for core in within.collect::<Vec<_>>() {
            self.given_up.remove(&core);
        }
    }

    /// Says whether a window is to be asked for without any minute besides, as far as X's rules
    /// let us: it is a single minute, and its last try.
    pub(super) fn wants_alone(&self, core: ReplayWindow) -> bool {
        core.minutes() == 1 && self.count(core).saturating_add(1) >= self.tries
    }

    fn count(&self, core: ReplayWindow) -> usize {
        self.before(core).map_or(0, |before| before.of(core))
    }

    fn before(&self, core: ReplayWindow) -> Option<Failures> {
        let before = self.failures.get(&core.to_date()).copied();
        before.filter(|before| before.from <= core.from_date())
    }

    /// Returns the minutes at which windows are cut.
    pub(super) fn cuts(&self) -> &BTreeSet<UtcMinute> {
        &self.cuts
    }

    /// Returns the minutes that were given up, and by which attempt they were asked for last.
    pub(super) fn given_up(&self) -> impl Iterator<Item = (ReplayWindow, u64)> {
        self.given_up.iter().map(|(core, attempt)| (*core, *attempt))
    }

    pub(super) fn tries(&self) -> usize {
        self.tries
    }
}

#[cfg(test)]
mod tests {
    use aaa_types::JobId;
    use proptest::prelude::*;

    use super::*;
    use crate::ledger::{Intent, Purpose};

    fn minute(n: i64) -> UtcMinute {
        "202511220000".parse::<UtcMinute>().unwrap().plus(n)
    }

    fn window(from: i64, to: i64) -> ReplayWindow {
        ReplayWindow::new(minute(from), minute(to)).unwrap()
    }

    fn job() -> JobId {
        "5".parse().unwrap()
    }

    fn incomplete() -> Outcome {
        Outcome::Incomplete { job: job(), reason: "no".to_owned() }
    }

    fn attempt(number: u64, core: ReplayWindow, outcome: Outcome) -> Attempt {
        let (webhook, purpose) = ("12".parse().unwrap(), Purpose::Gap);
        let at = core.to_date().plus(20).start();
        let intent = Intent { webhook, core, request: core, at, purpose };
        Attempt { number, intent, outcome, settled_at: at, found: 0 }
    }

    fn fail(halving: &mut Halving, from: i64, to: i64) {
        halving.note(&attempt(1, window(from, to), incomplete()));
    }

    fn given_up(halving: &Halving) -> Vec<(i64, u64)> {
        let given_up = halving.given_up();
        given_up.map(|(core, attempt)| (core.from_date().since(minute(0)), attempt)).collect()
    }

    fn cuts(halving: &Halving) -> Vec<i64> {
        halving.cuts().iter().map(|cut| cut.since(minute(0))).collect()
    }

    #[test]
    fn a_window_is_halved_after_its_tries_and_each_half_has_its_own() {
        let mut halving = Halving::new(3);
        fail(&mut halving, 0, 8);
        fail(&mut halving, 1, 8);
        assert_eq!(cuts(&halving), [0; 0]);
        // The look-back has moved its beginning.
        fail(&mut halving, 2, 8);
        assert_eq!(cuts(&halving), [5]);
        for n in 1..=3 {
            assert_eq!(cuts(&halving), [5], "{n}");
            fail(&mut halving, 5, 8);
        }
        assert_eq!(cuts(&halving), [5, 6]);
        assert_eq!(halving.given_up().count(), 0);
        for _ in 0..3 {
            fail(&mut halving, 5, 6);
        }
        let given_up: Vec<_> = halving.given_up().map(|(core, _)| core.minutes()).collect();
        assert_eq!(given_up, [1]);
    }

    proptest! {
        /// However bad it gets, it ends: every window is given up after a bounded number of tries.
        #[test]
        fn it_ends(minutes in 1..200_i64, tries in 1..5_usize) {
            let mut halving = Halving::new(tries);
            let mut windows = vec![(0, minutes)];
            let mut jobs = 0;
            while let Some((from, to)) = windows.pop() {
                let cuts_before = halving.cuts().len();
                let given_up = halving.given_up().count();
                fail(&mut halving, from, to);
                jobs += 1;
                if halving.cuts().len() > cuts_before {
                    let middle = from + (to - from) / 2;
                    prop_assert!(halving.cuts().contains(&minute(middle)));
                    windows.extend([(from, middle), (middle, to)]);
                } else if halving.given_up().count() == given_up {
                    windows.push((from, to));
                }
            }
            prop_assert_eq!(halving.given_up().count(), minutes as usize);
            prop_assert_eq!(jobs, tries * (2 * minutes as usize - 1));
        }
    }

    #[test]
    fn a_job_that_failed_through_no_refusal_of_ours_halves_nothing() {
        let refused = "the receiver refused deliveries meanwhile";
        let said = format!("{refused}: the job ended incomplete");
        for (job, reason, halves) in [
            (Some(job()), refused, true),
            (Some(job()), said.as_str(), true),
            (Some(job()), "the receiver refused deliveries or stopped meanwhile", true),
            (Some(job()), "no completion arrived in time", false),
            (Some(job()), "the receiver stopped before the end", false),
            (None, refused, false),
        ] {
            let mut halving = Halving::new(2);
            for number in 1..=2 {
                let outcome = Outcome::Failed { job, reason: reason.to_owned() };
                halving.note(&attempt(number, window(0, 8), outcome));
            }
            assert_eq!(cuts(&halving), [4][..usize::from(halves)], "{job:?} {reason}");
        }
    }

    #[test]
    fn only_a_minute_at_its_last_try_is_asked_for_alone() {
        let mut halving = Halving::new(2);
        assert!(!halving.wants_alone(window(0, 1)));
        fail(&mut halving, 0, 1);
        assert!(halving.wants_alone(window(0, 1)));
        fail(&mut halving, 10, 12);
        assert!(!halving.wants_alone(window(10, 12)));
    }

    #[test]
    fn a_minute_that_is_asked_for_again_is_given_up_after_one_more_word_of_x() {
        let refused = || {
            let reason = "the receiver refused deliveries meanwhile".to_owned();
            Outcome::Failed { job: Some(job()), reason }
        };
        let mut halving = Halving::new(2);
        let mut given_up_by = Vec::new();
        for (number, outcome) in
            [incomplete(), incomplete(), refused(), incomplete()].into_iter().enumerate()
        {
            halving.note(&attempt(number as u64 + 1, window(0, 1), outcome));
            given_up_by.push(given_up(&halving));
        }
        assert_eq!(given_up_by, [vec![], vec![(0, 2)], vec![(0, 2)], vec![(0, 4)]]);
        // Nor is it our refusal that gives up what was never asked for alone.
        let mut halving = Halving::new(2);
        for number in 1..=2 {
            let mut wide = attempt(number, window(0, 1), incomplete());
            wide.intent.request = window(0, 2);
            halving.note(&wide);
        }
        halving.note(&attempt(3, window(0, 1), refused()));
        assert_eq!(given_up(&halving), []);
        halving.note(&attempt(4, window(0, 1), incomplete()));
        assert_eq!(given_up(&halving), [(0, 4)]);
    }

    #[test]
    fn what_is_recovered_later_is_given_up_no_more_and_nothing_else() {
        let mut halving = Halving::new(1);
        for (number, from) in [(1, 4), (2, 5), (3, 6), (4, 7)] {
            halving.note(&attempt(number, window(from, from + 1), incomplete()));
        }
        let recovered = |halving: &mut Halving, number, from, to| {
            halving.note(&attempt(number, window(from, to), Outcome::Recovered { job: job() }));
            given_up(halving)
        };
        assert_eq!(recovered(&mut halving, 5, 5, 7), [(4, 1), (7, 4)]);
        // What X could not deliver after that is not had by it.
        assert_eq!(recovered(&mut halving, 3, 7, 9), [(4, 1), (7, 4)]);
        assert_eq!(recovered(&mut halving, 6, 7, 9), [(4, 1)]);
    }
}
