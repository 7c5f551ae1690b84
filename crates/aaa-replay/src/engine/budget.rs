//! How many calls X still takes.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use super::{Quota, Rate};

/// Counts calls on X's clock, by which X counts them too.
#[derive(Debug)]
pub(super) struct Budget {
    rate: Rate,
    /// When calls were made; no more than are allowed in one stretch.
    calls: VecDeque<Timestamp>,
    /// What X said last, and when.
    told: Option<Quota>,
}

impl Budget {
    pub(super) fn new(rate: Rate) -> Self {
        Self { rate, calls: VecDeque::new(), told: None }
    }

    /// A call is made.
    pub(super) fn note(&mut self, at: Timestamp) {
        self.calls.push_back(at);
        while self.calls.len() > self.rate.calls.max(1) {
            self.calls.pop_front();
        }
        self.told =
            self.told.map(|told| Quota { remaining: told.remaining.saturating_sub(1), ..told });
    }

    /// X said how many calls are left.
    pub(super) fn learn(&mut self, quota: Quota) {
        self.told = Some(quota);
    }

    /// Returns how long to wait before the next call.
    ///
    /// What X said counts until its reset; after that, and before it has said anything, the calls
    /// are counted.
    pub(super) fn wait(&self, now: Timestamp) -> SignedDuration {
        let told = self.told.filter(|told| now.duration_since(told.reset) < GRACE);
        // A reset that is too far away was told by another clock.
        let told = told.filter(|told| told.reset.duration_since(now) <= self.rate.per * 2);
        let wait = match told {
            Some(told) if told.remaining == 0 => told.reset.duration_since(now) + GRACE,
            Some(_) => SignedDuration::ZERO,
            None => self.counted(now),
        };
        wait.max(SignedDuration::ZERO)
    }

    fn counted(&self, now: Timestamp) -> SignedDuration {
        let oldest = self.calls.front().filter(|_| self.calls.len() >= self.rate.calls.max(1));
        let Some(oldest) = oldest else { return SignedDuration::ZERO };
        // X's clock may have been set back since.
        let age = now.duration_since(*oldest).max(SignedDuration::ZERO);
        self.rate.per.saturating_add(GRACE).saturating_sub(age)
    }
}

/// X tells whole seconds, and counts a call when it arrives.
const GRACE: SignedDuration = SignedDuration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_763_784_000 + second).unwrap()
    }

    fn five() -> Budget {
        let mut budget = Budget::new(Rate::v1_1());
        for second in 0..5 {
            assert_eq!(budget.wait(at(second)), SignedDuration::ZERO);
            budget.note(at(second));
        }
        budget
    }

    #[test]
    fn the_sixth_call_waits_for_the_first_to_be_forgotten() {
        let mut budget = five();
        assert_eq!(budget.wait(at(5)).as_secs(), 900);
        // The first was counted when it arrived, which was a little later.
        assert_eq!(budget.wait(at(900)).as_secs(), 5);
        assert_eq!(budget.wait(at(905)), SignedDuration::ZERO);
        budget.note(at(905));
        assert_eq!(budget.wait(at(905)).as_secs(), 1);
        // X's clock was set back: no longer than a whole stretch.
        assert_eq!(budget.wait(at(-9000)).as_secs(), 905);
    }

    #[test]
    fn what_x_says_counts_until_its_reset() {
        let mut budget = five();
        budget.learn(Quota { remaining: 1, reset: at(100) });
        assert_eq!(budget.wait(at(5)), SignedDuration::ZERO);
        budget.note(at(5));
        // A reset is told in whole seconds: the second may not be over.
        assert_eq!(budget.wait(at(5)).as_secs(), 100);
        assert_eq!(budget.wait(at(100)).as_secs(), 5);
        // Afterwards they are counted again.
        assert_eq!(budget.wait(at(105)).as_secs(), 801);
        budget.learn(Quota { remaining: 0, reset: at(1_000_000) });
        assert_eq!(budget.wait(at(105)).as_secs(), 801);
    }
}
