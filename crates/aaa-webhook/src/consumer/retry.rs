//! When something that failed is tried again.

use std::time::Duration;

/// How often an event is tried, and how long to wait in between. The wait doubles from one
/// attempt to the next; a random part of it, up to a half, is left out, so that many who failed
/// together do not come back together.
///
/// # Examples
///
/// ```
/// use aaa_webhook::consumer::RetryPolicy;
/// use std::time::Duration;
///
/// let policy = RetryPolicy::default();
/// assert_eq!(policy.pause(1, 0), Duration::from_secs(1));
/// assert_eq!(policy.pause(4, 0), Duration::from_secs(8));
/// assert_eq!(policy.pause(4, u64::MAX), Duration::from_secs(4));
/// assert_eq!(policy.pause(4000, 0), policy.longest);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often an event is tried before it becomes a dead letter; at least once. 5. What fails
    /// because somebody else is not there is tried for ever.
    pub attempts: u32,
    /// The wait after the first attempt. 1 s.
    pub first: Duration,
    /// The longest wait. 30 s.
    pub longest: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { attempts: 5, first: Duration::from_secs(1), longest: Duration::from_secs(30) }
    }
}

impl RetryPolicy {
    /// Returns how long to wait after an attempt, counted from 1. `random` is drawn by the caller,
    /// from all numbers.
    pub fn pause(&self, attempt: u32, random: u64) -> Duration {
        let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
        let longest = self.first.saturating_mul(doubled).min(self.longest);
        // Thirty-two bits of chance are plenty, and nothing overflows.
        let left_out = longest.as_nanos() / 2 * u128::from(random >> 32) / u128::from(u32::MAX);
        longest.saturating_sub(Duration::from_nanos(u64::try_from(left_out).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn up_to_a_half_is_left_out() {
        let policy = RetryPolicy::default();
        let pause = |attempt, random| policy.pause(attempt, random).as_secs_f64();
        assert_eq!((pause(1, 0), pause(4, 0), pause(4, u64::MAX)), (1.0, 8.0, 4.0));
        let half = u64::from(u32::MAX / 2) << 32;
        assert!((5.999..6.001).contains(&pause(4, half)), "{}", pause(4, half));
        assert_eq!((pause(5, 0), pause(6, 0), pause(4000, u64::MAX)), (16.0, 30.0, 15.0));
    }

    proptest! {
        #[test]
        fn pauses_grow_to_a_limit(attempt: u32, random: u64, first in 0_u64..1_000_000, longest: u64) {
            let first = Duration::from_millis(first);
            let longest = Duration::from_millis(longest);
            let policy = RetryPolicy { attempts: 5, first, longest };
            let pause = policy.pause(attempt, random);
            let most = policy.pause(attempt, 0);
            prop_assert!(pause <= most && most <= longest);
            prop_assert!(policy.pause(attempt.saturating_add(1), 0) >= most);
            // Beyond 584 years nobody cares how much is left out.
            if most < Duration::from_secs(1 << 33) {
                prop_assert!(pause >= most / 2, "{:?} {:?}", pause, most);
            }
        }
    }
}
