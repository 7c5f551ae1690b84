//! The plan for many gaps, beside sorting as many windows: a plan has to sort them too, and grows
//! as that does.

use aaa_replay::{
    coverage::{Cause, Gap},
    plan::{Limits, Plan, outstanding, plan},
};
use aaa_types::{ReplayWindow, UtcMinute};
use jiff::{SignedDuration, Timestamp};

/// How many gaps are planned for; as many windows were recovered.
pub const GAPS: [i64; 3] = [1000, 10_000, 100_000];

/// Gaps, what was recovered of them, and the time to plan for.
#[derive(Debug, Clone)]
pub struct Missed {
    gaps: Vec<Gap>,
    recovered: Vec<ReplayWindow>,
    now: Timestamp,
}

impl Missed {
    /// Makes gaps of three minutes, of which the first is recovered, in no order.
    pub fn new(gaps: i64) -> Self {
        let start = UtcMinute::floor(Timestamp::UNIX_EPOCH).plus(29_000_000);
        // 7,919 is a prime that divides none of the numbers of gaps: each comes by once.
        let from = |n: i64| start.plus(n * 7919 % gaps * 5);
        let gap = |from: UtcMinute| Gap::new(from.start(), from.plus(3).start(), Cause::Down);
        let first = |from: UtcMinute| ReplayWindow::new(from, from.plus(1)).ok();
        Self {
            gaps: (0..gaps).map(from).map(gap).collect(),
            recovered: (0..gaps).map(from).filter_map(first).collect(),
            now: start.plus(gaps * 5 + 60).start(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_gap_has_its_window() {
        for gaps in GAPS {
            let missed = Missed::new(gaps);
            assert_eq!(missed.plan().now.len() as i64, gaps);
            assert_eq!(missed.sort().len() as i64, 2 * gaps);
        }
    }
}
