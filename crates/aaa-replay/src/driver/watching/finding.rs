//! Which webhooks are watched, and what a watch has to know of them from before.

use std::collections::BTreeSet;

use aaa_client::Transport;
use aaa_types::{UserId, WebhookId};

use super::{Aid, Watch};
use crate::{
    driver::TargetError,
    ledger::{Declared, Ledger, LedgerError, Seen},
    watch::{Report, Watcher},
};

impl<L: Ledger, T: Transport, A: Aid> Watch<L, T, A> {
    /// Finds the webhooks that are not watched yet.
    pub(super) async fn resume(&mut self) {
        let now = self.clock.moment();
        if self.watchers.len() >= self.targets.len() || now.uptime < self.look_again {
            return;
        }
        self.look_again = now.uptime.saturating_add(self.rhythm.pause);
        let webhooks = match self.client.app().list_webhooks().await {
            Ok(webhooks) => webhooks,
            Err(error) => {
                tracing::warn!(%error, "the webhooks to watch are not known");
                return;
            }
        };
        for target in self.targets.clone() {
            match target.find(&webhooks) {
                Ok(webhook) if self.watchers.contains_key(&webhook.id) => {}
                Ok(webhook) => match self.remembered(webhook.id).await {
                    Ok((seen, declared, subscribers)) => {
                        let (id, memory) = (webhook.id, (seen, declared.as_slice()));
                        let mut watcher = Watcher::new(id, self.rhythm, memory, self.alive)
                            .remembering(subscribers);
                        if !self.aid.subscribes() {
                            watcher = watcher.only_naming();
                        }
                        self.wanted.iter().for_each(|wanted| watcher.on(wanted.clone(), now));
                        self.watchers.insert(webhook.id, watcher);
                    }
                    Err(error) => tracing::warn!(%error, "the ledger of the watch is not read"),
                },
                // It may not be registered yet.
                Err(error @ TargetError::None) => {
                    tracing::debug!(%error, "a webhook to watch is not known");
                }
                Err(error) => tracing::warn!(%error, "a webhook to watch is not known"),
            }
        }
    }

    /// Returns what the ledger knows of a webhook: when all was well, what is declared, and who was
    /// subscribed and has not revoked access since all were there for the last time.
    async fn remembered(
        &mut self,
        webhook: WebhookId,
    ) -> Result<(Seen, Vec<Declared>, BTreeSet<UserId>), LedgerError> {
        let (seen, declared) =
            (self.ledger.confirmed(webhook).await?, self.ledger.declared().await?);
        let mut subscribers = self.ledger.remembered(webhook).await?;
        self.recorded.insert(webhook, subscribers.clone());
        subscribers.retain(|user| {
            let revoked = self.revoked.get(user);
            revoked.is_none_or(|at| seen.complete.is_some_and(|complete| *at <= complete))
        });
        Ok((seen, declared, subscribers))
    }

    /// Sees who was taken out of the ledger since this run has recorded them: somebody ended that
    /// subscription on purpose. What X lists tells nothing before that is known.
    pub(super) async fn heed_dismissed(&mut self, id: WebhookId, report: Report) -> Report {
        let (Report::Subscriptions(_), Some(recorded)) = (&report, self.recorded.get(&id)) else {
            return report;
        };
        let remembered = match self.ledger.remembered(id).await {
            Ok(remembered) => remembered,
            Err(error) => return Report::Failed(error.to_string()),
        };
        let dismissed: Vec<_> = recorded.difference(&remembered).copied().collect();
        if dismissed.is_empty() {
            return report;
        }
        for user in &dismissed {
            if let Some(Report::Wanted(wanted)) = &mut self.wanted {
                wanted.remove(user);
            }
            if let Some(watcher) = self.watchers.get_mut(&id) {
                watcher.dismiss(*user);
            }
        }
        // Should X still list one of them, they are recorded anew.
        self.recorded.insert(id, remembered);
        report
    }

    /// Records who is subscribed, once nothing else is left to record about it.
    pub(super) async fn keep(&mut self, id: WebhookId) {
        let now = self.clock.moment();
        let Some(watcher) = self.watchers.get(&id) else { return };
        let subscribers = watcher.subscribers();
        if watcher.next_wakeup(now).is_zero() || self.recorded.get(&id) == Some(subscribers) {
            return;
        }
        let subscribers = subscribers.clone();
        match self.ledger.remember(id, subscribers.clone()).await {
            Ok(()) => drop(self.recorded.insert(id, subscribers)),
            Err(error) => tracing::warn!(%error, "who is subscribed is not recorded"),
        }
    }

    /// Watches a webhook no more that X has deleted, so that the one which takes its place is found.
    /// Nothing was attempted in between: that one's watch begins where this one ended.
    pub(super) fn leave(&mut self, id: WebhookId) {
        self.watchers.remove(&id);
        self.alive = self.listed.remove(&id).or(self.alive);
        self.look_again = self.clock.uptime().saturating_add(self.rhythm.pause);
    }
}
