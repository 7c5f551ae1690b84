//! Who is subscribed.

use aaa_types::{UserId, WebhookId, WebhookUrl, api::SubscriptionCount};
use jiff::Timestamp;

use super::{Refusal, World, refusal::Reason};

/// The subscriptions of a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionList {
    /// Where the webhook is.
    pub url: WebhookUrl,
    /// Who is subscribed, by id.
    pub users: Vec<UserId>,
}

impl World {
    /// Subscribes a user to a webhook.
    ///
    /// # Errors
    ///
    /// Refuses unknown webhooks, who is subscribed already, and when there are as many
    /// subscriptions as there may be.
    pub fn subscribe(
        &mut self,
        webhook: WebhookId,
        user: UserId,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.observe(now);
        if self.hook(webhook)?.subscribers.contains(&user) {
            return Err(Reason::AlreadySubscribed.into());
        }
        if self.subscriptions() >= self.settings.quota.subscriptions {
            return Err(Reason::TooManySubscriptions.into());
        }
        if let Some(hook) = self.hooks.get_mut(&webhook) {
            hook.subscribers.insert(user);
        }
        Ok(())
    }

    /// Says whether a user is subscribed to a webhook.
    ///
    /// # Errors
    ///
    /// Refuses unknown webhooks.
    pub fn is_subscribed(&self, webhook: WebhookId, user: UserId) -> Result<bool, Refusal> {
        Ok(self.hook(webhook)?.subscribers.contains(&user))
    }

    /// Returns who is subscribed to a webhook.
    ///
    /// # Errors
    ///
    /// Refuses unknown webhooks.
    pub fn subscription_list(&self, webhook: WebhookId) -> Result<SubscriptionList, Refusal> {
        let hook = self.hook(webhook)?;
        let users = hook.subscribers.iter().copied().collect();
        Ok(SubscriptionList { url: hook.url.clone(), users })
    }

    /// Ends a subscription.
    ///
    /// # Errors
    ///
    /// Refuses unknown webhooks and who is not subscribed.
    pub fn unsubscribe(
        &mut self,
        webhook: WebhookId,
        user: UserId,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.observe(now);
        self.hook(webhook)?;
        let hook = self.hooks.get_mut(&webhook);
        if hook.is_some_and(|hook| hook.subscribers.remove(&user)) {
            Ok(())
        } else {
            Err(Reason::NotSubscribed.into())
        }
    }

    /// Returns how many subscriptions there are and may be.
    pub fn subscription_count(&self) -> SubscriptionCount {
        SubscriptionCount {
            account_name: Some("emulator".to_owned()),
            provisioned_count: self.settings.quota.subscriptions.to_string(),
            subscriptions_count_all: self.subscriptions().to_string(),
            subscriptions_count_direct_messages: Some("0".to_owned()),
        }
    }

    fn subscriptions(&self) -> usize {
        self.hooks.values().map(|hook| hook.subscribers.len()).sum()
    }
}
