//! How long something took, over many times.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// The upper bounds of the buckets, in microseconds: from what a check takes to X's deadline.
const BOUNDS: [u64; 14] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000,
];

/// Counts durations by bucket. Adding one is two additions to atomic numbers.
#[derive(Debug, Default)]
pub(super) struct Durations {
    buckets: [AtomicU64; BOUNDS.len()],
    longer: AtomicU64,
    sum: AtomicU64,
}

impl Durations {
    pub(super) fn add(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let fits = BOUNDS.iter().position(|bound| micros <= *bound);
        let bucket = fits.and_then(|at| self.buckets.get(at)).unwrap_or(&self.longer);
        bucket.fetch_add(1, Relaxed);
        self.sum.fetch_add(micros, Relaxed);
    }

    pub(super) fn read(&self) -> Distribution {
        let bounds = BOUNDS.iter().map(|micros| Duration::from_micros(*micros).as_secs_f64());
        let buckets = bounds.chain([f64::INFINITY]);
        let counts = self.buckets.iter().chain([&self.longer]).map(|count| count.load(Relaxed));
        let sum = Duration::from_micros(self.sum.load(Relaxed)).as_secs_f64();
        Distribution { buckets: buckets.zip(counts).collect(), sum }
    }
}

/// How many times something was how large: durations in seconds, or sizes.
///
/// # Examples
///
/// ```
/// use aaa_webhook::receiver::Distribution;
///
/// let commits = Distribution { buckets: vec![(1.0, 8), (16.0, 2), (f64::INFINITY, 0)], sum: 27.0 };
/// assert_eq!(commits.count(), 10);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Distribution {
    /// Upper bounds in rising order, the last of them infinite, each with how many times the
    /// value was at most that and more than the bound before.
    pub buckets: Vec<(f64, u64)>,
    /// The sum of all values.
    pub sum: f64,
}

impl Distribution {
    /// Returns how many times there are in all.
    pub fn count(&self) -> u64 {
        self.buckets.iter().fold(0, |sum, (_, count)| sum.wrapping_add(*count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_has_one_bucket() {
        let durations = Durations::default();
        for micros in [0, 100, 101, 2_500_000, 2_500_001, u64::MAX / 2] {
            durations.add(Duration::from_micros(micros));
        }
        let read = durations.read();
        assert_eq!(read.count(), 6);
        let filled: Vec<_> = read.buckets.iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [&(0.0001, 2), &(0.00025, 1), &(2.5, 1), &(f64::INFINITY, 2)]);
        assert!(read.buckets.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn the_sum_is_in_seconds() {
        let durations = Durations::default();
        durations.add(Duration::from_millis(1500));
        durations.add(Duration::from_millis(250));
        assert!((durations.read().sum - 1.75).abs() < 1e-9);
    }
}
