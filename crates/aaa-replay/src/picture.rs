//! What a ledger knows of coverage and replays at one moment, for whoever shows it.

mod segments;

use aaa_types::{JobId, WebhookId};
use jiff::{SignedDuration, Timestamp};

pub use self::segments::{Segment, State};
use crate::{
    coverage::{Cause, Gap, Heartbeat, Proof, RunId, Span, Tally},
    engine::{Engine, Health, Input, Moment, Settings, Webhook, learned},
    ledger::{Attempt, Declared, Lease, Ledger, LedgerError, Outcome, Role, Summary},
    plan::{Plan, Window},
};

/// How long without a heartbeat means that nobody receives: three periods.
const SILENCE: SignedDuration = SignedDuration::from_secs(15);

/// What was read.
///
/// # Examples
///
/// ```
/// use aaa_replay::{engine::{Settings, Webhook}, picture::{Now, Picture}};
///
/// // Nothing was ever received.
/// let (picture, time) = (Picture::default(), "2025-11-22T04:13:00Z".parse()?);
/// let now = Now { x: time, wall: time };
/// let webhook = Webhook { id: "12".parse()?, created_at: None };
/// assert!(!picture.is_received(now));
/// assert!(picture.plan(webhook, Settings::v2(), now).now.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Picture {
    /// What is covered.
    pub spans: Vec<Span>,
    /// Where in it something arrived.
    pub proofs: Vec<Proof>,
    /// The declared gaps.
    pub declared: Vec<Declared>,
    /// The jobs.
    pub attempts: Vec<Attempt>,
    /// Who looks after the replays, or did.
    pub lease: Option<Lease>,
    /// What is left of what was trimmed.
    pub summary: Summary,
    /// Whether a process has claimed the store.
    pub in_use: bool,
    /// How long without a heartbeat means that nobody receives.
    pub silence: SignedDuration,
}

impl Default for Picture {
    fn default() -> Self {
        Self {
            spans: Vec::new(),
            proofs: Vec::new(),
            declared: Vec::new(),
            attempts: Vec::new(),
            lease: None,
            summary: Summary::default(),
            in_use: false,
            silence: SILENCE,
        }
    }
}

/// A moment on X's clock and on that of this machine.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// X's clock.
    pub x: Timestamp,
    /// The local wall clock.
    pub wall: Timestamp,
}

impl Picture {
    /// Reads a ledger that a process has claimed. The attempts come last, so that each has the
    /// declaration that it answers.
    ///
    /// # Errors
    ///
    /// Fails when the ledger cannot be read.
    pub async fn read<L: Ledger>(ledger: &L) -> Result<Self, LedgerError> {
        Ok(Self {
            in_use: true,
            spans: ledger.spans().await?,
            proofs: ledger.proofs().await?,
            declared: ledger.declared().await?,
            lease: ledger.lease().await?,
            summary: ledger.summary().await?,
            attempts: ledger.attempts().await?,
            silence: SILENCE,
        })
    }

    /// Returns the last heartbeat.
    pub fn last(&self) -> Option<&Heartbeat> {
        self.spans.last().map(|span| &span.last)
    }

    /// Says whether a receiver has the store open, and wrote to it a moment ago.
    pub fn is_received(&self, now: Now) -> bool {
        let age = self.last().map(|last| now.wall.duration_since(last.wall).abs());
        self.in_use && age.is_some_and(|age| age <= self.silence)
    }

    /// Returns the lease, if somebody holds it.
    pub fn holder(&self, now: Now) -> Option<&Lease> {
        self.lease.as_ref().filter(|lease| lease.expires_at > now.wall)
    }

    /// Says whether the holder of the lease is the receiver that writes to the store: then it
    /// recovers by itself.
    pub fn recovers_itself(&self, now: Now) -> bool {
        let holder = self.holder(now).map(|lease| &lease.holder);
        let holder = holder.filter(|holder| holder.role == Role::Listener);
        holder.map(|holder| holder.run) == self.last().map(|last| last.run)
            && holder.is_some()
            && self.is_received(now)
    }

    /// Returns the webhook that the store knows: that of the last attempt, or that of the last
    /// declared gap which is about one.
    pub fn webhook(&self) -> Option<WebhookId> {
        let attempt = self.attempts.last().map(|attempt| attempt.intent.webhook);
        let declared = self.declared.iter().rev().find_map(|d| d.declaration.webhook);
        attempt.or(declared)
    }

    /// Returns the attempt for a webhook that may still end well: one that somebody follows.
    pub fn live(&self, webhook: WebhookId, now: Now) -> Option<&Attempt> {
        self.holder(now)?;
        let mut open = self.attempts.iter().filter(|attempt| attempt.outcome.is_open());
        open.find(|attempt| attempt.intent.webhook == webhook)
    }

    /// Returns the gaps: those between heartbeats, and the one that lasts while nobody receives.
    pub fn gaps(&self, settings: &Settings, now: Now) -> Vec<Gap> {
        let mut gaps = settings.gaps(&self.spans);
        if let Some(last) = self.last().filter(|_| !self.is_received(now)) {
            let mut open = Gap::new(last.x_time(), now.x.max(last.x_time()), Cause::Down);
            open.from = open.from.saturating_sub(settings.margin).unwrap_or(open.from);
            gaps.push(open);
        }
        gaps
    }

    /// Returns the plan for a webhook, without the window of a live job.
    pub fn plan(&self, webhook: Webhook, settings: Settings, now: Now) -> Plan {
        self.planned(webhook, settings, now, self.gaps(&settings, now), self.declared.clone())
    }

    /// Returns the plan for one declared gap alone.
    pub fn plan_of(&self, webhook: Webhook, settings: Settings, now: Now, number: u64) -> Plan {
        let declared = self.declared.iter().filter(|declared| declared.number == number);
        self.planned(webhook, settings, now, Vec::new(), declared.copied().collect())
    }

    fn planned(
        &self,
        webhook: Webhook,
        settings: Settings,
        now: Now,
        gaps: Vec<Gap>,
        declared: Vec<Declared>,
    ) -> Plan {
        let is_followed = self.holder(now).is_some();
        // What nobody follows any more will be asked for again.
        let attempts = self.attempts.iter().filter(|a| is_followed || !a.outcome.is_open());
        let health = Health::new(RunId(0), Tally::default());
        let settings = learned(settings, webhook.id, &self.attempts);
        let mut engine = Engine::new(webhook, settings, health, attempts.cloned().collect());
        let moment = Moment { x: now.x, uptime: SignedDuration::ZERO };
        engine.on(Input::Gaps(gaps), moment);
        engine.on(Input::Declared(declared), moment);
        engine.plan(moment).clone()
    }

    /// Returns how many events the attempts found that closed gaps, and those that swept.
    pub fn found(&self) -> (u64, u64) {
        let mut summary = self.summary;
        self.attempts.iter().for_each(|attempt| summary.add_attempt(attempt));
        (summary.found, summary.swept)
    }
}

/// Returns how many minutes windows have together.
pub fn minutes<'a>(windows: impl IntoIterator<Item = &'a Window>) -> i64 {
    windows.into_iter().map(|window| window.core.minutes()).sum()
}

/// Returns the job of an attempt, if X has given it one.
pub fn job(outcome: &Outcome) -> Option<JobId> {
    match outcome {
        Outcome::Running { job } | Outcome::Recovered { job } | Outcome::Incomplete { job, .. } => {
            Some(*job)
        }
        Outcome::Failed { job, .. } => *job,
        _ => None,
    }
}

#[cfg(test)]
mod tests;
