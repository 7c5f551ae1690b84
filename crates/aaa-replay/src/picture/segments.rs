use aaa_types::{ReplayWindow, WebhookId};
use jiff::Timestamp;

use super::{Now, Picture};
use crate::{
    coverage::{Cause, Gap, Grade, graded},
    ledger::Outcome,
    plan::Plan,
};

/// A stretch of X's time, and what is known of it. Several may be about the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// What is known of it.
    pub state: State,
}

/// What is known of a stretch of time. Where several things are, the greatest says most: what is
/// lost more than what was missed, what was missed more than what is covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum State {
    /// The receiver could have stored deliveries, but none came.
    Assumed,
    /// Deliveries or checks arrived.
    Proved,
    /// A gap, whatever became of it.
    Missed(Cause),
    /// A replay brought it back.
    Recovered,
    /// X replays it later.
    Later,
    /// X can replay it now.
    Now,
    /// It is being replayed.
    Running,
    /// Perhaps X has nothing to replay.
    MaybeLost,
    /// Nobody can bring it back.
    Lost,
}

impl Picture {
    /// Returns what is known of the time since coverage began: what is covered, the `gaps`, what
    /// became of them, and what the plan for a webhook says.
    pub fn segments(
        &self,
        gaps: &[Gap],
        plan: &Plan,
        webhook: WebhookId,
        now: Now,
    ) -> Vec<Segment> {
        let mut segments = Vec::new();
        for covered in graded(&self.spans, &self.proofs) {
            let state = if covered.grade == Grade::Proved { State::Proved } else { State::Assumed };
            segments.push(Segment { from: covered.from, to: covered.to, state });
        }
        let missed =
            |gap: &Gap| Segment { from: gap.from, to: gap.to, state: State::Missed(gap.cause) };
        segments.extend(gaps.iter().map(missed));
        let declared = self.declared.iter().map(|declared| &declared.declaration);
        let declared = declared.filter(|d| d.is_about(webhook) && !d.is_sweep());
        segments.extend(declared.map(|declaration| missed(&declaration.gap)));
        let mut push = |core: ReplayWindow, state| {
            let (from, to) = (core.from_date().start(), core.to_date().start());
            segments.push(Segment { from, to, state });
        };
        for attempt in self.attempts.iter().filter(|attempt| attempt.intent.webhook == webhook) {
            if matches!(attempt.outcome, Outcome::Recovered { .. }) {
                push(attempt.intent.core, State::Recovered);
            }
        }
        if let Some(live) = self.live(webhook, now) {
            push(live.intent.core, State::Running);
        }
        plan.now.iter().for_each(|window| push(window.core, State::Now));
        plan.later.iter().for_each(|later| push(later.window.core, State::Later));
        segments.extend(plan.lost.iter().map(|lost| {
            let state = if lost.reason.is_certain() { State::Lost } else { State::MaybeLost };
            Segment { from: lost.from, to: lost.to, state }
        }));
        segments
    }
}
