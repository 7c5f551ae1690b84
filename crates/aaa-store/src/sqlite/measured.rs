//! What is measured of the transactions that take deliveries.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use aaa_webhook::distribution::{Distribution, Durations, Sizes};

use crate::stale;

/// Deliveries of a transaction, up to what [`Settings`](super::Settings) allows by default.
const DELIVERIES: [u64; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/// Bytes of bodies in a transaction: from a follow to more than a transaction stores by default.
const BYTES: [u64; 8] =
    [1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20];

/// What the transactions were like that took deliveries, copies included, since the store was
/// opened. What failed is not in it.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Transactions {
    /// How many deliveries one took.
    pub deliveries: Distribution,
    /// The bytes of their bodies.
    pub bytes: Distribution,
    /// How long one took, from its begin until it was durable, in seconds. Other processes that
    /// write are waited for in it, and one in some hundred [files](crate::sqlite#what-it-costs)
    /// what the others appended.
    pub durations: Distribution,
    /// How long each delivery waited for its transaction to begin, in seconds.
    pub waits: Distribution,
}

/// What one transaction took.
#[derive(Debug, Default)]
pub(super) struct Took {
    pub(super) deliveries: u64,
    pub(super) bytes: u64,
    /// Events that were stored as stale.
    pub(super) stale: u64,
    /// Since when each of them had waited.
    pub(super) queued: Vec<Instant>,
}

/// Counts transactions. Clones share what they count.
#[derive(Debug, Clone)]
pub(super) struct Measured(Arc<Counted>);

#[derive(Debug)]
struct Counted {
    deliveries: Sizes,
    bytes: Sizes,
    durations: Durations,
    waits: Durations,
    stale: AtomicU64,
}

impl Default for Measured {
    fn default() -> Self {
        Self(Arc::new(Counted {
            deliveries: Sizes::new(&DELIVERIES),
            bytes: Sizes::new(&BYTES),
            durations: Durations::default(),
            waits: Durations::default(),
            stale: AtomicU64::new(0),
        }))
    }
}

impl Measured {
    /// Adds a transaction that is durable.
    pub(super) fn add(&self, took: &Took, begun: Instant, duration: Duration) {
        if took.deliveries == 0 {
            return;
        }
        self.0.deliveries.add(took.deliveries);
        self.0.bytes.add(took.bytes);
        self.0.durations.add(duration);
        for queued in &took.queued {
            self.0.waits.add(begun.saturating_duration_since(*queued));
        }
        let before = self.0.stale.fetch_add(took.stale, Relaxed);
        stale::tell(before, took.stale);
    }

    /// Returns how many events were stored as stale.
    pub(super) fn stale(&self) -> u64 {
        self.0.stale.load(Relaxed)
    }

    pub(super) fn read(&self) -> Transactions {
        let Counted { deliveries, bytes, durations, waits, .. } = &*self.0;
        Transactions {
            deliveries: deliveries.read(),
            bytes: bytes.read(),
            durations: durations.read(),
            waits: waits.read(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::clock;

    #[test]
    fn only_what_took_deliveries_counts() {
        let measured = Measured::default();
        let begun = clock::instant();
        // A heartbeat, say.
        measured.add(&Took::default(), begun, Duration::from_secs(1));
        assert_eq!(measured.read().durations.count(), 0);

        let earlier = begun.checked_sub(Duration::from_millis(2)).unwrap();
        let took = Took { deliveries: 3, bytes: 7_000, stale: 2, queued: vec![earlier, begun] };
        measured.add(&took, begun, Duration::from_millis(4));
        let Transactions { deliveries, bytes, durations, waits } = measured.read();
        assert_eq!((deliveries.count(), deliveries.sum), (1, 3.0));
        assert_eq!((bytes.count(), bytes.sum), (1, 7_000.0));
        assert_eq!((durations.count(), durations.sum), (1, 0.004));
        assert_eq!((waits.count(), waits.sum), (2, 0.002));
        assert_eq!(measured.stale(), 2);
    }
}
