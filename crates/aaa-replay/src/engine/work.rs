//! What is missing, and the plan for it, made anew only when something has changed.

use aaa_types::{ReplayWindow, UtcMinute};
use jiff::Timestamp;

use super::{Moment, Webhook, halving::Halving};
use crate::{
    coverage::{Cause, Gap},
    ledger::{Attempt, Declared, Outcome, Purpose},
    plan::{Limits, Lost, LostReason, Plan, joined, outstanding, plan_with, without},
};

/// How many minutes before its webhook a gap may begin without anything having been missed: gaps
/// are widened by a minute, and begin at the heartbeat before.
const MARGIN: i64 = 2;

/// Gaps, and what became of them so far.
#[derive(Debug)]
pub(super) struct Work {
    webhook: Webhook,
    gaps: Vec<Gap>,
    declared: Vec<Declared>,
    /// What was recovered, and by which attempt.
    recovered: Vec<(ReplayWindow, u64)>,
    halving: Halving,
    made: Option<Made>,
}

/// Two plans, and for which moment they were made.
#[derive(Debug)]
struct Made {
    between: (UtcMinute, UtcMinute),
    live: Option<ReplayWindow>,
    limits: Limits,
    plans: Plans,
}

/// What to do about gaps, and about time that is looked at once more.
#[derive(Debug, Default)]
pub(super) struct Plans {
    pub(super) gaps: Plan,
    pub(super) sweep: Plan,
}

impl Plans {
    pub(super) fn of(&self, purpose: Purpose) -> &Plan {
        match purpose {
            Purpose::Gap => &self.gaps,
            Purpose::Sweep => &self.sweep,
        }
    }
}

impl Work {
    pub(super) fn new(webhook: Webhook, tries: usize) -> Self {
        Self {
            webhook,
            gaps: Vec::new(),
            declared: Vec::new(),
            recovered: Vec::new(),
            halving: Halving::new(tries),
            made: None,
        }
    }

    pub(super) fn set_gaps(&mut self, gaps: Vec<Gap>) {
        if self.gaps != gaps {
            (self.gaps, self.made) = (gaps, None);
        }
    }

    pub(super) fn set_declared(&mut self, mut declared: Vec<Declared>) {
        declared.retain(|declared| declared.declaration.is_about(self.webhook.id));
        if self.declared != declared {
            (self.declared, self.made) = (declared, None);
        }
    }

    /// An attempt is settled.
    pub(super) fn settle(&mut self, attempt: &Attempt) {
        self.halving.note(attempt);
        if matches!(attempt.outcome, Outcome::Recovered { .. }) {
            self.recovered.push((attempt.intent.core, attempt.number));
        }
        self.made = None;
    }

    /// Returns what to ask for to get a core: what was planned, or less.
    pub(super) fn request(&self, core: ReplayWindow, planned: ReplayWindow) -> ReplayWindow {
        let alone = ReplayWindow::new(planned.from_date(), core.to_date());
        if self.halving.wants_alone(core) { alone.unwrap_or(planned) } else { planned }
    }

    /// Returns the plans of a moment, without the window of a live job.
    pub(super) fn plans(
        &mut self,
        live: Option<ReplayWindow>,
        limits: &Limits,
        now: Moment,
    ) -> &Plans {
        // Within a minute nothing expires and nothing becomes ready.
        let between = (UtcMinute::floor(now.x), UtcMinute::ceil(now.x));
        let made = self
            .made
            .take()
            .filter(|made| made.between == between && made.live == live && made.limits == *limits);
        let made = made.unwrap_or_else(|| {
            let plans = self.make(live, limits, now.x);
            Made { between, live, limits: *limits, plans }
        });
        &self.made.insert(made).plans
    }

    fn make(&self, live: Option<ReplayWindow>, limits: &Limits, now: Timestamp) -> Plans {
        let (missing, sweep) = self.missing(live, |_| true);
        let sweep = without(sweep, &missing);

        let (mut early, missing) = self.split_at_creation(&missing);
        early.retain(|window| window.minutes() > MARGIN);
        let mut gaps = plan_with(&missing, self.halving.cuts(), now, limits);
        self.doubt(&mut gaps.lost, live);
        let lost = |core: ReplayWindow, reason| Lost {
            from: core.from_date().start(),
            to: core.to_date().start(),
            reason,
        };
        let tries = self.halving.tries();
        gaps.lost.extend(early.into_iter().map(|core| lost(core, LostReason::BeforeWebhook)));
        let given_up = joined(self.halving.given_up().map(|(core, _)| core)).into_iter();
        gaps.lost.extend(given_up.map(|core| lost(core, LostReason::GivenUp { tries })));
        gaps.lost.extend(self.never_attempted());
        let (_, sweep) = self.split_at_creation(&sweep);
        let mut sweep = plan_with(&sweep, self.halving.cuts(), now, limits);
        // Covered time that can no longer be looked at is not lost.
        sweep.lost.clear();
        Plans { gaps, sweep }
    }

    /// Returns the minutes that gaps of some causes miss, and those to sweep.
    fn missing(
        &self,
        live: Option<ReplayWindow>,
        counts: impl Fn(Cause) -> bool,
    ) -> (Vec<ReplayWindow>, Vec<ReplayWindow>) {
        let closed: Vec<_> = self.closed(0).chain(live).collect();
        let gaps: Vec<_> = self.gaps.iter().copied().filter(|gap| counts(gap.cause)).collect();
        let mut missing = outstanding(&gaps, &closed);
        let mut sweep = Vec::new();
        for Declared { declaration, after, .. } in &self.declared {
            let Gap { from, to, cause } = declaration.gap;
            if !counts(cause) {
                continue;
            }
            let near = |core: &ReplayWindow| {
                core.from_date().start() < to && from < core.to_date().start()
            };
            let closed: Vec<_> = self.closed(*after).chain(live).filter(near).collect();
            let list = if declaration.is_sweep() { &mut sweep } else { &mut missing };
            list.extend(outstanding(&[declaration.gap], &closed));
        }
        (joined(missing.into_iter()), joined(sweep.into_iter()))
    }

    /// What is lost only if wrong signatures were X's own is not certainly lost: anybody can send
    /// those.
    fn doubt(&self, lost: &mut Vec<Lost>, live: Option<ReplayWindow>) {
        if lost.is_empty() || !self.gaps.iter().any(|gap| gap.cause == Cause::Signatures) {
            return;
        }
        let (sure, _) = self.missing(live, |cause| cause != Cause::Signatures);
        let mut told = Vec::new();
        for one in lost.drain(..) {
            let window = ReplayWindow::new(UtcMinute::floor(one.from), UtcMinute::ceil(one.to));
            let (LostReason::TooOld { look_back }, Ok(window)) = (one.reason, window) else {
                told.push(one);
                continue;
            };
            let suspected = without(vec![window], &sure);
            let certain = without(vec![window], &suspected);
            let certain = certain.into_iter().map(|core| (core, one.reason));
            let reason = LostReason::Suspected { look_back };
            let parts = certain.chain(suspected.into_iter().map(|core| (core, reason)));
            told.extend(parts.map(|(core, reason)| Lost {
                from: core.from_date().start(),
                to: core.to_date().start(),
                reason,
            }));
        }
        told.sort_by_key(|lost| lost.from);
        *lost = told;
    }

    /// Returns what X may never have attempted; a spell that was declared by several runs is one.
    fn never_attempted(&self) -> Vec<Lost> {
        let gaps = self.declared.iter().map(|declared| declared.declaration.gap);
        let mut gaps: Vec<_> = gaps.filter(|gap| gap.cause.may_be_unrecoverable()).collect();
        gaps.sort_by_key(|gap| (gap.cause, gap.from));
        let mut lost: Vec<Lost> = Vec::new();
        for Gap { from, to, cause } in gaps {
            let reason = LostReason::MaybeNotAttempted { cause };
            match lost.last_mut() {
                Some(last) if last.reason == reason && from <= last.to => {
                    last.to = last.to.max(to);
                }
                _ => lost.push(Lost { from, to, reason }),
            }
        }
        lost
    }

    /// Returns what needs no job, of what was asked for by attempts behind one.
    fn closed(&self, after: u64) -> impl Iterator<Item = ReplayWindow> {
        let later = move |(core, attempt)| (attempt > after).then_some(core);
        let recovered = self.recovered.iter().copied().filter_map(later);
        recovered.chain(self.halving.given_up().filter_map(later))
    }

    /// Cuts windows at the minute in which the webhook was registered.
    fn split_at_creation(
        &self,
        windows: &[ReplayWindow],
    ) -> (Vec<ReplayWindow>, Vec<ReplayWindow>) {
        let Some(created_at) = self.webhook.created_at else {
            return (Vec::new(), windows.to_vec());
        };
        let minute = UtcMinute::floor(created_at);
        let before =
            |w: &ReplayWindow| ReplayWindow::new(w.from_date(), w.to_date().min(minute)).ok();
        let after =
            |w: &ReplayWindow| ReplayWindow::new(w.from_date().max(minute), w.to_date()).ok();
        (windows.iter().filter_map(before).collect(), windows.iter().filter_map(after).collect())
    }
}
