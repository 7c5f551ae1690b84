//! The edge to the clocks of the machine.

use std::time::Instant;

use jiff::Timestamp;

/// Returns the time of day.
#[expect(clippy::disallowed_methods, reason = "an edge: deliveries carry the time of the run")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// Returns a reading of the steady clock.
#[expect(clippy::disallowed_methods, reason = "an edge: what is measured is measured with it")]
pub fn steady() -> Instant {
    Instant::now()
}
