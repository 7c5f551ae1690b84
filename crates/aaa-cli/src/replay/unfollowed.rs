//! What became of attempts that nobody follows: those of a command that did not wait, and those
//! of a process that is gone.
//!
//! The end of a job is a delivery like any other, so it is in the inbox, whoever waits for it; and
//! the heartbeats tell whether one run of the receiver took everything meanwhile. Where both are
//! there, an attempt can still be judged as if it had been followed. Where they are not, nobody
//! will ever know, and that is what is noted: nothing stays open for ever.

use std::collections::BTreeMap;

use aaa_replay::{
    coverage::Span,
    engine::Settings,
    ledger::{Attempt, LeaseId, Ledger, LedgerError, Outcome},
};
use aaa_types::{
    JobId, WebhookId,
    event::Event,
    payload::{JobState, ReplayJobStatus},
};
use aaa_webhook::inbox::{EventLog, EventQuery, InboxError};
use jiff::Timestamp;

use super::own::{JOB_STATUS, MOMENT};
use crate::listen::DEFAULT_APP;

/// How many events are read at once.
const PAGE: usize = 100;

/// An attempt that nobody follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unfollowed {
    pub(crate) number: u64,
    pub(crate) webhook: WebhookId,
    /// What became of it; None while it may still end well.
    pub(crate) outcome: Option<Outcome>,
}

/// By what attempts are judged.
pub(crate) struct Evidence<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) spans: &'a [Span],
    /// Whether the receiver of the last span is still there.
    pub(crate) is_received: bool,
    /// X's time.
    pub(crate) now: Timestamp,
}

impl Evidence<'_> {
    /// Looks for the ends of the attempts that are open. To be called when nobody holds the lease
    /// but who calls it.
    ///
    /// # Errors
    ///
    /// Fails when the inbox cannot be read.
    pub(crate) async fn judge(
        &self,
        log: &impl EventLog,
        attempts: &[Attempt],
    ) -> Result<Vec<Unfollowed>, InboxError> {
        let open: Vec<_> = attempts.iter().filter(|attempt| attempt.outcome.is_open()).collect();
        if open.is_empty() {
            return Ok(Vec::new());
        }
        let ends = ends(log).await?;
        let judged = open.into_iter().map(|attempt| Unfollowed {
            number: attempt.number,
            webhook: attempt.intent.webhook,
            outcome: self.outcome(attempt, &ends),
        });
        Ok(judged.collect())
    }

    fn outcome(&self, attempt: &Attempt, ends: &Ends) -> Option<Outcome> {
        let Outcome::Running { job } = attempt.outcome else {
            let reason = "nobody saw whether X took it".to_owned();
            return Some(Outcome::Failed { job: None, reason });
        };
        let failed = |reason: &str| {
            let reason = reason.to_owned();
            Some(Outcome::Failed { job: Some(job), reason })
        };
        // X's clock may have been read a little differently by whoever asked.
        let at = attempt.intent.at.saturating_sub(self.settings.margin).unwrap_or(Timestamp::MIN);
        let span = self.spans.iter().rfind(|span| span.first.x_time() <= at);
        let goes_on = self.is_received && span.is_some() && span == self.spans.last();
        match ends.get(&job) {
            Some((received, status)) => {
                let trusted = span.is_some_and(|s| *received + MOMENT <= s.last.wall);
                let meanwhile = "the receiver refused deliveries or stopped meanwhile";
                let words = status.job_state_description.as_deref();
                let words = words.unwrap_or("the job ended incomplete");
                match status.job_state {
                    JobState::Complete if trusted => Some(Outcome::Recovered { job }),
                    _ if trusted => Some(Outcome::Incomplete { job, reason: words.to_owned() }),
                    // The next heartbeat tells.
                    _ if goes_on => None,
                    JobState::Complete => failed(meanwhile),
                    // Perhaps what X could not deliver is what was refused.
                    _ => failed(&format!("{meanwhile}: {words}")),
                }
            }
            None if !goes_on => failed("the receiver refused deliveries or stopped before the end"),
            None if self.is_late(attempt) => failed("no completion arrived in time"),
            None => None,
        }
    }

    fn is_late(&self, attempt: &Attempt) -> bool {
        self.now.duration_since(attempt.intent.at) >= self.settings.completion_timeout
    }
}

/// Notes what became of attempts, under a lease that is held; says whether there was anything to
/// note.
///
/// # Errors
///
/// Fails when the ledger does.
pub(crate) async fn settle(
    ledger: &impl Ledger,
    lease: LeaseId,
    attempts: &[Unfollowed],
    now: Timestamp,
) -> Result<bool, LedgerError> {
    let mut settled = false;
    for attempt in attempts {
        if let Some(outcome) = &attempt.outcome {
            ledger.settle(lease, attempt.number, outcome.clone(), now).await?;
            settled = true;
        }
    }
    Ok(settled)
}

/// When the end of each job arrived, and what it says. The first counts: a copy is later. Another
/// app's jobs are none of ours.
type Ends = BTreeMap<JobId, (Timestamp, ReplayJobStatus)>;

async fn ends(log: &impl EventLog) -> Result<Ends, InboxError> {
    let mut ends = Ends::new();
    let mut after = 0;
    loop {
        let query =
            EventQuery { kind: Some(JOB_STATUS.to_owned()), ..EventQuery::after(after, PAGE) };
        let page = log.events(query).await?;
        let Some(last) = page.last() else { return Ok(ends) };
        after = last.seq;
        for event in page.iter().filter(|event| event.app == DEFAULT_APP) {
            if let Event::ReplayJobStatus(status) = Event::decode(JOB_STATUS, event.payload.get()) {
                ends.entry(status.job_id).or_insert((event.received_at, status));
            }
        }
    }
}

#[cfg(test)]
mod tests;
