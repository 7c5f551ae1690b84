//! The edge where a clock is read. Times are whole milliseconds, as X's are.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

use crate::settings::TimeMode;

/// How far ahead of real time the emulator may be: ids carry their time and must not grow too
/// long.
const MAX_AHEAD_MS: i64 = 30 * 366 * 24 * 3_600_000;

/// The emulator's clock.
#[derive(Debug)]
pub(super) struct Clock {
    mode: TimeMode,
    started_ms: i64,
    ahead_ms: AtomicI64,
}

impl Clock {
    pub(super) fn new(mode: TimeMode) -> Self {
        Self { mode, started_ms: real_ms(), ahead_ms: AtomicI64::new(0) }
    }

    /// Reads the emulator's time.
    pub(super) fn now(&self) -> Timestamp {
        let base = match self.mode {
            TimeMode::Running => real_ms(),
            TimeMode::Virtual => self.started_ms,
        };
        timestamp(base + self.ahead_ms.load(Ordering::SeqCst))
    }

    /// Reads the real time.
    pub(super) fn real_now(&self) -> Timestamp {
        timestamp(real_ms())
    }

    /// Goes forward; says no where that would be too far.
    pub(super) fn advance(&self, millis: i64) -> bool {
        let ahead = self.ahead_ms.load(Ordering::SeqCst).saturating_add(millis);
        let is_near = (0..=MAX_AHEAD_MS).contains(&ahead);
        if is_near {
            self.ahead_ms.store(ahead, Ordering::SeqCst);
        }
        is_near
    }

    /// Goes back to where it began.
    pub(super) fn reset(&self) {
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
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}
