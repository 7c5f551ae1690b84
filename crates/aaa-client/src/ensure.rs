//! What is wanted is made, unless it is there. Nothing is ever deleted.

use aaa_types::{
    WebhookId, WebhookUrl,
    api::{Cause, Webhook},
};

use crate::{AppClient, ClientError, Operation, Transport, UserClient, v2};

/// How a wish was fulfilled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ensured {
    /// It was there already.
    Existed,
    /// It was there but invalid; X checked it, and now it is valid.
    Validated,
    /// It was made.
    Created,
}

/// A webhook that is registered and valid.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnsuredWebhook {
    /// The webhook.
    pub webhook: Webhook,
    /// How it came to be.
    pub how: Ensured,
}

impl<T: Transport> AppClient<T> {
    /// Sees to it that a valid webhook with this URL is registered, and says what that took.
    ///
    /// One that is there is taken; if it is invalid, X is asked to check it, and the list must
    /// confirm that it passed. If there is none, it is registered; should somebody else do that in
    /// the same moment, theirs is taken. Other webhooks are left alone, also when there is no
    /// place for one more.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub async fn ensure_webhook(&self, url: &WebhookUrl) -> Result<EnsuredWebhook, ClientError> {
        // Nothing is sent for a URL that X would not take, not even a question.
        v2::create_webhook(url).check(self.client.api_url())?;
        if let Some(webhook) = self.find(url).await? {
            return self.validated(webhook, Ensured::Existed).await;
        }
        let error = match self.create_webhook(url).await {
            Ok(webhook) => return self.validated(webhook, Ensured::Created).await,
            Err(error) => error,
        };
        let exists = may_exist(&error);
        if !exists && !error.maybe_done() {
            return Err(error);
        }
        let how = if exists { Ensured::Existed } else { Ensured::Created };
        match self.find(url).await {
            Ok(Some(webhook)) => self.validated(webhook, how).await,
            _ => Err(error),
        }
    }

    /// Finds the webhook with this URL; a valid one, should there be several.
    async fn find(&self, url: &WebhookUrl) -> Result<Option<Webhook>, ClientError> {
        let webhooks = self.list_webhooks().await?.into_iter();
        Ok(webhooks.filter(|webhook| webhook.url == *url).max_by_key(|webhook| webhook.valid))
    }

    async fn validated(
        &self,
        webhook: Webhook,
        how: Ensured,
    ) -> Result<EnsuredWebhook, ClientError> {
        if webhook.valid {
            return Ok(EnsuredWebhook { webhook, how });
        }
        self.validate_webhook(webhook.id).await?;
        let listed = self.list_webhooks().await?;
        match listed.into_iter().find(|listed| listed.id == webhook.id && listed.valid) {
            Some(webhook) => {
                let how = if how == Ensured::Created { how } else { Ensured::Validated };
                Ok(EnsuredWebhook { webhook, how })
            }
            None => Err(ClientError::StillInvalid {
                what: Operation::ValidateWebhook,
                webhook: Box::new(webhook),
            }),
        }
    }
}

/// Says whether a registration may have been refused because the URL is registered meanwhile.
///
/// v1.1 has no words for it, so it may be among those about the URL; and who is too late may be
/// told that there is no place.
fn may_exist(error: &ClientError) -> bool {
    error.api().is_some_and(|api| {
        api.is_duplicate() || api.is_limit_reached() || api.cause() == Some(Cause::UrlNotAccepted)
    })
}

impl<T: Transport> UserClient<T> {
    /// Sees to it that the user is subscribed, and says whether they were.
    ///
    /// A call whose fate is not known is made again, within the policy: that a subscription exists
    /// is what is wanted.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub async fn ensure_subscription(&self, webhook: WebhookId) -> Result<Ensured, ClientError> {
        match self.call(&self.subscription(webhook)?.repeatable()).await {
            Ok(_) => Ok(Ensured::Created),
            Err(error) if error.is_duplicate() => Ok(Ensured::Existed),
            Err(error) => Err(error),
        }
    }
}
