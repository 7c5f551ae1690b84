//! A shared ledger is a ledger.

use std::{collections::BTreeSet, sync::Arc};

use aaa_types::{UserId, WebhookId};
use jiff::Timestamp;

use super::{
    Attempt, Declaration, Declared, Holder, Intent, Lease, LeaseId, Ledger, LedgerError, Outcome,
    Seen, Summary,
};
use crate::coverage::{Heartbeat, Proof, Span};

impl<L: Ledger> Ledger for Arc<L> {
    async fn heartbeat(&self, heartbeat: Heartbeat) -> Result<(), LedgerError> {
        L::heartbeat(self, heartbeat).await
    }

    async fn spans_from(&self, number: u64) -> Result<Vec<(u64, Span)>, LedgerError> {
        L::spans_from(self, number).await
    }

    async fn proofs(&self) -> Result<Vec<Proof>, LedgerError> {
        L::proofs(self).await
    }

    async fn take_lease(
        &self,
        holder: Holder,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, LedgerError> {
        L::take_lease(self, holder, now, until).await
    }

    async fn release_lease(&self, lease: LeaseId) -> Result<(), LedgerError> {
        L::release_lease(self, lease).await
    }

    async fn lease(&self) -> Result<Option<Lease>, LedgerError> {
        L::lease(self).await
    }

    async fn intend(&self, lease: LeaseId, intent: Intent) -> Result<u64, LedgerError> {
        L::intend(self, lease, intent).await
    }

    async fn settle(
        &self,
        lease: LeaseId,
        attempt: u64,
        outcome: Outcome,
        at: Timestamp,
    ) -> Result<u64, LedgerError> {
        L::settle(self, lease, attempt, outcome, at).await
    }

    async fn attempts(&self) -> Result<Vec<Attempt>, LedgerError> {
        L::attempts(self).await
    }

    async fn declare(&self, declaration: Declaration) -> Result<u64, LedgerError> {
        L::declare(self, declaration).await
    }

    async fn prolong(&self, number: u64, to: Timestamp) -> Result<bool, LedgerError> {
        L::prolong(self, number, to).await
    }

    async fn withdraw(&self, number: u64) -> Result<bool, LedgerError> {
        L::withdraw(self, number).await
    }

    async fn declared(&self) -> Result<Vec<Declared>, LedgerError> {
        L::declared(self).await
    }

    async fn confirm(&self, webhook: WebhookId, seen: Seen) -> Result<(), LedgerError> {
        L::confirm(self, webhook, seen).await
    }

    async fn confirmed(&self, webhook: WebhookId) -> Result<Seen, LedgerError> {
        L::confirmed(self, webhook).await
    }

    async fn remember(
        &self,
        webhook: WebhookId,
        subscribers: BTreeSet<UserId>,
    ) -> Result<(), LedgerError> {
        L::remember(self, webhook, subscribers).await
    }

    async fn remembered(&self, webhook: WebhookId) -> Result<BTreeSet<UserId>, LedgerError> {
        L::remembered(self, webhook).await
    }

    async fn dismiss(&self, webhook: WebhookId, user: UserId) -> Result<(), LedgerError> {
        L::dismiss(self, webhook, user).await
    }

    async fn trim(&self, before: Timestamp) -> Result<(), LedgerError> {
        L::trim(self, before).await
    }

    async fn summary(&self) -> Result<Summary, LedgerError> {
        L::summary(self).await
    }

    async fn spans(&self) -> Result<Vec<Span>, LedgerError> {
        L::spans(self).await
    }
}
