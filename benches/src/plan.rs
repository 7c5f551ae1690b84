//! The plan for many gaps, beside sorting as many windows: a plan has to sort them too, and grows
//! as that does.

use aaa_replay::{
    coverage::{Cause, Gap},
    plan::{Limits, Plan, outstanding, plan},
};
use aaa_types::{ReplayWindow, UtcMinute};
use jiff::{SignedDuration, Timestamp};

/// How many gaps there are, and windows that were recovered.
pub const GAPS: i64 = 100_000;

/// Gaps, what was recovered of them, and the time to plan for.
#[derive(Debug, Clone)]
pub struct Missed {
    gaps: Vec<Gap>,
    recovered: Vec<ReplayWindow>,
    now: Timestamp,
}

impl Missed {
    /// Makes gaps of three minutes, of which the first is recovered, in no order.
    pub fn new() -> Self {
        let start = UtcMinute::floor(Timestamp::UNIX_EPOCH).plus(29_000_000);
        // 7,919 is a prime that does not divide the number of gaps: each comes by once.
        let from = |n: i64| start.plus(n * 7919 % GAPS * 5);
        let gap = |from: UtcMinute| Gap::new(from.start(), from.plus(3).start(), Cause::Down);
        let first = |from: UtcMinute| ReplayWindow::new(from, from.plus(1)).ok();
        Self {
            gaps: (0..GAPS).map(from).map(gap).collect(),
            recovered: (0..GAPS).map(from).filter_map(first).collect(),
            now: start.plus(GAPS * 5 + 60).start(),
        }
    }

    /// Plans what is missing.
    pub fn plan(&self) -> Plan {
        let limits = Limits { look_back: SignedDuration::from_hours(24 * 1000), ..Limits::v2() };
        plan(&outstanding(&self.gaps, &self.recovered), self.now, &limits)
    }

    /// Sorts as many windows.
    pub fn sort(&self) -> Vec<ReplayWindow> {
        let gap = |gap: &Gap| {
            ReplayWindow::new(UtcMinute::floor(gap.from), UtcMinute::floor(gap.to)).ok()
        };
        let mut windows: Vec<_> = self.gaps.iter().filter_map(gap).collect();
        windows.extend(&self.recovered);
        windows.sort_unstable();
        windows
    }
}

impl Default for Missed {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_gap_has_its_window() {
        let missed = Missed::new();
        assert_eq!(missed.plan().now.len() as i64, GAPS);
        assert_eq!(missed.sort().len() as i64, 2 * GAPS);
    }
}
