//! When the receiver was up and accepting, told by its heartbeats.
//!
//! A heartbeat is written through the inbox's own writer, so one that is there proves that a
//! delivery could have been stored at that moment. Each keeps X's time as it was known *then*:
//! an older one is never converted with a newer offset, and a jump of X's clock is no gap.
//!
//! [`Span`]s are what heartbeats cover, [`gaps`] what lies between them; a [`Proof`] says where
//! something really arrived, while the rest of the coverage is assumed.

mod gap;
mod kept;
mod proof;

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use self::{
    gap::{Cause, Gap, gaps},
    kept::{Coverage, before},
    proof::{Covered, Grade, Proof, graded},
};

/// By how much an assumed offset may be wrong. `Date` headers tell whole seconds, and clocks drift.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(5);

/// One run of a receiver, from its start to its end; a random number drawn at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunId(pub u64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What a receiver has counted in its run so far.
///
/// # Examples
///
/// ```
/// use aaa_replay::coverage::Tally;
///
/// let tally = Tally { refusals: 1, ..Tally::default() };
/// assert_eq!(tally.verified, 0);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tally {
    /// Verified deliveries that were refused, and connections that were not taken. Any change
    /// between two heartbeats leaves a gap between them.
    pub refusals: u64,
    /// Deliveries, and checks that X has signed, with a right signature: they show that the secrets
    /// of the app that is recovered are right. Neither those of other apps nor our own probes do.
    pub verified: u64,
    /// Requests to that app whose signature was missing or wrong, but for those between two that
    /// were right. Anybody can send those, but X's own are among them while a secret is wrong.
    pub rejected: u64,
    /// Verified deliveries and answered checks: they show that requests arrive.
    pub arrived: u64,
}

/// The receiver was up and accepting at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The run that wrote it.
    pub run: RunId,
    /// The local wall clock.
    pub wall: Timestamp,
    /// Time since the run started, by a clock that never steps.
    pub uptime: SignedDuration,
    /// X's clock minus the local wall clock, as known at this moment.
    pub offset: SignedDuration,
    /// Whether this run has read X's clock, or assumes what an earlier one knew.
    pub offset_read: bool,
    /// What this run has counted so far.
    pub tally: Tally,
}

impl Heartbeat {
    /// Returns the moment on X's clock.
    pub fn x_time(&self) -> Timestamp {
        self.wall.saturating_add(self.offset).unwrap_or(self.wall)
    }

    /// Says whether the receiver accepted everything from this heartbeat to `later`.
    ///
    /// That holds when one run wrote both, refused nothing in between, and neither the wall clock
    /// nor the steady clock moved by more than three periods. What X's clock did meanwhile does
    /// not matter, unless the first reading of a run corrects what was assumed: then nobody knows
    /// which of X's minutes were covered before.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_replay::coverage::{Heartbeat, RunId, Tally};
    /// use jiff::SignedDuration;
    ///
    /// let second = SignedDuration::from_secs(1);
    /// let first = Heartbeat {
    ///     run: RunId(1),
    ///     wall: "2025-11-22T04:13:00Z".parse()?,
    ///     uptime: second,
    ///     offset: SignedDuration::ZERO,
    ///     offset_read: true,
    ///     tally: Tally::default(),
    /// };
    /// let next = Heartbeat { wall: first.wall + second * 5, uptime: second * 6, ..first };
    /// assert!(first.covers_until(&next, second * 5));
    /// // X's clock was set forward by a day: no gap.
    /// let jumped = Heartbeat { offset: SignedDuration::from_hours(24), ..next };
    /// assert!(first.covers_until(&jumped, second * 5));
    /// // A delivery was refused: a gap.
    /// let tally = Tally { refusals: 1, ..Tally::default() };
    /// assert!(!first.covers_until(&Heartbeat { tally, ..next }, second * 5));
    /// # Ok::<(), jiff::Error>(())
    /// ```
    pub fn covers_until(&self, later: &Self, period: SignedDuration) -> bool {
        let wall = later.wall.duration_since(self.wall).abs();
        let uptime = later.uptime.saturating_sub(self.uptime).abs();
        let limit = period.checked_mul(3).unwrap_or(SignedDuration::MAX);
        self.run == later.run
            && self.tally.refusals == later.tally.refusals
            && wall.max(uptime) <= limit
            && !self.is_corrected_by(later)
    }

    /// Says whether this heartbeat assumed an offset that a later one has found wrong.
    fn is_corrected_by(&self, later: &Self) -> bool {
        let change = later.offset.saturating_sub(self.offset).abs();
        !self.offset_read && later.offset_read && change > TOLERANCE
    }
}

/// A stretch of time without a gap: its first and its last heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Where it begins.
    pub first: Heartbeat,
    /// Where it ends so far.
    pub last: Heartbeat,
    /// Between which heartbeats something with a right signature arrived, if any did.
    pub verified: Option<Verified>,
}

/// Where in a span something with a right signature arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// The first heartbeat that knew of one.
    pub first: Mark,
    /// The last heartbeat that knew of a new one.
    pub last: Mark,
}

/// A heartbeat that knew of something with a right signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The moment on X's clock.
    pub at: Timestamp,
    /// What the run had [rejected](Tally::rejected) by then.
    pub rejected: u64,
}

impl Mark {
    fn of(heartbeat: &Heartbeat) -> Self {
        Self { at: heartbeat.x_time(), rejected: heartbeat.tally.rejected }
    }
}

impl Span {
    /// Begins a span.
    pub fn new(heartbeat: Heartbeat) -> Self {
        let mark = Mark::of(&heartbeat);
        let verified =
            (heartbeat.tally.verified > 0).then_some(Verified { first: mark, last: mark });
        Self { first: heartbeat, last: heartbeat, verified }
    }

    /// Takes the next heartbeat: true when it lengthens the span, false when a new span begins
    /// with it.
    ///
    /// A store so keeps one row for each span, not one for each heartbeat.
    pub fn extend(&mut self, heartbeat: Heartbeat, period: SignedDuration) -> bool {
        let covered = self.last.covers_until(&heartbeat, period);
        if covered {
            if self.last.tally.verified < heartbeat.tally.verified {
                let last = Mark::of(&heartbeat);
                let first = self.verified.map_or(last, |verified| verified.first);
                self.verified = Some(Verified { first, last });
            }
            self.last = heartbeat;
        }
        covered
    }
}

#[cfg(test)]
mod tests;
