//! When the receiver was up and accepting, told by its heartbeats.
//!
//! A heartbeat is written through the inbox's own writer, so one that is there proves that a
//! delivery could have been stored at that moment. Each keeps X's time as it was known *then*:
//! an older one is never converted with a newer offset, and a jump of either clock is no gap.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// By how much an assumed offset may be wrong. `Date` headers tell whole seconds, and clocks drift.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(5);

/// One run of a receiver, from its start to its end; a random number drawn at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RunId(pub u64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
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
    /// How many verified deliveries this run has refused so far. Any change between two
    /// heartbeats leaves a gap between them.
    pub refusals: u64,
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
    /// use aaa_replay::coverage::{Heartbeat, RunId};
    /// use jiff::SignedDuration;
    ///
    /// let second = SignedDuration::from_secs(1);
    /// let first = Heartbeat {
    ///     run: RunId(1),
    ///     wall: "2025-11-22T04:13:00Z".parse()?,
    ///     uptime: second,
    ///     offset: SignedDuration::ZERO,
    ///     offset_read: true,
    ///     refusals: 0,
    /// };
    /// let next = Heartbeat { wall: first.wall + second * 5, uptime: second * 6, ..first };
    /// assert!(first.covers_until(&next, second * 5));
    /// // X's clock was set forward by a day: no gap.
    /// let jumped = Heartbeat { offset: SignedDuration::from_hours(24), ..next };
    /// assert!(first.covers_until(&jumped, second * 5));
    /// // A delivery was refused: a gap.
    /// assert!(!first.covers_until(&Heartbeat { refusals: 1, ..next }, second * 5));
    /// # Ok::<(), jiff::Error>(())
    /// ```
    pub fn covers_until(&self, later: &Self, period: SignedDuration) -> bool {
        let wall = later.wall.duration_since(self.wall).abs();
        let uptime = later.uptime.saturating_sub(self.uptime).abs();
        let limit = period.checked_mul(3).unwrap_or(SignedDuration::MAX);
        self.run == later.run
            && self.refusals == later.refusals
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
}

impl Span {
    /// Begins a span.
    pub fn new(heartbeat: Heartbeat) -> Self {
        Self { first: heartbeat, last: heartbeat }
    }

    /// Takes the next heartbeat: true when it lengthens the span, false when a new span begins
    /// with it.
    ///
    /// A store so keeps one row for each span, not one for each heartbeat.
    pub fn extend(&mut self, heartbeat: Heartbeat, period: SignedDuration) -> bool {
        let covered = self.last.covers_until(&heartbeat, period);
        if covered {
            self.last = heartbeat;
        }
        covered
    }
}

/// A stretch of X's time in which deliveries may have been missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The first moment that may be missing.
    pub from: Timestamp,
    /// The first moment that is surely there again.
    pub to: Timestamp,
}

/// Returns the gaps between spans that follow one another, each widened by `margin` on both
/// sides.
///
/// Coverage begins with the first span: what was before it was never promised. The margin stands
/// for the request deadline, one heartbeat period and the uncertainty of the offset. Spans with
/// an assumed offset that turns out to be wrong prove nothing, and become part of the gap.
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
        gaps.push(Gap {
            from: end.min(start).saturating_sub(margin).unwrap_or(Timestamp::MIN),
            to: end.max(start).saturating_add(margin).unwrap_or(Timestamp::MAX),
        });
    }
    gaps
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PERIOD: SignedDuration = SignedDuration::from_secs(5);
    const MARGIN: SignedDuration = SignedDuration::from_secs(60);

    fn at(run: u64, second: i64) -> Heartbeat {
        Heartbeat {
            run: RunId(run),
            wall: Timestamp::from_second(1_763_784_000 + second).unwrap(),
            uptime: SignedDuration::from_secs(second),
            offset: SignedDuration::ZERO,
            offset_read: true,
            refusals: 0,
        }
    }

    fn spans(heartbeats: &[Heartbeat]) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        for heartbeat in heartbeats {
            if !spans.last_mut().is_some_and(|span| span.extend(*heartbeat, PERIOD)) {
                spans.push(Span::new(*heartbeat));
            }
        }
        spans
    }

    fn seconds(heartbeats: &[Heartbeat]) -> Vec<(i64, i64)> {
        let start = at(0, 0).wall;
        let second = |time: Timestamp| time.duration_since(start).as_secs();
        let gaps = gaps(&spans(heartbeats), MARGIN);
        gaps.iter().map(|gap| (second(gap.from), second(gap.to))).collect()
    }

    #[test]
    fn a_steady_run_has_no_gap() {
        assert_eq!(seconds(&[at(1, 0), at(1, 5), at(1, 20), at(1, 35)]), []);
        assert_eq!(seconds(&[at(1, 0)]), []);
        assert_eq!(seconds(&[]), []);
    }

    #[test]
    fn between_runs_and_after_silence_there_is_one() {
        assert_eq!(seconds(&[at(1, 0), at(1, 5), at(2, 100), at(2, 105)]), [(-55, 160)]);
        // Even a restart within one period.
        assert_eq!(seconds(&[at(1, 0), at(2, 1)]), [(-60, 61)]);
        assert_eq!(seconds(&[at(1, 0), at(1, 16)]), [(-60, 76)]);
    }

    #[test]
    fn a_refusal_leaves_a_gap() {
        let refused = Heartbeat { refusals: 1, ..at(1, 5) };
        let after = Heartbeat { refusals: 1, ..at(1, 10) };
        assert_eq!(seconds(&[at(1, 0), refused, after]), [(-60, 65)]);
    }

    #[test]
    fn a_stopped_process_shows_in_either_clock() {
        // The steady clock may stand still in suspend, the wall clock may be set back.
        let slept = Heartbeat { uptime: SignedDuration::from_secs(5), ..at(1, 3600) };
        assert_eq!(seconds(&[at(1, 0), slept]), [(-60, 3660)]);
        let set_back = Heartbeat { wall: at(1, 5).wall, ..at(1, 3600) };
        assert_eq!(seconds(&[at(1, 0), set_back]), [(-60, 65)]);
    }

    #[test]
    fn a_jump_of_x_is_no_gap_and_old_readings_keep_their_offset() {
        let hour = SignedDuration::from_hours(1);
        let jumped = |second| Heartbeat { offset: hour, ..at(1, second) };
        assert_eq!(seconds(&[at(1, 0), jumped(5), jumped(10)]), []);
        let next_run = Heartbeat { offset: hour, ..at(2, 100) };
        assert_eq!(seconds(&[at(1, 0), at(1, 5), next_run]), [(-55, 3760)]);
        // X's clock set back between two runs.
        let back = Heartbeat { offset: -hour, ..at(2, 100) };
        assert_eq!(seconds(&[at(1, 0), back]), [(-3560, 60)]);
    }

    #[test]
    fn an_assumed_offset_that_is_corrected_proves_nothing() {
        let hour = SignedDuration::from_hours(1);
        let assumed = |run, second| Heartbeat { offset_read: false, ..at(run, second) };
        let read = |run, second| Heartbeat { offset: hour, ..at(run, second) };
        // The restart was an hour later than it seemed: that hour is a gap.
        let heartbeats = [at(1, 0), assumed(2, 20), assumed(2, 25), read(2, 30), read(2, 35)];
        assert_eq!(seconds(&heartbeats), [(-60, 80), (-40, 3690)]);
        // So it is when a whole run never read X's clock.
        let heartbeats = [at(1, 0), assumed(2, 20), assumed(2, 25), read(3, 30)];
        assert_eq!(seconds(&heartbeats), [(-60, 80), (-40, 3690)]);
        // A guess that was right, or nearly, is as good as a reading.
        let close = Heartbeat { offset: SignedDuration::from_secs(2), ..at(2, 30) };
        assert_eq!(seconds(&[at(1, 0), assumed(2, 20), assumed(2, 25), close]), [(-60, 80)]);
    }

    proptest! {
        /// A moment is covered or in a gap, never lost between the two.
        #[test]
        fn spans_and_gaps_leave_nothing_out(
            steps in prop::collection::vec((0..3_u64, 1..40_i64, 0..2_u64), 1..40)
        ) {
            let (mut run, mut second, mut refusals) = (0, 0, 0);
            let mut heartbeats = Vec::new();
            for (restart, step, refused) in steps {
                run += u64::from(restart == 0);
                second += step;
                refusals += refused;
                heartbeats.push(Heartbeat { refusals, ..at(run, second) });
            }
            let spans = spans(&heartbeats);
            let gaps = gaps(&spans, MARGIN);
            let (first, last) = (heartbeats[0].x_time(), heartbeats[heartbeats.len() - 1].x_time());
            let mut time = first;
            while time <= last {
                let covered = spans.iter().any(|s| s.first.x_time() <= time && time <= s.last.x_time());
                let in_gap = gaps.iter().any(|g| g.from <= time && time < g.to);
                prop_assert!(covered || in_gap, "{time} is neither covered nor in a gap");
                time += SignedDuration::from_secs(1);
            }
        }
    }
}
