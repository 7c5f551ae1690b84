//! What to ask of X, when, and what can no longer be had.
//!
//! X replays whole minutes, from 31 minutes up to the look-back ago, and only until ten minutes
//! ago. The functions here turn gaps into windows that satisfy those rules; they cost time in
//! proportion to gaps and windows.

use std::fmt;

use aaa_types::{ReplayWindow, UtcMinute};
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::coverage::Gap;

/// X's rules for the minutes of a replay job, and our own caution.
///
/// # Examples
///
/// ```
/// use aaa_replay::plan::Limits;
///
/// // The documents disagree: 24 hours in the v2 guide, five days in the older one.
/// assert_eq!(Limits::v2().look_back.as_hours(), 24);
/// assert_eq!(Limits::v1_1().look_back.as_hours(), 120);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How far back `from_date` may lie.
    pub look_back: SignedDuration,
    /// How long ago `from_date` must be at least, in minutes.
    pub from_age: i64,
    /// How long ago `to_date` must be at least, in minutes.
    pub to_age: i64,
    /// How many minutes are asked for beyond the end, since the documents do not agree whether
    /// `to_date` is included.
    pub overlap: i64,
    /// How many minutes one job may span.
    pub longest: i64,
}

impl Limits {
    /// Returns the rules of the v2 guide.
    pub const fn v2() -> Self {
        Self {
            look_back: SignedDuration::from_hours(24),
            from_age: 31,
            to_age: 10,
            overlap: 1,
            longest: 120,
        }
    }

    /// Returns the rules of the v1.1 Enterprise reference.
    pub const fn v1_1() -> Self {
        Self { look_back: SignedDuration::from_hours(5 * 24), ..Self::v2() }
    }

    /// Returns the first minute that may still be asked for, with a minute to spare for the time
    /// between the decision and the call.
    fn earliest(&self, now: Timestamp) -> UtcMinute {
        UtcMinute::ceil(now.saturating_sub(self.look_back).unwrap_or(Timestamp::MIN)).plus(1)
    }

    /// Returns when a window that ends with `core` may be asked for.
    fn ready_at(&self, core: ReplayWindow) -> Timestamp {
        core.to_date().plus(self.overlap + self.to_age).start()
    }

    /// Widens a core to what may be asked for at `now`.
    fn request(&self, core: ReplayWindow, now: Timestamp) -> ReplayWindow {
        let youngest_from = UtcMinute::floor(now).plus(-self.from_age);
        let from = core.from_date().min(youngest_from);
        ReplayWindow::new(from, core.to_date().plus(self.overlap)).unwrap_or(core)
    }
}

/// What to do about the missing minutes.
///
/// In JSON: `{"now":[{"from_date","to_date"}],"later":[{"from_date","to_date","at"}],
/// "lost":[{"from","to","reason"}]}`, the windows as they will be asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Windows that can be asked for at once, what expires first in front.
    pub now: Vec<Window>,
    /// Windows that X does not take yet.
    pub later: Vec<LaterWindow>,
    /// Minutes that cannot be had any more.
    pub lost: Vec<Lost>,
}

/// Missing minutes, and the window to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The missing minutes.
    pub core: ReplayWindow,
    /// What is asked for, at least the core.
    pub request: ReplayWindow,
}

impl Serialize for Window {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.request.serialize(serializer)
    }
}

/// A window that X does not take yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaterWindow {
    /// The window; its request may begin earlier once the time has come.
    pub window: Window,
    /// When it can be asked for, on X's clock.
    pub at: Timestamp,
}

impl Serialize for LaterWindow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut later = serializer.serialize_struct("LaterWindow", 3)?;
        later.serialize_field("from_date", &self.window.request.from_date())?;
        later.serialize_field("to_date", &self.window.request.to_date())?;
        later.serialize_field("at", &self.at)?;
        later.end()
    }
}

/// Minutes that cannot be recovered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lost {
    /// The first moment.
    pub from: Timestamp,
    /// The first moment that is not lost.
    pub to: Timestamp,
    /// Why.
    pub reason: LostReason,
}

/// Why minutes cannot be recovered. In JSON it is its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LostReason {
    /// X no longer has them.
    TooOld {
        /// How far back a replay reaches.
        look_back: SignedDuration,
    },
    /// X replays nothing to a webhook from before its registration. Perhaps nothing was sent
    /// then; perhaps it was sent to a webhook that this one replaced.
    BeforeWebhook,
    /// X ended every job for them incomplete.
    GivenUp {
        /// How many jobs there were.
        tries: usize,
    },
}

impl fmt::Display for LostReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooOld { look_back } => {
                let hours = look_back.as_mins() / 60;
                write!(f, "older than the look-back of {hours} hours")
            }
            Self::BeforeWebhook => f.write_str("before the webhook was registered"),
            Self::GivenUp { tries } => write!(f, "{tries} replay jobs ended incomplete"),
        }
    }
}

impl Serialize for LostReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Returns the minutes that are missing: the gaps, joined and aligned to minutes, without what
/// was recovered. In order, without overlap.
pub fn outstanding(gaps: &[Gap], recovered: &[ReplayWindow]) -> Vec<ReplayWindow> {
    let aligned = gaps.iter().filter_map(|gap| {
        ReplayWindow::new(UtcMinute::floor(gap.from), UtcMinute::ceil(gap.to)).ok()
    });
    let recovered = joined(recovered.iter().copied());
    let mut missing = Vec::new();
    for gap in joined(aligned) {
        let mut from = gap.from_date();
        for window in &recovered {
            if window.to_date() <= from || gap.to_date() <= window.from_date() {
                continue;
            }
            missing.extend(ReplayWindow::new(from, window.from_date()));
            from = window.to_date();
        }
        missing.extend(ReplayWindow::new(from, gap.to_date()));
    }
    missing
}

/// Plans the replay of missing minutes as seen from `now`, on X's clock.
///
/// # Examples
///
/// ```
/// use aaa_replay::plan::{Limits, plan};
/// use aaa_types::ReplayWindow;
///
/// let missing = ReplayWindow::new("202511220413".parse()?, "202511220420".parse()?)?;
/// // Eleven minutes after the end it can be had, and not before.
/// let early = plan(&[missing], "2025-11-22T04:30:59Z".parse()?, &Limits::v2());
/// assert_eq!(early.later[0].at.to_string(), "2025-11-22T04:31:00Z");
/// let ripe = plan(&[missing], "2025-11-22T04:31:00Z".parse()?, &Limits::v2());
/// assert_eq!(ripe.now[0].request.to_string(), "202511220400..202511220421");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn plan(missing: &[ReplayWindow], now: Timestamp, limits: &Limits) -> Plan {
    let mut plan = Plan::default();
    let earliest = limits.earliest(now);
    for gap in joined(missing.iter().copied()) {
        let end_of_loss = gap.to_date().min(earliest);
        if gap.from_date() < end_of_loss {
            plan.lost.push(Lost {
                from: gap.from_date().start(),
                to: end_of_loss.start(),
                reason: LostReason::TooOld { look_back: limits.look_back },
            });
        }
        let Ok(rest) = ReplayWindow::new(gap.from_date().max(earliest), gap.to_date()) else {
            continue;
        };
        for core in split(rest, limits.longest - limits.overlap) {
            let window = Window { core, request: limits.request(core, now) };
            let at = limits.ready_at(core);
            if at <= now {
                plan.now.push(window);
            } else {
                plan.later.push(LaterWindow { window, at });
            }
        }
    }
    plan
}

/// Cuts a window into pieces of at most `longest` minutes.
fn split(window: ReplayWindow, longest: i64) -> Vec<ReplayWindow> {
    let mut pieces = Vec::new();
    let mut from = window.from_date();
    while let Ok(piece) = ReplayWindow::new(from, from.plus(longest.max(1)).min(window.to_date())) {
        from = piece.to_date();
        pieces.push(piece);
    }
    pieces
}

/// Sorts windows and joins those that overlap or touch.
fn joined(windows: impl Iterator<Item = ReplayWindow>) -> Vec<ReplayWindow> {
    let mut windows: Vec<_> = windows.collect();
    windows.sort_unstable();
    let mut joined: Vec<ReplayWindow> = Vec::new();
    for window in windows {
        match joined.last_mut() {
            Some(last) if window.from_date() <= last.to_date() => {
                let to = last.to_date().max(window.to_date());
                *last = ReplayWindow::new(last.from_date(), to).unwrap_or(*last);
            }
            _ => joined.push(window),
        }
    }
    joined
}

#[cfg(test)]
mod tests;
