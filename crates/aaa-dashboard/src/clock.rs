//! The one place of this crate where clocks are read.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// A clock that never steps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Steady(Instant);

impl Steady {
    #[expect(clippy::disallowed_methods, reason = "this is the edge to the clocks")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Returns the time since it was started.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Returns the local wall clock.
#[expect(clippy::disallowed_methods, reason = "this is the edge to the clocks")]
pub(crate) fn wall() -> Timestamp {
    Timestamp::now()
}
