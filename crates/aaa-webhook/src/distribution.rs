//! How large something was, over many times: how long it took, how much it held.
//!
//! [`Durations`] and [`Sizes`] count while something works; a [`Distribution`] is what they counted
//! until a moment. Adding is two additions to atomic numbers, so it may stand where it is hot.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// The upper bounds of durations, in microseconds: from what a check takes to X's deadline.
const MICROS: [u64; 14] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000,
];

/// How many times something was how large: durations in seconds, or sizes.
///
/// # Examples
///
/// ```
/// use aaa_webhook::distribution::Distribution;
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

/// Counts durations, from 0.1 ms to 2.5 s and longer.
///
/// # Examples
///
/// ```
/// use aaa_webhook::distribution::Durations;
/// use std::time::Duration;
///
/// let commits = Durations::default();
/// commits.add(Duration::from_millis(3));
/// let read = commits.read();
/// assert_eq!((read.count(), read.sum), (1, 0.003));
/// ```
#[derive(Debug)]
pub struct Durations(Buckets);

impl Default for Durations {
    fn default() -> Self {
        Self(Buckets::new(&MICROS))
    }
}

impl Durations {
    /// Adds one.
    pub fn add(&self, duration: Duration) {
        self.0.add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    /// Returns what was counted until now, in seconds.
    pub fn read(&self) -> Distribution {
        self.0.read(|micros| Duration::from_micros(micros).as_secs_f64())
    }
}

/// Counts sizes: how many, or how many bytes.
///
/// # Examples
///
/// ```
/// use aaa_webhook::distribution::Sizes;
///
/// let batches = Sizes::new(&[1, 16, 256]);
/// batches.add(7);
/// let read = batches.read();
/// assert_eq!((read.buckets[1], read.sum), ((16.0, 1), 7.0));
/// ```
#[derive(Debug)]
pub struct Sizes(Buckets);

impl Sizes {
    /// Begins with nothing; `bounds` are the upper bounds, in rising order.
    pub fn new(bounds: &'static [u64]) -> Self {
        Self(Buckets::new(bounds))
    }

    /// Adds one.
    pub fn add(&self, size: u64) {
        self.0.add(size);
    }

    /// Returns what was counted until now.
    pub fn read(&self) -> Distribution {
        self.0.read(|size| size as f64)
    }
}

#[derive(Debug)]
struct Buckets {
    bounds: &'static [u64],
    counts: Box<[AtomicU64]>,
    /// What is beyond the last bound.
    larger: AtomicU64,
    sum: AtomicU64,
}

impl Buckets {
    fn new(bounds: &'static [u64]) -> Self {
        let counts = bounds.iter().map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, larger: AtomicU64::new(0), sum: AtomicU64::new(0) }
    }

    fn add(&self, value: u64) {
        let fits = self.bounds.iter().position(|bound| value <= *bound);
        let bucket = fits.and_then(|at| self.counts.get(at)).unwrap_or(&self.larger);
        bucket.fetch_add(1, Relaxed);
        self.sum.fetch_add(value, Relaxed);
    }

    fn read(&self, unit: impl Fn(u64) -> f64) -> Distribution {
        let bounds = self.bounds.iter().map(|bound| unit(*bound)).chain([f64::INFINITY]);
        let counts = self.counts.iter().chain([&self.larger]).map(|count| count.load(Relaxed));
        Distribution { buckets: bounds.zip(counts).collect(), sum: unit(self.sum.load(Relaxed)) }
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

    #[test]
    fn each_size_has_one_bucket() {
        let sizes = Sizes::new(&[1, 8]);
        for size in [0, 1, 2, 8, 9] {
            sizes.add(size);
        }
        let read = sizes.read();
        assert_eq!(read.buckets, [(1.0, 2), (8.0, 2), (f64::INFINITY, 1)]);
        assert_eq!((read.count(), read.sum), (5, 20.0));
    }
}
