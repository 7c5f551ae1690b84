//! What fails again and again is told once.

use std::time::{Duration, Instant};

/// Failures that come one after another, of which the log tells the first, and once when they are
/// over.
///
/// Something that works in between does not end a streak, or a disk that takes the small and refuses
/// the large would be told of without end: nothing may have failed for a while.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use aaa_webhook::failure_streak::FailureStreak;
///
/// let now = Instant::now();
/// let mut streak = FailureStreak::default();
/// assert!(streak.fails(now), "to be told");
/// assert!(!streak.fails(now) && streak.works(now).is_none());
/// let later = now + Duration::from_secs(10);
/// assert_eq!(streak.works(later), Some(2), "to be told, with the number of failures");
/// assert_eq!(streak.works(later), None);
/// ```
#[derive(Debug, Clone)]
pub struct FailureStreak {
    quiet: Duration,
    failures: u64,
    last: Option<Instant>,
}

impl Default for FailureStreak {
    /// Ends when nothing has failed for ten seconds.
    fn default() -> Self {
        Self::ending_after(Duration::from_secs(10))
    }
}

impl FailureStreak {
    /// Ends when something works and nothing has failed for so long.
    pub const fn ending_after(quiet: Duration) -> Self {
        Self { quiet, failures: 0, last: None }
    }

    /// Notes that something failed; says whether a streak begins with it.
    pub const fn fails(&mut self, now: Instant) -> bool {
        self.failures = self.failures.saturating_add(1);
        self.last = Some(now);
        self.failures == 1
    }

    /// Notes that it worked; returns how often it had failed when a streak is over.
    pub fn works(&mut self, now: Instant) -> Option<u64> {
        if now.saturating_duration_since(self.last?) < self.quiet {
            return None;
        }
        self.last = None;
        Some(std::mem::take(&mut self.failures))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any moment will do")]
    fn each_streak_is_told_when_it_begins_and_when_it_ends() {
        let start = Instant::now();
        let at = |second: u64| start + Duration::from_secs(second);
        let mut streak = FailureStreak::default();
        assert_eq!(streak.works(at(0)), None);
        for first in [0, 100] {
            assert!(streak.fails(at(first)));
            // It works and fails in turns, as long as that may last.
            for second in first + 1..first + 50 {
                assert_eq!(streak.works(at(second)), None);
                assert!(!streak.fails(at(second)));
            }
            assert_eq!(streak.works(at(first + 58)), None);
            assert_eq!(streak.works(at(first + 59)), Some(50));
            assert_eq!(streak.works(at(first + 60)), None);
        }
        // As long as one wants.
        let mut streak = FailureStreak::ending_after(Duration::from_secs(3));
        assert!(streak.fails(at(0)));
        assert_eq!(streak.works(at(3) - Duration::from_nanos(1)), None);
        assert_eq!(streak.works(at(3)), Some(1));
        // A clock that goes back ends nothing too early.
        assert!(streak.fails(at(300)));
        assert_eq!(streak.works(at(200)), None);
    }
}
