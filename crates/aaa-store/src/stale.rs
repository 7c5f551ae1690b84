//! Tells of events that are too old to be handled: many of them may mean that a clock is wrong.

/// Tells that so many more are stored as stale, after so many before. Anybody who has old captures can
/// cause this, so only every power of two is a warning: it cannot flood the log.
pub(crate) fn tell(before: u64, more: u64) {
    let count = before.saturating_add(more);
    if before.leading_zeros() != count.leading_zeros() {
        tracing::warn!(
            count,
            "events are stored as stale and not handled: they happened longer ago than keys are \
             kept; if they are new, the clock of this machine runs ahead"
        );
    }
}
