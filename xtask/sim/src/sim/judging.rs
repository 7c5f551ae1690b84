//! What is judged as it happens: requests, refusals, gaps, and who writes about jobs.

use aaa_client::ClientError;
use aaa_emulator::control::JobState;
use aaa_replay::{
    coverage::{Cause, Gap},
    engine::RefusalKind,
    ledger::{Attempt, Outcome},
};
use aaa_types::{ReplayWindow, WebhookId};
use bytes::Bytes;
use http::Request;

use super::{Sim, calls::CallId, driving::Who};
use crate::{
    clock::{MINUTE, Millis, SECOND},
    invariant::Invariant,
};

impl Sim {
    /// What must hold of a request.
    pub(super) fn judge_request(&mut self, call: CallId, request: &Request<Bytes>) {
        let Some((webhook, asked)) = asked(request) else { return };
        self.say(|| format!("X is asked for {asked}"));
        // X takes longer ones, here; its documents ask not to.
        let longest = self.scenario.longest_window();
        if asked.minutes() > longest {
            let words = format!("{asked} has {} minutes of {longest}", asked.minutes());
            self.violate(Invariant::Window, words);
        }
        // Whoever was killed meanwhile knows nothing of what the next one has written, and neither
        // does whoever has lost the lease; the last guard is X.
        let Some(who) = self.caller(call) else { return };
        self.judge_live_jobs(who, webhook, asked);
        if !self.has_lease(who) {
            return;
        }
        let attempts = self.disk.attempts().unwrap_or_default().into_iter();
        let (open, settled): (Vec<Attempt>, Vec<Attempt>) = attempts
            .filter(|attempt| attempt.intent.webhook == webhook)
            .partition(|attempt| attempt.outcome.is_open());
        if open.len() > 1 {
            let words = format!("{} attempts are open while {asked} is asked for", open.len());
            self.violate(Invariant::OneJob, words);
        }
        let Some(attempt) = open.last() else {
            let words = format!("nothing in the ledger of {asked}, by {who:?}");
            self.violate(Invariant::IntentFirst, words);
            return;
        };
        let core = attempt.intent.core;
        // Before a minute is given up, it is asked for alone.
        let failed = |attempt: &&Attempt| {
            attempt.intent.core == core && matches!(attempt.outcome, Outcome::Incomplete { .. })
        };
        let may_be_alone =
            core.minutes() == 1 && settled.iter().filter(failed).count() + 1 >= self.settings.tries;
        let end = core.to_date().plus(i64::from(!may_be_alone));
        if !(asked.from_date() <= core.from_date() && end <= asked.to_date()) {
            self.violate(Invariant::Overlap, format!("{asked} was asked for, missing is {core}"));
        }
    }

    /// Nobody asks for a second job while the one is under way that the same engine was told of,
    /// unless its end is overdue. What its ledger says does not matter here, only what X does.
    ///
    /// Jobs that it does not know of are X's to guard, with a conflict: those of others, those of
    /// runs before, and those whose acceptance was lost on its way.
    fn judge_live_jobs(&mut self, who: Who, webhook: WebhookId, asked: ReplayWindow) {
        let uptime = self.moment(who).uptime;
        let known = self.driver(who).and_then(|driver| driver.jobs.get(&webhook).copied());
        let Some((job, since)) = known else { return };
        let running = self.world.state(self.clocks.x()).jobs.into_iter().rev();
        let mut running = running.filter(|it| it.job.state == JobState::Running);
        if uptime - since < self.settings.completion_timeout && running.any(|it| it.job.id == job) {
            let words = format!("job {job} is under way while {asked} is asked for, by {who:?}");
            self.violate(Invariant::OneJob, words);
        }
    }

    /// What must hold of a refusal.
    pub(super) fn judge_refusal(
        &mut self,
        who: Who,
        (call, since): (CallId, Millis),
        kind: RefusalKind,
        error: &ClientError,
    ) {
        let planned = self.planned_calls.iter().position(|planned| *planned == call);
        let planned = planned.map(|index| self.planned_calls.swap_remove(index)).is_some();
        if matches!(kind, RefusalKind::RateLimited(_)) && !planned {
            self.violate(Invariant::Rate, error.to_string());
        }
        let x = self.clocks.x_at(self.clocks.now());
        let believed = self.moment(who).x.as_millisecond();
        // A process that stood still within its call asks the second route for what was in reach
        // before.
        let at_once = self.clocks.now() - since < MINUTE;
        let knows_time = at_once && (x - believed).abs() <= 2 * SECOND;
        if kind == RefusalKind::Window && knows_time {
            self.violate(Invariant::Window, error.to_string());
        }
    }

    /// What must hold when something about a job was written.
    pub(super) fn judge_write(&mut self, who: Who, what: &str) {
        if !self.has_lease(who) {
            let words = format!("{what}, by {who:?}");
            self.violate(Invariant::LeaseKept, words);
        }
    }

    /// Says whether the lease in the ledger is that of somebody.
    pub(super) fn has_lease(&mut self, who: Who) -> bool {
        let lease = self.disk.lease().ok().flatten();
        let Some(driver) = self.driver(who) else { return false };
        lease.is_some_and(|lease| lease.holder == driver.desk.holder)
    }

    /// Every gap is near something that happened.
    pub(super) fn judge_gaps(&mut self, gaps: &[Gap]) {
        let tolerance = self.tolerance();
        for gap in gaps {
            if !self.gaps_seen.insert((gap.from, gap.to)) {
                continue;
            }
            let (from, to) = (gap.from.as_millisecond(), gap.to.as_millisecond());
            if gap.cause == Cause::Signatures {
                // The next spell may begin within the margin of the one before.
                let margin = i64::try_from(self.settings.margin.as_millis()).unwrap_or(0);
                self.signature_gaps.push((from + margin, to - margin));
                if self.truth.rejected(from, to, tolerance) {
                    // Nobody can tell a forgery from a delivery that was signed with another
                    // secret.
                    self.truth.disturb(from, to);
                }
            }
            if !self.truth.touches(None, from, to, tolerance) {
                let words = format!("{:.3} to {:.3}, {}", gap.from, gap.to, gap.cause);
                self.violate(Invariant::GapsAreReal, words);
            }
        }
    }
}

/// Reads webhook and window out of a request of either generation.
fn asked(request: &Request<Bytes>) -> Option<(WebhookId, ReplayWindow)> {
    let body = serde_json::from_slice::<serde_json::Value>(request.body()).ok();
    let text = |name: &str| {
        let in_body = body.as_ref().and_then(|body| body.get(name)?.as_str());
        let pairs = request.uri().query().unwrap_or_default().split('&');
        let mut values = pairs.filter_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        in_body.or_else(|| values.next())
    };
    let mut path = request.uri().path().split('/').skip_while(|part| *part != "webhooks").skip(1);
    let webhook = text("webhook_id").or_else(|| path.next())?.parse().ok()?;
    let minute = |name| text(name)?.parse().ok();
    Some((webhook, ReplayWindow::new(minute("from_date")?, minute("to_date")?).ok()?))
}
