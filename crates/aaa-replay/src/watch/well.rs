use aaa_types::WebhookId;
use jiff::{SignedDuration, Timestamp};

use super::Errand;
use crate::{
    coverage::{Cause, Gap},
    engine::Moment,
    ledger::Declaration,
};

/// Until when all was well, and when that was seen in this run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Well {
    pub(super) until: Option<Timestamp>,
    /// When that was seen, or this run started or woke, in the time since it started.
    since: SignedDuration,
    /// It was seen since this run started or woke.
    pub(super) looked: bool,
    /// Before that somebody was there for long without seeing it.
    blind: bool,
}

/// How many rhythms may lie between two looks that cover the time between them.
const LOOKS: i32 = 3;

impl Well {
    /// `alive` is when the run before was there for the last time.
    pub(super) fn new(
        until: Option<Timestamp>,
        alive: Option<Timestamp>,
        every: SignedDuration,
    ) -> Self {
        let unseen = until.zip(alive).map(|(until, alive)| alive.duration_since(until));
        let longest = every.checked_mul(LOOKS).unwrap_or(SignedDuration::MAX);
        let blind = unseen.is_some_and(|unseen| unseen > longest);
        // Where nothing is remembered, all counts as well until then.
        Self { until: until.or(alive), since: SignedDuration::ZERO, looked: false, blind }
    }

    /// All is well; returns since when nobody can say so, if nobody looked for too long.
    pub(super) fn is(&mut self, every: SignedDuration, now: Moment) -> Option<Timestamp> {
        let seen = Self { until: Some(now.x), since: now.uptime, looked: true, blind: false };
        let before = std::mem::replace(self, seen);
        before.until.filter(|until| before.is_unwatched(every, now) && *until < now.x)
    }

    /// The machine slept, and nobody has looked since.
    pub(super) fn wake(&mut self, every: SignedDuration, now: Moment) {
        let blind = self.is_unwatched(every, now);
        *self = Self { until: self.until, since: now.uptime, looked: false, blind };
    }

    fn is_unwatched(&self, every: SignedDuration, now: Moment) -> bool {
        // A run that looks at once has seen what is left of the time before it.
        let looks = if self.looked { LOOKS } else { 1 };
        let longest = every.checked_mul(looks).unwrap_or(SignedDuration::MAX);
        self.blind || now.uptime.saturating_sub(self.since) > longest
    }
}

/// Declares that nobody could ask X since a time.
pub(super) fn unwatched(webhook: WebhookId, since: Timestamp, now: Moment) -> Errand {
    let gap = Gap::new(since, now.x, Cause::Unwatched);
    Errand::Declare(Declaration { gap, webhook: Some(webhook), at: now.x })
}
