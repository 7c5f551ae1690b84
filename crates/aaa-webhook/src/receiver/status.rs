use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::SeqCst},
};

use crate::inbox::Receipt;

/// What a receiver counts; a handle that is cheap to clone.
///
/// # Examples
///
/// ```
/// use aaa_webhook::receiver::Status;
///
/// let status = Status::default();
/// assert_eq!(status.counts().refusals, 0);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Status {
    cells: Arc<Cells>,
}

/// The counts at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Deliveries with a right signature.
    pub verified: u64,
    /// Events that were stored.
    pub stored: u64,
    /// Copies of events that were there already.
    pub duplicates: u64,
    /// Verified deliveries that were not stored in time, and connections that were not taken:
    /// each may be an event that was missed.
    pub refusals: u64,
    /// Requests without a usable signature, with a wrong one, or signed without being a delivery.
    /// Anybody can cause these, so they say nothing about missed events.
    pub rejections: u64,
    /// Requests whose body was not read: too large, too slow, encoded, cut off, framed in an
    /// unclear way, or too many at once. Nobody knows who sent them, so they say nothing about
    /// missed events either; but X's own could be among them, and many are worth a look.
    pub unread: u64,
    /// Challenge-response checks that were answered.
    pub checks: u64,
    /// Challenge-response checks that were refused.
    pub refused_checks: u64,
}

#[derive(Debug, Default)]
struct Cells {
    verified: AtomicU64,
    stored: AtomicU64,
    duplicates: AtomicU64,
    refusals: AtomicU64,
    rejections: AtomicU64,
    unread: AtomicU64,
    checks: AtomicU64,
    refused_checks: AtomicU64,
}

impl Status {
    /// Returns the counts.
    pub fn counts(&self) -> Counts {
        Counts {
            verified: self.cells.verified.load(SeqCst),
            stored: self.cells.stored.load(SeqCst),
            duplicates: self.cells.duplicates.load(SeqCst),
            refusals: self.cells.refusals.load(SeqCst),
            rejections: self.cells.rejections.load(SeqCst),
            unread: self.cells.unread.load(SeqCst),
            checks: self.cells.checks.load(SeqCst),
            refused_checks: self.cells.refused_checks.load(SeqCst),
        }
    }

    /// Counts a refusal: something that X sent, or would have, was not taken.
    pub fn refused(&self) {
        self.cells.refusals.fetch_add(1, SeqCst);
    }

    pub(super) fn verified(&self) {
        self.cells.verified.fetch_add(1, SeqCst);
    }

    pub(super) fn committed(&self, receipt: Receipt) {
        self.cells.stored.fetch_add(receipt.stored as u64, SeqCst);
        self.cells.duplicates.fetch_add(receipt.duplicates as u64, SeqCst);
    }

    pub(super) fn rejected(&self) {
        self.cells.rejections.fetch_add(1, SeqCst);
    }

    /// Counts a body that was not read, and returns how many there are now.
    pub(super) fn unread(&self) -> u64 {
        self.cells.unread.fetch_add(1, SeqCst).wrapping_add(1)
    }

    pub(super) fn checked(&self, answered: bool) {
        let cell = if answered { &self.cells.checks } else { &self.cells.refused_checks };
        cell.fetch_add(1, SeqCst);
    }

    /// Returns a guard that counts a refusal when it is dropped before the end: the answer came
    /// too late, or the inbox panicked, whatever became of the delivery.
    pub(super) fn refuse_unless_finished(&self) -> Unfinished {
        Unfinished(Some(self.clone()))
    }
}

pub(super) struct Unfinished(Option<Status>);

impl Unfinished {
    pub(super) fn finished(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(status) = &self.0 {
            status.refused();
        }
    }
}
