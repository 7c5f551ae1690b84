//! The ledger of all receivers, as one document.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    sync::{PoisonError, atomic::Ordering::SeqCst},
};

use aaa_replay::{
    coverage::{Heartbeat, Proof, Span},
    ledger::{
        Attempt, Book, ClusterBook, Declaration, Declared, Holder, Intent, Lease, LeaseId, Ledger,
        LedgerError, Outcome, Seen, Summary,
    },
};
use aaa_types::{UserId, WebhookId};
use jiff::{SignedDuration, Timestamp};

use super::{JetStreamInbox, bucket::Room, error::JetStreamError};

/// The document.
const KEY: &str = "ledger";

/// The document of a webhook's subscribers: thousands, which no heartbeat has to write anew.
fn of(webhook: WebhookId) -> String {
    format!("subscribers.{webhook}")
}

impl JetStreamInbox {
    async fn book(&self) -> Result<ClusterBook, JetStreamError> {
        self.shared.check_open()?;
        Ok(self.shared.bucket.read(KEY).await?.unwrap_or_else(|| self.empty()))
    }

    fn empty(&self) -> ClusterBook {
        let settings = &self.shared.settings;
        let signed = |time| SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
        ClusterBook::new(signed(settings.heartbeat_period), signed(settings.gone_after))
    }

    /// Makes a change that must not fail for want of room: without it nothing gets smaller again.
    async fn change<R>(
        &self,
        change: impl FnMut(&mut ClusterBook) -> Result<R, LedgerError>,
    ) -> Result<R, LedgerError> {
        self.shared.check_open()?;
        self.shared.bucket.change(KEY, Room::Last, || self.empty(), change).await?
    }

    /// Makes a change that may be refused for want of room.
    async fn add<R>(
        &self,
        mut change: impl FnMut(&mut Book) -> Result<R, LedgerError>,
    ) -> Result<R, LedgerError> {
        self.shared.check_open()?;
        let change = |cluster: &mut ClusterBook| change(cluster.book_mut());
        self.shared.bucket.change(KEY, Room::Usual, || self.empty(), change).await?
    }

    async fn always<R>(&self, mut change: impl FnMut(&mut Book) -> R) -> Result<R, LedgerError> {
        self.change(|cluster| Ok(change(cluster.book_mut()))).await
    }

    /// Says that this receiver ends by itself: everything that it took was answered, and it takes
    /// nothing more. Then its absence is no gap, as long as another one is there.
    ///
    /// # Errors
    ///
    /// Fails when the servers do not answer, and when another receiver has its name; then its end
    /// is an unclean one.
    pub async fn leave(&self) -> Result<(), JetStreamError> {
        self.shared.check_open()?;
        let node = &self.shared.settings.node;
        let own = *self.shared.heard.lock().unwrap_or_else(PoisonError::into_inner);
        // Who was never heard is missed by nobody.
        let Some(own) = own else { return Ok(()) };
        let leave = |cluster: &mut ClusterBook| {
            let is_other = cluster.nodes().any(|(name, last)| name == node && last.run != own);
            if is_other {
                return Err(JetStreamError::Twin { node: node.clone() });
            }
            cluster.leave(node);
            Ok(())
        };
        self.shared.bucket.change(KEY, Room::Last, || self.empty(), leave).await?
    }

    /// Returns the receivers that have not said that they end, with their last heartbeats.
    ///
    /// # Errors
    ///
    /// Fails when the servers do not answer.
    pub async fn nodes(&self) -> Result<Vec<(String, Heartbeat)>, JetStreamError> {
        let book = self.book().await?;
        Ok(book.nodes().map(|(name, last)| (name.to_owned(), *last)).collect())
    }
}

impl Ledger for JetStreamInbox {
    /// Publishes into the stream of events first, so that it proves that a delivery could have
    /// been stored.
    async fn heartbeat(&self, heartbeat: Heartbeat) -> Result<(), LedgerError> {
        self.shared.check_open()?;
        self.shared.prove().await?;
        let node = &self.shared.settings.node;
        let written = self.change(|cluster| cluster.heartbeat(node, heartbeat)).await;
        match &written {
            Ok(()) => self.shared.is_twin.store(false, SeqCst),
            Err(LedgerError::Twin(_)) => self.shared.is_twin.store(true, SeqCst),
            // Whether the other one is still there is not known.
            Err(_) => {}
        }
        written?;
        let mut heard = self.shared.heard.lock().unwrap_or_else(PoisonError::into_inner);
        *heard = Some(heartbeat.run);
        Ok(())
    }

    async fn spans_from(&self, number: u64) -> Result<Vec<(u64, Span)>, LedgerError> {
        Ok(self.book().await?.book().spans_from(number))
    }

    async fn proofs(&self) -> Result<Vec<Proof>, LedgerError> {
        Ok(self.book().await?.book().proofs().to_vec())
    }

    async fn take_lease(
        &self,
        holder: Holder,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, LedgerError> {
        let node = &self.shared.settings.node;
        // Of two that have one name the ledger cannot tell which one holds it: whoever is not
        // recorded would take it from the other, again and again.
        if self.shared.is_twin.load(SeqCst) {
            return Err(LedgerError::Twin(node.clone()));
        }
        self.change(|cluster| cluster.take_lease(node, holder.clone(), now, until)).await
    }

    async fn release_lease(&self, lease: LeaseId) -> Result<(), LedgerError> {
        self.always(|book| book.release_lease(lease)).await
    }

    async fn lease(&self) -> Result<Option<Lease>, LedgerError> {
        Ok(self.book().await?.book().lease().cloned())
    }

    async fn intend(&self, lease: LeaseId, intent: Intent) -> Result<u64, LedgerError> {
        let newest = self.shared.newest().await?;
        self.add(|book| book.intend(lease, intent, newest)).await
    }

    async fn settle(
        &self,
        lease: LeaseId,
        attempt: u64,
        outcome: Outcome,
        at: Timestamp,
    ) -> Result<u64, LedgerError> {
        let mut found = 0;
        if !outcome.is_open()
            && let Some((intent, after)) = self.book().await?.book().intent(attempt)
        {
            found = self.shared.count(after, &intent).await;
        }
        self.change(|cluster| {
            cluster.book_mut().settle(lease, attempt, outcome.clone(), at, |_, _| found)
        })
        .await
    }

    async fn attempts(&self) -> Result<Vec<Attempt>, LedgerError> {
        Ok(self.book().await?.book().attempts())
    }

    async fn declare(&self, declaration: Declaration) -> Result<u64, LedgerError> {
        self.add(|book| Ok(book.declare(declaration))).await
    }

    async fn prolong(&self, number: u64, to: Timestamp) -> Result<bool, LedgerError> {
        self.always(|book| book.prolong(number, to)).await
    }

    async fn withdraw(&self, number: u64) -> Result<bool, LedgerError> {
        self.always(|book| book.withdraw(number)).await
    }

    async fn declared(&self) -> Result<Vec<Declared>, LedgerError> {
        Ok(self.book().await?.book().declared().to_vec())
    }

    async fn confirm(&self, webhook: WebhookId, seen: Seen) -> Result<(), LedgerError> {
        self.always(|book| book.confirm(webhook, seen)).await
    }

    async fn confirmed(&self, webhook: WebhookId) -> Result<Seen, LedgerError> {
        Ok(self.book().await?.book().confirmed(webhook))
    }

    async fn remember(
        &self,
        webhook: WebhookId,
        subscribers: BTreeSet<UserId>,
    ) -> Result<(), LedgerError> {
        self.shared.check_open()?;
        let change = |known: &mut BTreeSet<UserId>| {
            known.clone_from(&subscribers);
            Ok::<(), Infallible>(())
        };
        let key = of(webhook);
        let kept = self.shared.bucket.change(&key, Room::Usual, BTreeSet::new, change).await?;
        kept.map_err(|never| match never {})
    }

    async fn remembered(&self, webhook: WebhookId) -> Result<BTreeSet<UserId>, LedgerError> {
        self.shared.check_open()?;
        Ok(self.shared.bucket.read(&of(webhook)).await?.unwrap_or_default())
    }

    async fn trim(&self, before: Timestamp) -> Result<(), LedgerError> {
        self.always(|book| book.trim(before)).await
    }

    async fn summary(&self) -> Result<Summary, LedgerError> {
        Ok(self.book().await?.book().summary())
    }
}
