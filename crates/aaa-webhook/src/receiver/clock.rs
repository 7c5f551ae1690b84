//! The one place where the receiver reads a clock.

use jiff::Timestamp;

#[expect(clippy::disallowed_methods, reason = "this is the receiver's edge to the wall clock")]
pub(super) fn now() -> Timestamp {
    Timestamp::now()
}
