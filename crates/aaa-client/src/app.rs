use std::fmt;

use aaa_types::{
    ReplayWindow, UserId, WebhookId, WebhookUrl,
    api::{ReplayJob, SubscriptionCount, SubscriptionState, Subscriptions, Validation, Webhook},
};

#[cfg(feature = "reqwest")]
use crate::ReqwestTransport;
use crate::{
    ApiRequest, ApiVersion, Client, ClientError, Operation, Page, PageToken, Transport, v1_1, v2,
};

/// How many pages of a list are read. X's lists have one.
const MAX_PAGES: usize = 100;

/// The calls that the app makes for itself. [`Client::app`] returns it; clones are cheap.
///
/// On v2 they take the app's bearer token (registering, validating and deleting a webhook take the
/// owner's access token too, where there is no bearer token). On v1.1 these three take the owner's
/// access token, and all others the bearer token.
///
/// # Examples
///
#[cfg_attr(feature = "reqwest", doc = "```no_run")]
#[cfg_attr(not(feature = "reqwest"), doc = "```ignore")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = aaa_client::Client::builder(aaa_client::ApiUrl::X.parse()?).build()?;
/// let app = client.app();
/// for webhook in app.list_webhooks().await? {
///     if !webhook.valid {
///         app.validate_webhook(webhook.id).await?;
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct AppClient<
    #[cfg(feature = "reqwest")] T = ReqwestTransport,
    #[cfg(not(feature = "reqwest"))] T,
> {
    pub(crate) client: Client<T>,
}

impl<T: Transport> AppClient<T> {
    pub(crate) fn new(client: Client<T>) -> Self {
        Self { client }
    }

    /// Registers a webhook. X challenges the URL before it answers.
    /// [`ensure_webhook`](Self::ensure_webhook) also takes one that exists.
    ///
    /// # Errors
    ///
    /// See [`ClientError`]; a URL that is registered already [is a
    /// duplicate](ClientError::is_duplicate), and one that X would not take is not even sent.
    pub async fn create_webhook(&self, url: &WebhookUrl) -> Result<Webhook, ClientError> {
        self.call(v2::create_webhook(url), v1_1::create_webhook(url)).await
    }

    /// Lists the app's webhooks.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub async fn list_webhooks(&self) -> Result<Vec<Webhook>, ClientError> {
        let pages = self.pages(|version| match version {
            ApiVersion::V2 => v2::list_webhooks(),
            ApiVersion::V1_1 => v1_1::list_webhooks(),
        });
        Ok(pages.await?.into_iter().flatten().collect())
    }

    /// Has X challenge a webhook again, which also enables one that became invalid. List the
    /// webhooks afterwards: X's documents differ on what the answer means.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub async fn validate_webhook(&self, id: WebhookId) -> Result<Validation, ClientError> {
        self.call(v2::validate_webhook(id), v1_1::validate_webhook(id)).await
    }

    /// Deletes a webhook, and with it all its subscriptions.
    ///
    /// # Errors
    ///
    /// See [`ClientError`]. When the first answer was lost and the call was made again, a webhook
    /// that [is not found](ClientError::is_not_found) is gone, as was wanted.
    pub async fn delete_webhook(&self, id: WebhookId) -> Result<(), ClientError> {
        self.call(v2::delete_webhook(id), v1_1::delete_webhook(id)).await
    }

    /// Lists the users that are subscribed.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub async fn list_subscriptions(
        &self,
        webhook: WebhookId,
    ) -> Result<Subscriptions, ClientError> {
        let pages = self.pages(|version| match version {
            ApiVersion::V2 => v2::list_subscriptions(webhook),
            ApiVersion::V1_1 => v1_1::list_subscriptions(webhook),
        });
        let mut pages = pages.await?.into_iter();
        let Some(mut all) = pages.next() else {
            return Err(endless(Operation::ListSubscriptions));
        };
        all.subscriptions.extend(pages.flat_map(|page| page.subscriptions));
        Ok(all)
    }

    /// Ends the subscription of a user.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub async fn remove_subscription(
        &self,
        webhook: WebhookId,
        user: UserId,
    ) -> Result<SubscriptionState, ClientError> {
        let v1_1 = v1_1::remove_subscription(webhook, user);
        self.call(v2::remove_subscription(webhook, user), v1_1).await
    }

    /// Counts the subscriptions of the account.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub async fn count_subscriptions(&self) -> Result<SubscriptionCount, ClientError> {
        self.call(v2::count_subscriptions(), v1_1::count_subscriptions()).await
    }

    /// Has X deliver again what it delivered, or tried to, in the window.
    ///
    /// # Errors
    ///
    /// See [`ClientError`]; a job that is in progress already [is a
    /// conflict](ClientError::is_conflict). If the error [may have been
    /// done](ClientError::maybe_done), a job may exist whose id nobody knows.
    pub async fn create_replay(
        &self,
        webhook: WebhookId,
        window: ReplayWindow,
    ) -> Result<ReplayJob, ClientError> {
        let route = self.client.inner.replay_route;
        let v1_1 = v1_1::create_replay(webhook, window);
        let result = self.call(v2::create_replay(webhook, window, route), v1_1).await;
        let refusal = result.as_ref().err().and_then(ClientError::api);
        match refusal.and_then(|refusal| route.fallback(refusal)) {
            Some(route) if self.client.version() == ApiVersion::V2 => {
                self.client.call(&v2::create_replay(webhook, window, route)).await
            }
            _ => result,
        }
    }

    /// Makes the call of the generation that is spoken.
    pub(crate) async fn call<A>(
        &self,
        v2: ApiRequest<'_, A>,
        v1_1: ApiRequest<'_, A>,
    ) -> Result<A, ClientError> {
        self.client
            .call(match self.client.version() {
                ApiVersion::V2 => &v2,
                ApiVersion::V1_1 => &v1_1,
            })
            .await
    }

    /// Reads a list to its end.
    async fn pages<A>(
        &self,
        list: impl Fn(ApiVersion) -> ApiRequest<'static, Page<A>>,
    ) -> Result<Vec<A>, ClientError> {
        let mut pages = Vec::new();
        let mut next: Option<PageToken> = None;
        while pages.len() < MAX_PAGES {
            let request = list(self.client.version());
            let request = match &next {
                Some(token) => request.page(token),
                None => request,
            };
            let page = self.client.call(&request).await?;
            pages.push(page.content);
            if page.next.is_none() {
                return Ok(pages);
            }
            if page.next == next {
                let reason = "a page of the list names itself as the next one".to_owned();
                return Err(wrong_pages(request.operation(), reason));
            }
            next = page.next;
        }
        Err(endless(list(self.client.version()).operation()))
    }
}

fn endless(what: Operation) -> ClientError {
    wrong_pages(what, format!("the list has more than {MAX_PAGES} pages"))
}

fn wrong_pages(what: Operation, reason: String) -> ClientError {
    ClientError::Decode { what, reason, excerpt: String::new() }
}

impl<T> Clone for AppClient<T> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone() }
    }
}

impl<T> fmt::Debug for AppClient<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AppClient").field(&self.client).finish()
    }
}
