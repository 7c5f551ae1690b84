//! The one place where the inbox reads a clock: to compare it with the servers'.

use jiff::Timestamp;

/// Returns the time on this machine.
#[expect(clippy::disallowed_methods, reason = "it is compared with the servers' clocks")]
pub(super) fn now() -> Timestamp {
    Timestamp::now()
}
