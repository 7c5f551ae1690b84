//! The one place where the receiver and its accept loop read clocks.

use jiff::Timestamp;
use tokio::time::Instant;

#[expect(clippy::disallowed_methods, reason = "this is the receiver's edge to the wall clock")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// Returns a moment to measure from.
#[expect(clippy::disallowed_methods, reason = "what a request takes is measured, nothing else")]
pub(crate) fn instant() -> Instant {
    Instant::now()
}
