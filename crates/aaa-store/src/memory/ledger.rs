//! A ledger that is forgotten with the process.

use std::collections::BTreeSet;

use aaa_replay::{
    coverage::{Heartbeat, Proof, Span},
    ledger::{
        Attempt, Declaration, Declared, Holder, Intent, Lease, LeaseId, Ledger, LedgerError,
        Outcome, Seen, Summary,
    },
};
use aaa_types::{UserId, WebhookId};
use jiff::Timestamp;

use super::{MemoryStore, State};

impl Ledger for MemoryStore {
    async fn heartbeat(&self, heartbeat: Heartbeat) -> Result<(), LedgerError> {
        self.state().book.heartbeat(heartbeat);
        Ok(())
    }

    async fn spans_from(&self, number: u64) -> Result<Vec<(u64, Span)>, LedgerError> {
        Ok(self.state().book.spans_from(number))
    }

    async fn proofs(&self) -> Result<Vec<Proof>, LedgerError> {
        Ok(self.state().book.proofs().to_vec())
    }

    async fn take_lease(
        &self,
        holder: Holder,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, LedgerError> {
        self.state().book.take_lease(holder, now, until)
    }

    async fn release_lease(&self, lease: LeaseId) -> Result<(), LedgerError> {
        self.state().book.release_lease(lease);
        Ok(())
    }

    async fn lease(&self) -> Result<Option<Lease>, LedgerError> {
        Ok(self.state().book.lease().cloned())
    }

    async fn intend(&self, lease: LeaseId, intent: Intent) -> Result<u64, LedgerError> {
        let mut state = self.state();
        let newest = state.events.len() as u64;
        state.book.intend(lease, intent, newest)
    }

    async fn settle(
        &self,
        lease: LeaseId,
        attempt: u64,
        outcome: Outcome,
        at: Timestamp,
    ) -> Result<u64, LedgerError> {
        let State { book, occurred, .. } = &mut *self.state();
        book.settle(lease, attempt, outcome, at, |intent, after| {
            let (from, to) = (intent.request.from_date(), intent.request.to_date());
            let of_the_time = |time: &&Timestamp| from.start() <= **time && **time < to.start();
            let newer = occurred.iter().skip(usize::try_from(after).unwrap_or(usize::MAX));
            newer.flatten().filter(of_the_time).count() as u64
        })
    }

    async fn attempts(&self) -> Result<Vec<Attempt>, LedgerError> {
        Ok(self.state().book.attempts())
    }

    async fn declare(&self, declaration: Declaration) -> Result<u64, LedgerError> {
        Ok(self.state().book.declare(declaration))
    }

    async fn prolong(&self, number: u64, to: Timestamp) -> Result<bool, LedgerError> {
        Ok(self.state().book.prolong(number, to))
    }

    async fn withdraw(&self, number: u64) -> Result<bool, LedgerError> {
        Ok(self.state().book.withdraw(number))
    }

    async fn declared(&self) -> Result<Vec<Declared>, LedgerError> {
        Ok(self.state().book.declared().to_vec())
    }

    async fn confirm(&self, webhook: WebhookId, seen: Seen) -> Result<(), LedgerError> {
        self.state().book.confirm(webhook, seen);
        Ok(())
    }

    async fn confirmed(&self, webhook: WebhookId) -> Result<Seen, LedgerError> {
        Ok(self.state().book.confirmed(webhook))
    }

    async fn remember(
        &self,
        webhook: WebhookId,
        subscribers: BTreeSet<UserId>,
    ) -> Result<(), LedgerError> {
        self.state().book.remember(webhook, subscribers);
        Ok(())
    }

    async fn remembered(&self, webhook: WebhookId) -> Result<BTreeSet<UserId>, LedgerError> {
        Ok(self.state().book.remembered(webhook))
    }

    async fn trim(&self, before: Timestamp) -> Result<(), LedgerError> {
        self.state().book.trim(before);
        Ok(())
    }

    async fn summary(&self) -> Result<Summary, LedgerError> {
        Ok(self.state().book.summary())
    }
}
