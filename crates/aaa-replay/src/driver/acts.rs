//! The driver's side of X: calls, and what they come to.

use aaa_client::{Operation, Transport};
use aaa_types::WebhookId;

use super::{Driver, classify};
use crate::{
    engine::{self, Action, Engine, Health, Input, Quota, Refusal, RefusalKind},
    ledger::{Ledger, LedgerError, Outcome},
};

impl<L: Ledger, T: Transport> Driver<L, T> {
    /// Does one thing.
    pub(super) async fn perform(
        &mut self,
        action: Action,
        now: engine::Moment,
    ) -> Result<Input, LedgerError> {
        Ok(match action {
            Action::Intend(intent) => {
                tracing::info!(window = %intent.request, "asking for a replay");
                Input::Intended(self.desk.intend(intent).await?)
            }
            Action::Create { webhook, request } => {
                match self.client.app().create_replay(webhook, request).await {
                    Ok(job) => Input::Accepted(job.job_id),
                    Err(error) => {
                        tracing::warn!(%error, "no replay job");
                        let kind = classify(&error, self.clock.now());
                        if kind == RefusalKind::Invalid {
                            self.validate(webhook).await;
                        }
                        Input::Refused(Refusal { kind, words: error.to_string() })
                    }
                }
            }
            Action::Settle { attempt, outcome } => {
                let found = self.desk.settle(attempt, outcome.clone(), now.x).await?;
                match &outcome {
                    Outcome::Recovered { job } => tracing::info!(%job, found, "minutes recovered"),
                    Outcome::Failed { reason, .. } | Outcome::Incomplete { reason, .. } => {
                        tracing::warn!(reason, "not recovered");
                    }
                    Outcome::Intended | Outcome::Running { .. } => {}
                }
                Input::Settled { found }
            }
        })
    }

    /// Returns what X said of its rate limit, as far as it said both parts.
    pub(super) fn quota(&self) -> Option<Quota> {
        let limit = self.client.rate_limit(Operation::CreateReplay)?;
        Some(Quota { remaining: limit.remaining?, reset: limit.reset? })
    }

    /// Finds the webhooks that have no engine, and creates their engines from the ledger; says
    /// whether there were any.
    pub(super) async fn resume(&mut self, health: Health) -> Result<bool, LedgerError> {
        let all = self
            .targets
            .iter()
            .all(|(_, found)| found.is_some_and(|webhook| self.fleet.engine(webhook).is_some()));
        if all || self.look_again.is_some_and(|uptime| self.clock.uptime() < uptime) {
            return Ok(false);
        }
        let webhooks = match self.client.app().list_webhooks().await {
            Ok(webhooks) => webhooks,
            Err(error) => {
                self.not_known(&error.to_string());
                return Ok(false);
            }
        };
        let mut attempts = None;
        let mut added = false;
        for at in 0..self.targets.len() {
            let Some((target, found)) = self.targets.get_mut(at) else { break };
            let webhook = match target.find(&webhooks) {
                Ok(webhook) => engine::Webhook { id: webhook.id, created_at: webhook.created_at },
                Err(error) => {
                    self.not_known(&error.to_string());
                    continue;
                }
            };
            *found = Some(webhook.id);
            if self.fleet.engine(webhook.id).is_some() {
                continue;
            }
            let attempts = match &attempts {
                Some(attempts) => attempts,
                None => attempts.insert(self.desk.attempts().await?),
            };
            let settings = engine::learned(self.settings, webhook.id, attempts);
            self.fleet.add(Engine::new(webhook, settings, health, attempts.clone()));
            added = true;
        }
        Ok(added)
    }

    /// Has X check the webhook when it is marked invalid: as long as it is, X neither delivers nor
    /// replays. The check that X makes before a job may also fail while the webhook stays valid:
    /// then nothing was missed, and there is nothing to repair but what answers.
    async fn validate(&self, webhook: WebhookId) {
        let valid = match self.client.app().list_webhooks().await {
            Ok(webhooks) => webhooks.iter().find(|listed| listed.id == webhook).map(|it| it.valid),
            Err(error) => {
                tracing::warn!(%error, "whether the webhook is valid is not known");
                return;
            }
        };
        match valid {
            Some(false) => self.repair(webhook).await,
            Some(true) => tracing::error!(
                %webhook,
                "X's check before a replay failed; the webhook is valid all the same"
            ),
            None => {}
        }
    }

    /// Has X check a webhook that is invalid, once it passes a check of our own.
    ///
    /// Afterwards nothing shows that it was invalid, so that is recorded before; as long as it
    /// cannot be, the webhook stays as it is.
    async fn repair(&self, webhook: WebhookId) {
        let recorded = match self.desk.invalid(webhook).await {
            Ok(number) => number,
            Err(error) => {
                tracing::error!(%error, "the webhook is invalid, and that cannot be recorded");
                return;
            }
        };
        if let Some(check) = &self.check
            && let Err(reason) = check(webhook).await
        {
            tracing::error!(%webhook, reason, "the webhook is invalid and would not pass a check");
            return;
        }
        match self.client.app().validate_webhook(webhook).await {
            Ok(_) => tracing::info!(%webhook, "the webhook was invalid: X was asked to check it"),
            Err(error) => tracing::error!(%error, "the webhook is invalid"),
        }
        if let Err(error) = self.desk.prolong(recorded).await {
            tracing::warn!(%error, "when the webhook was checked is not recorded");
        }
    }

    fn not_known(&mut self, error: &str) {
        tracing::error!(error, "the webhook to recover is not known");
        self.look_again = Some(self.clock.uptime().saturating_add(self.settings.pause));
    }
}
