//! When to try again: everything at once, or one window.

use std::collections::BTreeMap;

use aaa_types::ReplayWindow;
use jiff::SignedDuration;

/// Pauses, in the time since the run started.
#[derive(Debug)]
pub(super) struct Patience {
    pause: SignedDuration,
    longest: SignedDuration,
    /// Before this nothing is asked for.
    all: SignedDuration,
    /// How many failures followed one another that had nothing to do with the window.
    failures: u32,
    held: BTreeMap<ReplayWindow, Held>,
    /// How many minutes the longest held window has.
    widest: i64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Held {
    until: SignedDuration,
    failures: u32,
    /// X did not take the window as such.
    refused: bool,
}

impl Patience {
    pub(super) fn new(pause: SignedDuration, longest: SignedDuration) -> Self {
        let all = SignedDuration::MIN;
        Self { pause, longest, all, failures: 0, held: BTreeMap::new(), widest: 0 }
    }

    /// Nothing is asked for until a time has passed.
    pub(super) fn rest(&mut self, wait: SignedDuration, now: SignedDuration) {
        self.all = now.saturating_add(wait);
    }

    /// Nothing is asked for during a pause that grows with each failure in a row.
    pub(super) fn back_off(&mut self, now: SignedDuration) {
        self.rest(self.grown(self.failures), now);
        self.failures = self.failures.saturating_add(1);
    }

    /// Nothing is asked for during the longest pause.
    pub(super) fn rest_long(&mut self, now: SignedDuration) {
        self.rest(self.longest, now);
    }

    /// X does answer: the next failure is a first one.
    pub(super) fn relieve(&mut self) {
        self.failures = 0;
    }

    /// This window has to wait, longer with each failure; others need not.
    pub(super) fn hold(&mut self, core: ReplayWindow, now: SignedDuration) {
        let failures = self.held.get(&core).copied().unwrap_or_default().failures;
        self.keep(core, failures, false, now);
    }

    /// The same for a window that X does not take. The edges of such windows move with the
    /// look-back, so what overlaps it has failed as well, and counts.
    pub(super) fn hold_front(&mut self, core: ReplayWindow, now: SignedDuration) {
        let failures = self.near(core).map(|(_, held)| held.failures).max();
        self.keep(core, failures.unwrap_or(0), true, now);
    }

    fn keep(&mut self, core: ReplayWindow, failures: u32, refused: bool, now: SignedDuration) {
        let until = now.saturating_add(self.grown(failures));
        self.held.insert(core, Held { until, failures: failures.saturating_add(1), refused });
        self.widest = self.widest.max(core.minutes());
    }

    /// This window needs no patience any more.
    pub(super) fn release(&mut self, core: ReplayWindow) {
        self.held.remove(&core);
        let refused = self.near(core).filter(|(_, held)| held.refused).map(|(other, _)| *other);
        for other in refused.collect::<Vec<_>>() {
            self.held.remove(&other);
        }
    }

    /// Returns how long a window still has to wait; zero when it need not.
    ///
    /// The edges of a window move with time, so whatever overlaps a held one is held too.
    pub(super) fn wait(&self, core: ReplayWindow, now: SignedDuration) -> SignedDuration {
        let held = self.near(core);
        let until = held.map(|(_, held)| held.until).fold(self.all, SignedDuration::max);
        until.saturating_sub(now).max(SignedDuration::ZERO)
    }

    /// Returns the held windows that overlap one.
    fn near(&self, core: ReplayWindow) -> impl Iterator<Item = (&ReplayWindow, &Held)> {
        // Whatever begins earlier than the longest of them could reach ends before this one.
        let first = core.from_date().plus(-self.widest);
        let first = ReplayWindow::new(first, first.plus(1)).unwrap_or(core);
        let near = self.held.range(first..);
        let near = near.take_while(move |(other, _)| other.from_date() < core.to_date());
        near.filter(move |(other, _)| core.from_date() < other.to_date())
    }

    /// Returns how long everything has to wait.
    pub(super) fn wait_all(&self, now: SignedDuration) -> SignedDuration {
        self.all.saturating_sub(now).max(SignedDuration::ZERO)
    }

    fn grown(&self, failures: u32) -> SignedDuration {
        let factor = 1_i32.checked_shl(failures.min(16)).unwrap_or(i32::MAX);
        self.pause.checked_mul(factor).unwrap_or(self.longest).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(n: i64) -> SignedDuration {
        SignedDuration::from_secs(n)
    }

    fn window(from: &str, to: &str) -> ReplayWindow {
        ReplayWindow::new(from.parse().unwrap(), to.parse().unwrap()).unwrap()
    }

    #[test]
    fn pauses_grow_to_the_longest_and_begin_anew() {
        let mut patience = Patience::new(seconds(30), seconds(100));
        let mut waits = Vec::new();
        for _ in 0..3 {
            patience.back_off(seconds(1000));
            waits.push(patience.wait_all(seconds(1000)));
        }
        assert_eq!(waits, [seconds(30), seconds(60), seconds(100)]);
        patience.relieve();
        patience.back_off(seconds(1000));
        assert_eq!(patience.wait_all(seconds(1010)), seconds(20));
        assert_eq!(patience.wait_all(seconds(2000)), SignedDuration::ZERO);
    }

    #[test]
    fn a_held_window_holds_what_overlaps_it_and_nothing_else() {
        let mut patience = Patience::new(seconds(30), seconds(100));
        patience.hold(window("202511220000", "202511220010"), seconds(0));
        let wait = |from, to| patience.wait(window(from, to), seconds(10));
        assert_eq!(wait("202511220000", "202511220010"), seconds(20));
        assert_eq!(wait("202511220009", "202511220020"), seconds(20));
        assert_eq!(wait("202511220010", "202511220020"), SignedDuration::ZERO);
        assert_eq!(wait("202511212350", "202511220001"), seconds(20));
        assert_eq!(wait("202511212350", "202511220000"), SignedDuration::ZERO);
        patience.hold(window("202511220000", "202511220010"), seconds(40));
        let again = patience.wait(window("202511220000", "202511220010"), seconds(40));
        assert_eq!(again, seconds(60));
    }

    /// Windows that X refused as such move with the look-back: what overlaps one that was had is
    /// the same one. Jobs that failed for another window are another matter.
    #[test]
    fn who_was_had_is_released_with_what_was_refused_around_it() {
        let mut patience = Patience::new(seconds(30), seconds(100));
        let core = window("202511220000", "202511220010");
        let other = window("202511220008", "202511220020");
        patience.hold(core, seconds(0));
        patience.hold_front(window("202511220005", "202511220012"), seconds(0));
        patience.hold(other, seconds(0));
        let front = window("202511220000", "202511220008");
        assert_eq!(patience.wait(front, seconds(10)), seconds(50));
        patience.release(core);
        assert_eq!(patience.wait(front, seconds(10)), SignedDuration::ZERO);
        assert_eq!(patience.wait(other, seconds(10)), seconds(20));
        // The next failure is a first one.
        patience.hold(core, seconds(100));
        assert_eq!(patience.wait(core, seconds(100)), seconds(30));
    }
}
