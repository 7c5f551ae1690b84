use aaa_types::ReplayWindow;
use jiff::SignedDuration;

#[cfg(feature = "broken")]
pub use self::flaw::Flaw;
#[cfg(not(feature = "broken"))]
use self::flaw::Flaw;
use crate::{
    coverage::{Gap, Span, gaps},
    plan::Limits,
};

/// How patient the engine is, and what it knows of X's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// X's rules.
    pub limits: Limits,
    /// X's limit of calls.
    pub rate: Rate,
    /// How much a gap is widened on both sides: the request deadline, a heartbeat period and what
    /// the offset of X's clock may be wrong by, rounded up generously. It costs a few copies,
    /// which are dropped.
    pub margin: SignedDuration,
    /// How often X may end a window's job incomplete before the window is halved, or, at one
    /// minute, given up.
    pub tries: usize,
    /// How long a completion may take before it counts as missed.
    pub completion_timeout: SignedDuration,
    /// How long to wait after a failure, doubled with each that follows.
    pub pause: SignedDuration,
    /// The longest such wait, and the wait after a refusal that will not pass by itself.
    pub long_pause: SignedDuration,
    /// How often covered time is replayed too, to find what was lost between X and a healthy
    /// receiver. `None`: never, since what is replayed may count towards X's caps.
    pub sweep: Option<SignedDuration>,
    /// What the engine does wrong on purpose.
    #[cfg(feature = "broken")]
    pub flaw: Option<Flaw>,
}

impl Settings {
    /// Returns the settings for a set of rules, with the rate limit of v2.
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            rate: Rate::v2(),
            margin: SignedDuration::from_secs(60),
            tries: 3,
            completion_timeout: SignedDuration::from_mins(30),
            pause: SignedDuration::from_secs(30),
            long_pause: SignedDuration::from_mins(10),
            sweep: None,
            #[cfg(feature = "broken")]
            flaw: None,
        }
    }

    /// Returns the settings for v2.
    pub const fn v2() -> Self {
        Self::new(Limits::v2())
    }

    /// Returns the settings for v1.1.
    pub const fn v1_1() -> Self {
        Self { rate: Rate::v1_1(), ..Self::new(Limits::v1_1()) }
    }

    /// Returns the [gaps] between spans, with this margin.
    pub fn gaps(&self, spans: &[Span]) -> Vec<Gap> {
        let margin = if self.has(Flaw::NoMargin) { SignedDuration::ZERO } else { self.margin };
        let mut gaps = gaps(spans, margin);
        if self.has(Flaw::JumpIsGap) {
            gaps.extend(spans.iter().filter_map(flaw::jump));
        }
        gaps
    }

    /// Returns the limits as they are kept to.
    pub(super) fn kept_limits(&self) -> Limits {
        let overlap = if self.has(Flaw::NoOverlap) { 0 } else { self.limits.overlap };
        let longest = if self.has(Flaw::LongWindows) { 600 } else { self.limits.longest };
        Limits { overlap, longest, ..self.limits }
    }

    /// Returns how long a running job is really waited for.
    pub(super) fn kept_timeout(&self) -> SignedDuration {
        if self.has(Flaw::Impatient) { SignedDuration::ZERO } else { self.completion_timeout }
    }

    /// Returns the window that is really asked for.
    pub(super) fn asked(&self, core: ReplayWindow, request: ReplayWindow) -> ReplayWindow {
        if self.has(Flaw::OffByOne) { flaw::off_by_one(core, request) } else { request }
    }

    #[cfg(feature = "broken")]
    pub(super) fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    #[cfg(not(feature = "broken"))]
    pub(super) const fn has(&self, _: Flaw) -> bool {
        false
    }
}

/// How many jobs X lets an app ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// So many calls.
    pub calls: usize,
    /// In so much time.
    pub per: SignedDuration,
}

impl Rate {
    /// Returns the published limit of v2: 100 calls in 15 minutes.
    pub const fn v2() -> Self {
        Self { calls: 100, per: SignedDuration::from_mins(15) }
    }

    /// Returns the published limit of v1.1: 5 calls in 15 minutes.
    pub const fn v1_1() -> Self {
        Self { calls: 5, per: SignedDuration::from_mins(15) }
    }
}

/// What an engine can do wrong. Without the feature `broken` nobody can ask for it.
pub(super) mod flaw {
    use aaa_types::{ReplayWindow, UtcMinute};

    use crate::coverage::{Cause, Gap, Span};

    /// Something that an engine does wrong on purpose.
    ///
    /// For tests only: a test that finds nothing wrong with a broken engine proves nothing about
    /// a sound one.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    #[cfg_attr(not(feature = "broken"), expect(unreachable_pub, reason = "public by feature"))]
    pub enum Flaw {
        /// Windows are asked for that are a minute short on both sides.
        OffByOne,
        /// A job that ended incomplete counts as complete.
        IgnoredIncomplete,
        /// A complete job counts although the receiver refused deliveries meanwhile.
        TrustedComplete,
        /// The intent is recorded after the call.
        NoIntent,
        /// Nothing is asked for beyond the end of a window.
        NoOverlap,
        /// Gaps are not widened.
        NoMargin,
        /// A jump of X's clock counts as a gap.
        JumpIsGap,
        /// Windows of ten hours are asked for.
        LongWindows,
        /// A job that runs is not waited for: its attempt is settled at once.
        Impatient,
        /// A driver writes under whichever lease counts, and not under its own. No engine does
        /// that: it is for whoever plays the driver.
        #[cfg(feature = "broken")]
        BorrowedLease,
        /// A receiver rejects some of what is rightly signed. No engine does that either.
        #[cfg(feature = "broken")]
        FickleReceiver,
        /// A watcher takes the last heartbeat of the run before for the last time that all was well.
        /// No engine does that either.
        #[cfg(feature = "broken")]
        ForgetfulWatcher,
    }

    #[cfg(feature = "broken")]
    impl Flaw {
        /// All of them.
        pub const ALL: [Self; 12] = [
            Self::OffByOne,
            Self::IgnoredIncomplete,
            Self::TrustedComplete,
            Self::NoIntent,
            Self::NoOverlap,
            Self::NoMargin,
            Self::JumpIsGap,
            Self::LongWindows,
            Self::Impatient,
            Self::BorrowedLease,
            Self::FickleReceiver,
            Self::ForgetfulWatcher,
        ];
    }

    /// A span in which X's clock was set is taken for a gap as a whole.
    pub(super) fn jump(span: &Span) -> Option<Gap> {
        let change = span.last.offset.saturating_sub(span.first.offset).abs();
        let gap = Gap::new(span.first.x_time(), span.last.x_time(), Cause::Clock);
        (change.as_secs() >= 60).then_some(gap)
    }

    /// The first and the last minute of a core are left out, when there are others.
    pub(super) fn off_by_one(core: ReplayWindow, request: ReplayWindow) -> ReplayWindow {
        let from: UtcMinute = request.from_date().max(core.from_date().plus(1));
        ReplayWindow::new(from, core.to_date().plus(-1)).unwrap_or(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coverage::{Cause, Heartbeat, RunId, Tally};

    #[test]
    fn each_generation_has_its_rules_and_its_rate() {
        let rate = |calls| Rate { calls, per: SignedDuration::from_mins(15) };
        let v2 = Settings::v2();
        assert_eq!((v2.limits, v2.rate), (Limits::v2(), rate(100)));
        let limits = Limits::v1_1();
        assert_eq!(Settings::v1_1(), Settings { limits, rate: rate(5), ..v2 });
    }

    #[test]
    fn a_minute_by_which_the_clock_is_set_is_a_jump() {
        let first = Heartbeat {
            run: RunId(1),
            wall: "2025-11-22T12:00:00Z".parse().unwrap(),
            uptime: SignedDuration::ZERO,
            offset: SignedDuration::ZERO,
            offset_read: true,
            tally: Tally::default(),
        };
        for (offset, is_jump) in [(0, false), (59, false), (60, true), (-59, false), (-60, true)] {
            let last = Heartbeat { offset: SignedDuration::from_secs(offset), ..first };
            let gap = Gap::new(first.x_time(), last.x_time(), Cause::Clock);
            let jump = flaw::jump(&Span { last, ..Span::new(first) });
            assert_eq!(jump, is_jump.then_some(gap), "{offset}");
        }
    }
}
