//! The clock and the chance of a consumer.

use jiff::Timestamp;
use tokio::time::Instant;

use crate::consumer::Now;

/// The time since the consumer began, by the runtime's clock, and the time of day.
pub(super) struct Clock(Instant);

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the edge: pauses are measured")]
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }

    #[expect(clippy::disallowed_methods, reason = "the edge: dead letters tell when")]
    pub(super) fn now(&self) -> Now {
        Now { steady: self.0.elapsed(), wall: Timestamp::now() }
    }
}

/// Draws a number. Without randomness it is always the same: a pause is no secret.
pub(super) fn random() -> u64 {
    getrandom::u64().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_drawn() {
        let drawn = [super::random(), super::random(), super::random()];
        assert!(drawn[0] != drawn[1] && drawn[1] != drawn[2], "{drawn:?}");
    }
}
