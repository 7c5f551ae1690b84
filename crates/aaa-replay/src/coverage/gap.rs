use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{RunId, Span};

/// A stretch of X's time in which deliveries may have been missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The first moment that may be missing.
    pub from: Timestamp,
    /// The first moment that is surely there again.
    pub to: Timestamp,
    /// How it came to be.
    pub cause: Cause,
}

impl Gap {
    /// Creates a gap between two moments on X's clock, in whatever order.
    pub fn new(one: Timestamp, other: Timestamp, cause: Cause) -> Self {
        Self { from: one.min(other), to: one.max(other), cause }
    }

    /// Widens the gap on both sides.
    #[must_use]
    pub fn widened(self, margin: SignedDuration) -> Self {
        Self {
            from: self.from.saturating_sub(margin).unwrap_or(Timestamp::MIN),
            to: self.to.saturating_add(margin).unwrap_or(Timestamp::MAX),
            ..self
        }
    }
}

/// How a gap came to be. In JSON and in a store it is one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cause {
    /// No receiver was running.
    Down,
    /// A receiver was running, but wrote no heartbeats: it was stopped, or could not store.
    Silent,
    /// Verified deliveries were refused.
    Refused,
    /// X's time was assumed, and the assumption was wrong.
    Clock,
    /// Signatures were wrong, and none was right: perhaps the secret was.
    Signatures,
    /// The webhook was marked invalid. X may not have attempted to deliver anything.
    Invalid,
    /// A user was not subscribed. X attempts nothing for such a user.
    Unsubscribed,
    /// Nobody could ask X for a while, so that the webhook may have been invalid meanwhile, or a
    /// user not subscribed.
    Unwatched,
    /// Somebody said that there was an outage.
    Declared,
    /// Somebody asked for these minutes.
    Requested,
    /// Covered time that is replayed to see whether anything is missing.
    Sweep,
}

impl Cause {
    /// Says whether X may never have attempted the deliveries, so that a replay may bring nothing
    /// back.
    pub fn may_be_unrecoverable(self) -> bool {
        matches!(self, Self::Invalid | Self::Unsubscribed | Self::Unwatched)
    }

    /// Returns the word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Silent => "silent",
            Self::Refused => "refused",
            Self::Clock => "clock",
            Self::Signatures => "signatures",
            Self::Invalid => "invalid",
            Self::Unsubscribed => "unsubscribed",
            Self::Unwatched => "unwatched",
            Self::Declared => "declared",
            Self::Requested => "requested",
            Self::Sweep => "sweep",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Returns the gaps between spans that follow one another, and those within them in which the
/// secrets may have been wrong, each widened by `margin` on both sides; in the order of their
/// beginnings.
///
/// Coverage begins with the first span: what was before it was never promised. The margin stands
/// for the request deadline, one heartbeat period and the uncertainty of the offset. Spans with
/// an assumed offset that turns out to be wrong prove nothing, and become part of the gap.
///
/// Wrong signatures alone open no gap, since anybody can send those. But while a secret is wrong,
/// X's own deliveries are among them: so when a run has verified nothing since its start, or an
/// earlier one nothing before its end, and requests were rejected then, the first delivery that
/// is verified closes one gap. Between two verified deliveries of one run the secrets were right.
pub fn gaps(spans: &[Span], margin: SignedDuration) -> Vec<Gap> {
    let mut gaps = Vec::new();
    // Where the spans without a reading began that precede the next span.
    let mut assumed_since: Option<Timestamp> = None;
    for (before, after) in spans.iter().zip(spans.iter().skip(1)) {
        let (end, start) = (before.last.x_time(), after.first.x_time());
        if before.last.offset_read {
            assumed_since = None;
        } else {
            let began = before.first.x_time();
            assumed_since = Some(assumed_since.map_or(began, |since| since.min(began)));
        }
        let disproved = before.last.is_corrected_by(&after.first);
        let end = if disproved { assumed_since.map_or(end, |since| since.min(end)) } else { end };
        // X's clock may have been set back in between; the gap then spans both readings.
        gaps.push(Gap::new(end, start, cause(before, after, disproved)).widened(margin));
    }
    let mut spell = Spell::default();
    gaps.extend(spans.iter().filter_map(|span| spell.pass(span)).map(|gap| gap.widened(margin)));
    // A spell begins before the gaps within it, and so may what follows once X's clock is set back.
    gaps.sort_by_key(|gap| gap.from);
    gaps
}

fn cause(before: &Span, after: &Span, disproved: bool) -> Cause {
    if disproved {
        Cause::Clock
    } else if before.last.run != after.first.run {
        Cause::Down
    } else if before.last.tally.refusals == after.first.tally.refusals {
        Cause::Silent
    } else {
        Cause::Refused
    }
}

/// A time in which signatures were wrong and none was right.
#[derive(Debug, Default)]
struct Spell {
    run: Option<RunId>,
    /// Whether this run has verified something.
    proven: bool,
    /// Since when nothing was verified.
    since: Option<Timestamp>,
    /// Whether earlier runs rejected something since then.
    suspected: bool,
    /// What the run had rejected when it verified something last, and what it has by now.
    rejected: (u64, u64),
}

impl Spell {
    /// Takes the next span; returns the spell that ends in it.
    fn pass(&mut self, span: &Span) -> Option<Gap> {
        if self.run != Some(span.first.run) {
            self.suspected |= self.rejected.0 < self.rejected.1;
            if !self.suspected {
                self.since = Some(span.first.x_time());
            }
            // Earlier spans of the first run may be gone: then it had verified something, and
            // what was rejected before says nothing.
            let tally = span.first.tally;
            let proven = self.run.is_none() && tally.verified > 0;
            let rejected = if proven { tally.rejected } else { 0 };
            (self.run, self.proven, self.rejected) = (Some(span.first.run), proven, (rejected, 0));
        }
        self.rejected.1 = span.last.tally.rejected;
        let verified = span.verified?;
        let suspected = self.suspected || verified.first.rejected > 0;
        let since = self.since.unwrap_or(verified.first.at);
        let ended = !self.proven && suspected;
        (self.proven, self.suspected) = (true, false);
        (self.since, self.rejected.0) = (Some(verified.last.at), verified.last.rejected);
        ended.then(|| Gap::new(since, verified.first.at, Cause::Signatures))
    }
}
