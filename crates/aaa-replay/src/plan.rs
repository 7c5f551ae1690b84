//! What to ask of X, when, and what can no longer be had.
//!
//! X replays whole minutes, from 31 minutes up to the look-back ago, and only until ten minutes
//! ago. The functions here turn gaps into windows that satisfy those rules; they cost time in
//! proportion to gaps and windows.

mod check;
mod words;

use std::{collections::BTreeSet, ops::Bound};

use aaa_types::{ReplayWindow, UtcMinute};
use jiff::{SignedDuration, Timestamp};

pub use self::{
    check::NotTaken,
    words::{LaterWindow, Lost, LostReason, Plan, Window},
};
use crate::coverage::Gap;

/// How near to the look-back a refused window has to begin for the look-back to be doubted.
const NEAR_THE_EDGE: SignedDuration = SignedDuration::from_hours(1);

/// By how much the look-back is then shortened.
const LESS_LOOK_BACK: SignedDuration = SignedDuration::from_mins(10);

/// By how much it is shortened at most. X does not say that a window is too old, only that it does
/// not take it: for another reason it must not be shortened for ever.
const MOST_DOUBT: SignedDuration = SignedDuration::from_hours(2);

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
    /// By how much refusals have [shortened](Self::doubt_look_back) the look-back.
    pub doubt: SignedDuration,
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
            doubt: SignedDuration::ZERO,
        }
    }

    /// Returns the rules of the v1.1 Enterprise reference.
    pub const fn v1_1() -> Self {
        Self { look_back: SignedDuration::from_hours(5 * 24), ..Self::v2() }
    }

    /// Takes note of a window that X refused at a moment on its clock. When it begins near the
    /// look-back, X's own is shorter than we think, and without the oldest minutes the rest of the
    /// window can be had: the look-back becomes shorter by ten minutes, and by two hours at most. A
    /// window that was older than the look-back when it was refused came too late, and tells
    /// nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_replay::plan::Limits;
    /// use aaa_types::ReplayWindow;
    ///
    /// let mut limits = Limits::v2();
    /// let now = "2025-11-23T04:14:00Z".parse()?;
    /// let young = ReplayWindow::new("202511230013".parse()?, "202511230113".parse()?)?;
    /// limits.doubt_look_back(young, now);
    /// assert_eq!(limits, Limits::v2());
    /// let old = ReplayWindow::new("202511220415".parse()?, "202511220613".parse()?)?;
    /// limits.doubt_look_back(old, now);
    /// assert_eq!(limits.look_back.as_mins(), 24 * 60 - 10);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn doubt_look_back(&mut self, refused: ReplayWindow, now: Timestamp) {
        let age = now.duration_since(refused.from_date().start());
        let is_near = age.saturating_add(NEAR_THE_EDGE) >= self.look_back && age <= self.look_back;
        let doubt = self.doubt.saturating_add(LESS_LOOK_BACK);
        if is_near && doubt <= MOST_DOUBT && self.look_back > LESS_LOOK_BACK * 2 {
            self.look_back = self.look_back.saturating_sub(LESS_LOOK_BACK);
            self.doubt = doubt;
        }
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

/// Returns the minutes that are missing: the gaps, joined and aligned to minutes, without what
/// was recovered. In order, without overlap.
pub fn outstanding(gaps: &[Gap], recovered: &[ReplayWindow]) -> Vec<ReplayWindow> {
    let aligned = gaps.iter().filter_map(|gap| {
        ReplayWindow::new(UtcMinute::floor(gap.from), UtcMinute::ceil(gap.to)).ok()
    });
    without(joined(aligned), &joined(recovered.iter().copied()))
}

/// Takes windows away from others. Both are in order and without overlap; so is the result.
pub(crate) fn without(windows: Vec<ReplayWindow>, taken: &[ReplayWindow]) -> Vec<ReplayWindow> {
    let mut left = Vec::with_capacity(windows.len());
    let mut taken = taken.iter().peekable();
    for window in windows {
        let mut from = window.from_date();
        while let Some(next) = taken.peek() {
            if window.to_date() <= next.from_date() {
                break;
            }
            left.extend(ReplayWindow::new(from, next.from_date()));
            from = from.max(next.to_date());
            if window.to_date() < next.to_date() {
                // It reaches into the next window as well.
                break;
            }
            taken.next();
        }
        left.extend(ReplayWindow::new(from, window.to_date()));
    }
    left
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
    plan_with(missing, &BTreeSet::new(), now, limits)
}

/// Plans, and cuts windows at some minutes besides.
pub(crate) fn plan_with(
    missing: &[ReplayWindow],
    cuts: &BTreeSet<UtcMinute>,
    now: Timestamp,
    limits: &Limits,
) -> Plan {
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
        for core in split(rest, cuts, limits.longest - limits.overlap) {
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

/// Cuts a window into pieces of at most `longest` minutes, none of which reaches across a cut.
fn split(window: ReplayWindow, cuts: &BTreeSet<UtcMinute>, longest: i64) -> Vec<ReplayWindow> {
    let mut pieces = Vec::new();
    let mut from = window.from_date();
    while from < window.to_date() {
        let to = from.plus(longest.max(1)).min(window.to_date());
        let cut = cuts.range((Bound::Excluded(from), Bound::Excluded(to))).next();
        let Ok(piece) = ReplayWindow::new(from, cut.copied().unwrap_or(to)) else { break };
        from = piece.to_date();
        pieces.push(piece);
    }
    pieces
}

/// Sorts windows and joins those that overlap or touch.
pub(crate) fn joined(windows: impl Iterator<Item = ReplayWindow>) -> Vec<ReplayWindow> {
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
