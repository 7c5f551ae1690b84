//! The one place where the store reads a clock: to measure, never to decide.

use std::time::Instant;

/// Returns a moment to measure from.
#[expect(clippy::disallowed_methods, reason = "what a transaction takes is measured, nothing else")]
pub(super) fn instant() -> Instant {
    Instant::now()
}
