//! What goes wrong, when, and how often it was seen.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use hdrhistogram::Histogram;

use crate::Options;

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The process is killed with SIGKILL, and started again.
    Kill,
    /// The process stands still (SIGSTOP).
    Standstill,
    /// A client brings a byte now and then, until it is cut off.
    Slow,
    /// A connection ends in the middle of a body.
    Cut,
    /// A delivery is not signed by X.
    Forged,
    /// A delivery says that it is larger than any.
    Oversized,
    /// A delivery comes on two connections at once.
    Copy,
}

impl Trouble {
    /// All there are.
    pub const ALL: [Self; 7] = [
        Self::Kill,
        Self::Standstill,
        Self::Slow,
        Self::Cut,
        Self::Forged,
        Self::Oversized,
        Self::Copy,
    ];

    /// What stands in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "killed and started again",
            Self::Standstill => "stood still",
            Self::Slow => "slow clients cut off",
            Self::Cut => "connections cut in a body",
            Self::Forged => "forged, refused",
            Self::Oversized => "oversized, refused",
            Self::Copy => "twice at once",
        }
    }

    /// What goes wrong with the n-th delivery. The numbers are prime, so that all meet.
    pub(crate) fn of(number: u64) -> Option<Self> {
        let every =
            [(Self::Cut, 101), (Self::Forged, 53), (Self::Oversized, 103), (Self::Copy, 29)];
        every.into_iter().find(|(_, nth)| number % nth == nth - 1).map(|(trouble, _)| trouble)
    }

    fn index(self) -> usize {
        Self::ALL.iter().position(|trouble| *trouble == self).unwrap_or_default()
    }
}

/// A moment at which the whole process is hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// How long after the beginning.
    pub after: Duration,
    /// A kill or a standstill.
    pub trouble: Trouble,
}

/// Plans kills and standstills in turn, each somewhere in the middle of its share of the time.
pub fn stops(options: &Options) -> Vec<Planned> {
    let mut random = fastrand::Rng::with_seed(options.seed);
    let share = options.time / options.stops.max(1);
    let planned = |n| {
        let trouble = if n % 2 == 0 { Trouble::Kill } else { Trouble::Standstill };
        Planned { after: share * n + share.mul_f64(0.25 + random.f64() / 2.0), trouble }
    };
    (0..options.stops).map(planned).collect()
}

/// What was seen so far.
#[derive(Debug)]
pub struct Tally {
    fired: [AtomicU64; Trouble::ALL.len()],
    acknowledged: AtomicU64,
    /// Answered with something else than 200 and sent again.
    refused: AtomicU64,
    /// Not answered and sent again.
    unanswered: AtomicU64,
    /// Was not X's and was taken.
    admitted: AtomicU64,
    times: Mutex<Times>,
}

#[derive(Debug)]
struct Times {
    /// Microseconds from sending to the 200, in all and of this second.
    all: Histogram<u64>,
    second: Histogram<u64>,
    /// The longest start after a kill.
    start: Duration,
}

impl Default for Tally {
    fn default() -> Self {
        let histogram = || {
            // Up to ten minutes: one that grows by itself would not with what is recorded so.
            Histogram::new_with_bounds(1, 600_000_000, 3).unwrap_or_else(|_| unreachable!())
        };
        let times = Times { all: histogram(), second: histogram(), start: Duration::ZERO };
        Self {
            fired: Default::default(),
            acknowledged: AtomicU64::default(),
            refused: AtomicU64::default(),
            unanswered: AtomicU64::default(),
            admitted: AtomicU64::default(),
            times: Mutex::new(times),
        }
    }
}

impl Tally {
    pub(crate) fn fired(&self, trouble: Trouble) {
        if let Some(count) = self.fired.get(trouble.index()) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// How often something went wrong.
    pub(crate) fn count(&self, trouble: Trouble) -> u64 {
        self.fired.get(trouble.index()).map_or(0, |count| count.load(Relaxed))
    }

    pub(crate) fn took(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.acknowledged.fetch_add(1, Relaxed);
        let mut times = self.times();
        times.all.saturating_record(micros);
        times.second.saturating_record(micros);
    }

    pub(crate) fn started(&self, time: Duration) {
        let mut times = self.times();
        times.start = times.start.max(time);
    }

    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub(crate) fn unanswered(&self) {
        self.unanswered.fetch_add(1, Relaxed);
    }

    pub(crate) fn admitted(&self) {
        self.admitted.fetch_add(1, Relaxed);
    }

    /// How many deliveries were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Relaxed)
    }

    /// How many attempts were answered otherwise, not answered, and taken although forged.
    pub(crate) fn failures(&self) -> (u64, u64, u64) {
        let [refused, unanswered, admitted] =
            [&self.refused, &self.unanswered, &self.admitted].map(|count| count.load(Relaxed));
        (refused, unanswered, admitted)
    }

    /// Milliseconds to the 200 of this second at p99; the next second begins.
    pub(crate) fn second(&self) -> f64 {
        let mut times = self.times();
        let p99 = millis(times.second.value_at_quantile(0.99));
        times.second.reset();
        p99
    }

    /// Milliseconds to the 200 at a quantile, of all.
    pub(crate) fn quantile(&self, quantile: f64) -> f64 {
        millis(self.times().all.value_at_quantile(quantile))
    }

    /// The longest start after a kill.
    pub(crate) fn longest_start(&self) -> Duration {
        self.times().start
    }

    fn times(&self) -> std::sync::MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops_are_spread_and_take_turns() {
        let options = Options {
            program: "aaa".into(),
            time: Duration::from_secs(600),
            rate: 2500,
            stops: 10,
            seed: 7,
        };
        let planned = stops(&options);
        assert_eq!(planned.len(), 10);
        for (n, stop) in (0u32..).zip(&planned) {
            let expected = if n % 2 == 0 { Trouble::Kill } else { Trouble::Standstill };
            assert_eq!(stop.trouble, expected);
            let share = Duration::from_secs(60) * n;
            let within = share + Duration::from_secs(15)..=share + Duration::from_secs(45);
            assert!(within.contains(&stop.after), "{stop:?}");
        }
        assert_eq!(planned, stops(&options));
        assert_ne!(planned, stops(&Options { seed: 8, ..options }));
    }

    #[test]
    fn each_trouble_of_a_delivery_comes_soon() {
        for trouble in [Trouble::Cut, Trouble::Forged, Trouble::Oversized, Trouble::Copy] {
            assert!((0..200).any(|number| Trouble::of(number) == Some(trouble)), "{trouble:?}");
        }
        let untroubled = (0..100_000).filter(|number| Trouble::of(*number).is_none()).count();
        assert!(untroubled > 90_000, "{untroubled}");
    }

    #[test]
    fn what_is_seen_is_counted() {
        let tally = Tally::default();
        tally.fired(Trouble::Copy);
        tally.took(Duration::from_millis(2));
        tally.took(Duration::from_millis(4));
        assert_eq!((tally.count(Trouble::Copy), tally.count(Trouble::Cut)), (1, 0));
        assert_eq!(tally.acknowledged(), 2);
        assert!((3.9..4.1).contains(&tally.second()));
        assert!(tally.second() < 0.1, "a second begins anew");
        assert!((1.9..2.1).contains(&tally.quantile(0.5)));
    }
}
