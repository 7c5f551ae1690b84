//! The edge where a clock is read. Times are whole milliseconds, as X's are.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

use crate::settings::{Settings, TimeMode};

/// How far ahead of where it began the emulator may be.
const MAX_AHEAD_MS: i64 = 30 * 366 * 24 * 3_600_000;

/// How far a clock that runs goes on by itself after [`Settings::LATEST`]: then it stands still,
/// since ids carry their time and have no room for more.
const OVERTIME_MS: i64 = 180 * 24 * 3_600_000;

/// The emulator's clock.
#[derive(Debug)]
pub(super) struct Clock {
    mode: TimeMode,
    start_ms: Option<i64>,
    /// Where time stands still, the time at which it began; else how far that was from real time.
    origin_ms: AtomicI64,
    ahead_ms: AtomicI64,
}

impl Clock {
    pub(super) fn new(settings: &Settings) -> Self {
        let start_ms = settings.start.map(Timestamp::as_millisecond);
        let origin = match settings.time {
            TimeMode::Virtual => start_ms.unwrap_or_else(real_ms),
            TimeMode::Running => start_ms.map_or(0, |start| start - real_ms()),
        };
        Self {
            mode: settings.time,
            start_ms,
            origin_ms: AtomicI64::new(origin),
            ahead_ms: AtomicI64::new(0),
        }
    }

    /// Goes on from a time that was saved when the emulator was ahead of real time by so much.
    /// Real time has gone on meanwhile, and a clock that runs with it too.
    pub(super) fn go_on_from(&self, saved: Timestamp, ahead_ms: i64) {
        let saved = saved.as_millisecond();
        let origin = match self.mode {
            TimeMode::Virtual => saved,
            TimeMode::Running => ahead_ms.max(saved - real_ms()),
        };
        self.origin_ms.store(origin, Ordering::SeqCst);
        self.ahead_ms.store(0, Ordering::SeqCst);
    }

    /// Reads the emulator's time.
    pub(super) fn now(&self) -> Timestamp {
        let base = match self.mode {
            TimeMode::Running => real_ms(),
            TimeMode::Virtual => 0,
        };
        let origin = self.origin_ms.load(Ordering::SeqCst);
        timestamp(base + origin + self.ahead_ms.load(Ordering::SeqCst))
    }

    /// Reads the real time.
    pub(super) fn real_now(&self) -> Timestamp {
        timestamp(real_ms())
    }

    /// Says how far it is ahead of real time.
    pub(super) fn ahead_of_real_ms(&self) -> i64 {
        self.now().as_millisecond() - real_ms()
    }

    /// Goes forward; says no where that would be too far.
    pub(super) fn advance(&self, millis: i64) -> bool {
        let can = self.can_advance(millis);
        if can {
            self.ahead_ms.fetch_add(millis, Ordering::SeqCst);
        }
        can
    }

    /// Says whether it may go so far.
    pub(super) fn can_advance(&self, millis: i64) -> bool {
        let ahead = self.ahead_ms.load(Ordering::SeqCst).saturating_add(millis);
        let then = self.now().as_millisecond().saturating_add(millis);
        (0..=MAX_AHEAD_MS).contains(&ahead)
            && (millis == 0 || then <= Settings::LATEST.as_millisecond())
    }

    /// Goes back to where it began.
    pub(super) fn reset(&self) {
        let origin = match (self.mode, self.start_ms) {
            (TimeMode::Running, start) => Some(start.map_or(0, |start| start - real_ms())),
            (TimeMode::Virtual, start) => start,
        };
        if let Some(origin) = origin {
            self.origin_ms.store(origin, Ordering::SeqCst);
        }
        self.ahead_ms.store(0, Ordering::SeqCst);
    }

    /// Says whether waiting brings a later time.
    pub(super) fn is_running(&self) -> bool {
        self.mode == TimeMode::Running
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the edge where the clock is read")]
fn real_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

fn timestamp(millis: i64) -> Timestamp {
    let earliest = Settings::EARLIEST.as_millisecond();
    let last = Settings::LATEST.as_millisecond() + OVERTIME_MS;
    Timestamp::from_millisecond(millis.clamp(earliest, last)).unwrap_or(Settings::EARLIEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn it_begins_where_it_is_told_and_goes_back_there() {
        let start = at("2020-02-02T02:02:02Z");
        for time in [TimeMode::Virtual, TimeMode::Running] {
            let clock = Clock::new(&Settings { time, start: Some(start), ..Settings::default() });
            let is_near = |expected: Timestamp| {
                let off = clock.now().duration_since(expected).as_secs();
                (0..10).contains(&off)
            };
            assert!(is_near(start));
            assert!(clock.advance(3_600_000) && is_near(at("2020-02-02T03:02:02Z")));
            assert!(!clock.advance(-3_600_001) && !clock.advance(MAX_AHEAD_MS));
            clock.reset();
            assert!(is_near(start));
        }
    }

    #[test]
    fn it_goes_on_from_what_was_saved() {
        let clock = Clock::new(&Settings { time: TimeMode::Virtual, ..Settings::default() });
        let saved = at("2020-02-02T02:02:02Z");
        clock.go_on_from(saved, 77);
        assert_eq!(clock.now(), saved);

        let running = Clock::new(&Settings::default());
        running.go_on_from(saved, 3_600_000);
        assert!((3_590_000..=3_600_000).contains(&running.ahead_of_real_ms()));
        // A real clock that was set back takes nobody's time back.
        let ahead = timestamp(real_ms() + 7_200_000);
        running.go_on_from(ahead, 3_600_000);
        assert!(running.now() >= ahead);
    }
}
