//! What a store knows of coverage and replays at one moment.

use std::{ops::Deref, path::PathBuf};

use aaa_replay::{
    coverage::{Cause, Gap, Heartbeat, Proof, RunId, Span, Tally},
    driver::learned,
    engine::{Engine, Health, Input, Moment, Settings, Webhook},
    ledger::{Attempt, Declared, Lease, LedgerError, Outcome, Role, Summary},
    plan::{Plan, Window},
};
use aaa_store::{SqliteReader, SqliteStore, StoreError, sqlite};
use aaa_types::WebhookId;
use jiff::{SignedDuration, Timestamp};

use super::unfollowed::{Evidence, Unfollowed};
use crate::{
    cli::StoreArgs,
    exit::{Exit, Failure},
};

/// How many periods without a heartbeat mean that nobody receives.
const SILENCE: i32 = 3;

/// What was read.
#[derive(Debug, Clone, Default)]
pub(super) struct Picture {
    pub(super) spans: Vec<Span>,
    pub(super) proofs: Vec<Proof>,
    pub(super) declared: Vec<Declared>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) lease: Option<Lease>,
    pub(super) summary: Summary,
    /// Whether a process has claimed the store.
    pub(super) in_use: bool,
}

/// A moment on X's clock and on that of this machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) x: Timestamp,
    pub(super) wall: Timestamp,
}

impl Picture {
    /// Reads the store.
    ///
    /// # Errors
    ///
    /// Fails when it cannot be read.
    pub(super) async fn read(store: &Store) -> Result<Self, Failure> {
        let read = async {
            Ok(Self {
                in_use: sqlite::is_in_use(&store.directory),
                spans: store.spans().await?,
                proofs: store.proofs().await?,
                declared: store.declared().await?,
                lease: store.lease().await?,
                summary: store.summary().await?,
                attempts: store.attempts().await?,
            })
        };
        read.await.map_err(|error| unreadable(&error))
    }

    /// Returns the last heartbeat.
    pub(super) fn last(&self) -> Option<&Heartbeat> {
        self.spans.last().map(|span| &span.last)
    }

    /// Says whether a receiver has the store open, and wrote to it a moment ago.
    pub(super) fn is_received(&self, now: Now) -> bool {
        let period = aaa_store::Settings::default().heartbeat_period;
        let silence = SignedDuration::try_from(period * SILENCE.unsigned_abs());
        let age = self.last().map(|last| now.wall.duration_since(last.wall).abs());
        self.in_use && age.zip(silence.ok()).is_some_and(|(age, silence)| age <= silence)
    }

    /// Returns the lease, if somebody holds it.
    pub(super) fn holder(&self, now: Now) -> Option<&Lease> {
        self.lease.as_ref().filter(|lease| lease.expires_at > now.wall)
    }

    /// Says whether the holder of the lease is the receiver that writes to the store: then it
    /// recovers by itself.
    pub(super) fn recovers_itself(&self, now: Now) -> bool {
        let holder = self.holder(now).map(|lease| &lease.holder);
        let holder = holder.filter(|holder| holder.role == Role::Listener);
        holder.map(|holder| holder.run) == self.last().map(|last| last.run)
            && holder.is_some()
            && self.is_received(now)
    }

    /// Returns the webhook that the store knows: that of the last attempt, or that of the last
    /// declared gap which is about one.
    pub(super) fn webhook(&self) -> Option<WebhookId> {
        let attempt = self.attempts.last().map(|attempt| attempt.intent.webhook);
        let declared = self.declared.iter().rev().find_map(|d| d.declaration.webhook);
        attempt.or(declared)
    }

    /// Returns the attempt for a webhook that may still end well: one that somebody follows.
    pub(super) fn live(&self, webhook: WebhookId, now: Now) -> Option<&Attempt> {
        self.holder(now)?;
        let mut open = self.attempts.iter().filter(|attempt| attempt.outcome.is_open());
        open.find(|attempt| attempt.intent.webhook == webhook)
    }

    /// Returns the gaps: those between heartbeats, and the one that lasts while nobody receives.
    pub(super) fn gaps(&self, settings: &Settings, now: Now) -> Vec<Gap> {
        let mut gaps = settings.gaps(&self.spans);
        if let Some(last) = self.last().filter(|_| !self.is_received(now)) {
            let mut open = Gap::new(last.x_time(), now.x.max(last.x_time()), Cause::Down);
            open.from = open.from.saturating_sub(settings.margin).unwrap_or(open.from);
            gaps.push(open);
        }
        gaps
    }

    /// Returns the plan for a webhook, without the window of a live job.
    pub(super) fn plan(&self, webhook: Webhook, settings: Settings, now: Now) -> Plan {
        self.planned(webhook, settings, now, self.gaps(&settings, now), self.declared.clone())
    }

    /// Returns the plan for one declared gap alone.
    pub(super) fn plan_of(
        &self,
        webhook: Webhook,
        settings: Settings,
        now: Now,
        number: u64,
    ) -> Plan {
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

    /// Returns the attempts that nobody follows, and what became of them as far as it can be told.
    /// To be called by who holds the lease, or when nobody does.
    ///
    /// # Errors
    ///
    /// Fails when the inbox cannot be read.
    pub(super) async fn unfollowed(
        &self,
        store: &Store,
        settings: &Settings,
        now: Now,
    ) -> Result<Vec<Unfollowed>, Failure> {
        let (spans, is_received) = (&self.spans, self.is_received(now));
        let evidence = Evidence { settings, spans, is_received, now: now.x };
        let judged = evidence.judge(&store.reader, &self.attempts).await;
        judged.map_err(|error| Exit::Failed.of("could not read the inbox", error))
    }

    /// Returns how many events the attempts found that closed gaps, and those that swept.
    pub(super) fn found(&self) -> (u64, u64) {
        let mut summary = self.summary;
        self.attempts.iter().for_each(|attempt| summary.add_attempt(attempt));
        (summary.found, summary.swept)
    }
}

/// Returns how many minutes windows have together.
pub(super) fn minutes<'a>(windows: impl IntoIterator<Item = &'a Window>) -> i64 {
    windows.into_iter().map(|window| window.core.minutes()).sum()
}

/// Returns the job of an attempt, if X has given it one.
pub(super) fn job(outcome: &Outcome) -> Option<aaa_types::JobId> {
    match outcome {
        Outcome::Running { job } | Outcome::Recovered { job } | Outcome::Incomplete { job, .. } => {
            Some(*job)
        }
        Outcome::Failed { job, .. } => *job,
        _ => None,
    }
}

/// Opens the store to read it, beside a receiver or without one.
///
/// # Errors
///
/// Fails when there is none, and when it cannot be read.
pub(super) fn open(args: &StoreArgs) -> Result<Store, Failure> {
    let reader = SqliteStore::open_reader(&args.data_dir);
    let reader = reader.map_err(|error| Exit::Failed.of("could not open the store", error))?;
    Ok(Store { reader, directory: args.data_dir.clone() })
}

/// A store that is read, and where it is.
#[derive(Debug, Clone)]
pub(super) struct Store {
    reader: SqliteReader,
    directory: PathBuf,
}

impl Deref for Store {
    type Target = SqliteReader;

    fn deref(&self) -> &SqliteReader {
        &self.reader
    }
}

pub(super) fn unreadable(error: &StoreError) -> Failure {
    Exit::Failed.of("could not read the store", error)
}

pub(super) fn unusable(error: &LedgerError) -> Failure {
    Exit::Failed.with(error.to_string())
}

#[cfg(test)]
mod tests;
