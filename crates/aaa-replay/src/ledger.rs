//! What was asked of X and what came of it, so that a restart knows.

mod attempt;
mod book;
mod cluster;
mod declared;
mod lease;
mod seen;
mod shared;

use std::{collections::BTreeSet, future::Future};

use aaa_types::{UserId, WebhookId};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

pub use self::{
    attempt::{Attempt, Intent, Outcome, Purpose},
    book::Book,
    cluster::ClusterBook,
    declared::{Declaration, Declared},
    lease::{Holder, Lease, LeaseId, Role},
    seen::Seen,
};
use crate::coverage::{Heartbeat, Proof, Span};

/// Remembers coverage, declared gaps and replay jobs. `aaa-store` implements it in SQLite, in memory
/// and, by feature, in JetStream, where several receivers share it.
///
/// Every method answers only when its effect is durable. Several processes may use one ledger:
/// anybody may [declare](Self::declare) a gap, but only the holder of the [`Lease`] asks for jobs,
/// and every write about a job names the lease it is made under.
///
/// # Errors
///
/// Every method fails with [`LedgerError::Unavailable`] when the store cannot be read or written;
/// nobody knows then whether a write was made. A write that finds no room fails with
/// [`LedgerError::Full`]. What else a method refuses stands beside it.
pub trait Ledger: Send + Sync + 'static {
    /// Adds a heartbeat through the writer that stores deliveries, so that it proves that they
    /// could be stored.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Twin`] when another receiver that is alive has the same name.
    fn heartbeat(
        &self,
        heartbeat: Heartbeat,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Returns the spans of coverage with their numbers, which count up from 1, in the order of
    /// their writing and from a number on. All but the last are final.
    fn spans_from(
        &self,
        number: u64,
    ) -> impl Future<Output = Result<Vec<(u64, Span)>, LedgerError>> + Send;

    /// Returns the stretches of coverage in which something arrived, in the order of their
    /// writing.
    fn proofs(&self) -> impl Future<Output = Result<Vec<Proof>, LedgerError>> + Send;

    /// Takes the lease, or keeps it for longer, when [`Lease::take`] allows it.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Held`] when somebody else holds it.
    fn take_lease(
        &self,
        holder: Holder,
        now: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = Result<Lease, LedgerError>> + Send;

    /// Gives the lease back; somebody else's is left alone.
    fn release_lease(&self, lease: LeaseId)
    -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Returns the lease as it was last taken, whether it is over or not.
    fn lease(&self) -> impl Future<Output = Result<Option<Lease>, LedgerError>> + Send;

    /// Records that a job is about to be asked for, before the call; returns the attempt's
    /// number, which counts up from 1.
    ///
    /// # Errors
    ///
    /// [`LedgerError::NotHeld`] when this is not the lease that counts.
    fn intend(
        &self,
        lease: LeaseId,
        intent: Intent,
    ) -> impl Future<Output = Result<u64, LedgerError>> + Send;

    /// Records what became of an attempt; returns how many events [it found](Attempt::found).
    ///
    /// # Errors
    ///
    /// [`LedgerError::NotHeld`] when this is not the lease that counts, [`LedgerError::NoAttempt`]
    /// when there is no attempt of this number.
    fn settle(
        &self,
        lease: LeaseId,
        attempt: u64,
        outcome: Outcome,
        at: Timestamp,
    ) -> impl Future<Output = Result<u64, LedgerError>> + Send;

    /// Returns all attempts in their order.
    fn attempts(&self) -> impl Future<Output = Result<Vec<Attempt>, LedgerError>> + Send;

    /// Records a gap that heartbeats cannot tell; returns its number, which counts up from 1.
    /// Whoever holds the lease finds it.
    fn declare(
        &self,
        declaration: Declaration,
    ) -> impl Future<Output = Result<u64, LedgerError>> + Send;

    /// Moves the end of a declared gap, never back; says whether it is there.
    fn prolong(
        &self,
        number: u64,
        to: Timestamp,
    ) -> impl Future<Output = Result<bool, LedgerError>> + Send;

    /// Takes a declared gap back; says whether it was there.
    fn withdraw(&self, number: u64) -> impl Future<Output = Result<bool, LedgerError>> + Send;

    /// Returns the declared gaps in their order.
    fn declared(&self) -> impl Future<Output = Result<Vec<Declared>, LedgerError>> + Send;

    /// Records when all was seen to be well with a webhook; what `seen` does not say stays as it
    /// was.
    fn confirm(
        &self,
        webhook: WebhookId,
        seen: Seen,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Returns when all was last seen to be well with a webhook.
    fn confirmed(
        &self,
        webhook: WebhookId,
    ) -> impl Future<Output = Result<Seen, LedgerError>> + Send;

    /// Records who is subscribed to a webhook, or was and should still be; whoever was recorded
    /// before and is not among them goes.
    fn remember(
        &self,
        webhook: WebhookId,
        subscribers: BTreeSet<UserId>,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Returns who was recorded.
    fn remembered(
        &self,
        webhook: WebhookId,
    ) -> impl Future<Output = Result<BTreeSet<UserId>, LedgerError>> + Send;

    /// Takes a user out of those recorded: whoever ends a subscription on purpose says so here, and
    /// a watch does not miss them.
    fn dismiss(
        &self,
        webhook: WebhookId,
        user: UserId,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send {
        async move {
            let mut subscribers = self.remembered(webhook).await?;
            if subscribers.remove(&user) {
                self.remember(webhook, subscribers).await?;
            }
            Ok(())
        }
    }

    /// Removes what ended before a time on X's clock and so matters no more, but for the last
    /// span, the last sweep and what is open. It is counted in the [`Summary`].
    fn trim(&self, before: Timestamp) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Returns what is left of what was trimmed.
    fn summary(&self) -> impl Future<Output = Result<Summary, LedgerError>> + Send;

    /// Returns all spans of coverage in the order of their writing.
    fn spans(&self) -> impl Future<Output = Result<Vec<Span>, LedgerError>> + Send {
        async { Ok(self.spans_from(0).await?.into_iter().map(|(_, span)| span).collect()) }
    }
}

/// What is left of what a ledger has trimmed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// When coverage began, on X's clock.
    pub since: Option<Timestamp>,
    /// How much time the spans that are gone covered.
    #[serde(serialize_with = "seconds")]
    pub covered: SignedDuration,
    /// How many spans are gone.
    pub spans: u64,
    /// How many attempts are gone.
    pub attempts: u64,
    /// How many events those to close gaps found.
    pub found: u64,
    /// How many events those to sweep found.
    pub swept: u64,
}

impl Summary {
    /// Adds a span that goes.
    pub fn add_span(&mut self, span: &Span) {
        let (from, to) = (span.first.x_time(), span.last.x_time());
        self.since = Some(self.since.map_or(from, |since| since.min(from)));
        let length = to.duration_since(from).max(SignedDuration::ZERO);
        self.covered = self.covered.saturating_add(length);
        self.spans += 1;
    }

    /// Adds an attempt that goes.
    pub fn add_attempt(&mut self, attempt: &Attempt) {
        self.attempts += 1;
        match attempt.intent.purpose {
            Purpose::Gap => self.found += attempt.found,
            Purpose::Sweep => self.swept += attempt.found,
        }
    }
}

fn seconds<S: serde::Serializer>(time: &SignedDuration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(time.as_secs())
}

/// A ledger did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// It cannot be read or written.
    #[error("the replay ledger cannot be used: {0}")]
    Unavailable(String),
    /// Somebody else looks after the replays.
    #[error("replays are looked after by {} until {}", .0.holder.name, .0.expires_at)]
    Held(Box<Lease>),
    /// Somebody else has taken the lease over.
    #[error("somebody else looks after the replays by now")]
    NotHeld,
    /// It has no room for more.
    #[error("the replay ledger has no room: {0}")]
    Full(String),
    /// Another receiver that is alive has the same name.
    #[error(
        "another receiver is called `{0}`: give each its own --node; until then nothing of this \
         one is recorded"
    )]
    Twin(String),
    /// There is no such attempt.
    #[error("there is no attempt {0}")]
    NoAttempt(u64),
}
