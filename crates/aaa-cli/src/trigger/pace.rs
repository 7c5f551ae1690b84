//! When the next event may begin.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};

/// How much may be made up for at once: the runtime's timer is no finer.
const GRAIN: Duration = Duration::from_millis(2);

/// Lets one begin each period. Who is late is not hurried: time that was lost stays lost.
pub(super) struct Pace {
    period: Duration,
    begun: Instant,
    /// The next turn, from the beginning.
    next: Duration,
}

impl Pace {
    /// Begins now. Without a period nothing waits.
    pub(super) fn new(period: Option<Duration>) -> Self {
        Self { period: period.unwrap_or_default(), begun: instant(), next: Duration::ZERO }
    }

    /// Waits until the next may begin.
    pub(super) async fn turn(&self) {
        if !self.period.is_zero() {
            sleep_until(self.begun + self.next).await;
        }
    }

    /// Notes that one has begun.
    pub(super) fn taken(&mut self) {
        self.next = following(self.next, self.period, self.elapsed());
    }

    /// Returns how long ago it began.
    pub(super) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }
}

fn following(turn: Duration, period: Duration, now: Duration) -> Duration {
    turn.saturating_add(period).max(now.saturating_sub(GRAIN))
}

#[expect(clippy::disallowed_methods, reason = "the edge: events are sent at a pace")]
fn instant() -> Instant {
    Instant::now()
}

/// Returns the time that events are made with.
#[expect(clippy::disallowed_methods, reason = "the edge: what is made up happens now")]
pub(super) fn now() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Begins so many, on a clock that ticks each millisecond; returns when the last begins.
    fn last(period: Duration, many: u32, stuck: impl Fn(u32) -> Duration) -> Duration {
        let (mut now, mut next) = (Duration::ZERO, Duration::ZERO);
        for n in 0..many {
            // A timer rings at the next tick.
            let tick =
                Duration::from_millis(u64::try_from(next.as_micros().div_ceil(1000)).unwrap());
            now = now.max(tick) + stuck(n);
            next = following(next, period, now);
        }
        now
    }

    #[test]
    fn one_each_period() {
        for (period, expected) in [(2_000_000, 198_000), (250_000, 24_750), (1500, 149), (100, 10)]
        {
            let last = last(Duration::from_micros(period), 100, |_| Duration::ZERO).as_millis();
            assert!((expected..=expected + 2).contains(&last), "{period}: {last}");
        }
    }

    #[test]
    fn no_burst_after_a_pause() {
        let second = Duration::from_secs(1);
        let stuck = |n| if n == 50 { second } else { Duration::ZERO };
        let last = last(Duration::from_millis(10), 100, stuck);
        assert!(last >= second + Duration::from_millis(970), "{last:?}");
    }
}
