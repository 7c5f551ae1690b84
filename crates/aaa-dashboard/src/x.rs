//! X as the pages see it: the calls without the type of their transport, and answers that are kept
//! for a while, so that looking at a page costs no rate limit.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aaa_auth::{
    ApiUrl, UserToken,
    flow::{Access, Callback, RequestToken, Verifier},
};
use aaa_client::{Client, ClientError, Ensured, Transport};
use aaa_types::{
    UserId, WebhookId, WebhookUrl,
    api::{SubscriptionCount, SubscriptionState, Subscriptions, Validation, Webhook},
};
use tokio::time::timeout;
use url::Url;

use crate::{clock::Steady, store::Answer};

/// How long an answer is shown before X is asked again.
const FRESH: Duration = Duration::from_secs(30);

/// How long a page waits for X; it shows what the store knows all the same.
const PATIENCE: Duration = Duration::from_secs(4);

/// How many webhooks' lists are kept.
const KEPT: usize = 32;

/// The calls.
pub(crate) trait Calls: Send + Sync {
    fn api(&self) -> &ApiUrl;
    /// The access token of the app's owner, which is among the app's own credentials.
    fn owner(&self) -> Option<&UserToken>;
    fn list_webhooks(&self) -> Answer<'_, Result<Vec<Webhook>, ClientError>>;
    fn create_webhook<'a>(
        &'a self,
        url: &'a WebhookUrl,
    ) -> Answer<'a, Result<Webhook, ClientError>>;
    fn validate_webhook(&self, id: WebhookId) -> Answer<'_, Result<Validation, ClientError>>;
    fn delete_webhook(&self, id: WebhookId) -> Answer<'_, Result<(), ClientError>>;
    fn subscriptions(&self, id: WebhookId) -> Answer<'_, Result<Subscriptions, ClientError>>;
    fn count(&self) -> Answer<'_, Result<SubscriptionCount, ClientError>>;
    fn subscribe(&self, id: WebhookId, user: UserToken)
    -> Answer<'_, Result<Ensured, ClientError>>;
    fn unsubscribe(
        &self,
        id: WebhookId,
        user: UserId,
    ) -> Answer<'_, Result<SubscriptionState, ClientError>>;
    fn request_token<'a>(
        &'a self,
        callback: &'a Callback,
    ) -> Answer<'a, Result<RequestToken, ClientError>>;
    fn authorize_url(&self, token: &RequestToken) -> Url;
    fn access_token<'a>(
        &'a self,
        token: &'a RequestToken,
        verifier: &'a Verifier,
    ) -> Answer<'a, Result<Access, ClientError>>;
}

impl<T: Transport + 'static> Calls for Client<T> {
    fn api(&self) -> &ApiUrl {
        self.api_url()
    }

    fn owner(&self) -> Option<&UserToken> {
        self.credentials().owner.as_ref()
    }

    fn list_webhooks(&self) -> Answer<'_, Result<Vec<Webhook>, ClientError>> {
        Box::pin(async { self.app().list_webhooks().await })
    }

    fn create_webhook<'a>(
        &'a self,
        url: &'a WebhookUrl,
    ) -> Answer<'a, Result<Webhook, ClientError>> {
        Box::pin(async { self.app().create_webhook(url).await })
    }

    fn validate_webhook(&self, id: WebhookId) -> Answer<'_, Result<Validation, ClientError>> {
        Box::pin(async move { self.app().validate_webhook(id).await })
    }

    fn delete_webhook(&self, id: WebhookId) -> Answer<'_, Result<(), ClientError>> {
        Box::pin(async move { self.app().delete_webhook(id).await })
    }

    fn subscriptions(&self, id: WebhookId) -> Answer<'_, Result<Subscriptions, ClientError>> {
        Box::pin(async move { self.app().list_subscriptions(id).await })
    }

    fn count(&self) -> Answer<'_, Result<SubscriptionCount, ClientError>> {
        Box::pin(async { self.app().count_subscriptions().await })
    }

    fn subscribe(
        &self,
        id: WebhookId,
        user: UserToken,
    ) -> Answer<'_, Result<Ensured, ClientError>> {
        Box::pin(async move { self.user(user).ensure_subscription(id).await })
    }

    fn unsubscribe(
        &self,
        id: WebhookId,
        user: UserId,
    ) -> Answer<'_, Result<SubscriptionState, ClientError>> {
        Box::pin(async move { self.app().remove_subscription(id, user).await })
    }

    fn request_token<'a>(
        &'a self,
        callback: &'a Callback,
    ) -> Answer<'a, Result<RequestToken, ClientError>> {
        Box::pin(async { self.oauth().request_token(callback).await })
    }

    fn authorize_url(&self, token: &RequestToken) -> Url {
        self.oauth().authorize_url(token)
    }

    fn access_token<'a>(
        &'a self,
        token: &'a RequestToken,
        verifier: &'a Verifier,
    ) -> Answer<'a, Result<Access, ClientError>> {
        Box::pin(async { self.oauth().access_token(token, verifier).await })
    }
}

/// X, and what it said a moment ago.
pub(crate) struct X {
    calls: Box<dyn Calls>,
    clock: Steady,
    webhooks: Kept<(), Vec<Webhook>>,
    subscriptions: Kept<WebhookId, Subscriptions>,
    count: Kept<(), SubscriptionCount>,
}

impl X {
    pub(crate) fn new(calls: impl Calls + 'static, clock: Steady) -> Self {
        Self {
            calls: Box::new(calls),
            clock,
            webhooks: Kept::default(),
            subscriptions: Kept::default(),
            count: Kept::default(),
        }
    }

    /// Returns the calls themselves. Whoever changes something by them forgets what was kept.
    pub(crate) fn calls(&self) -> &dyn Calls {
        &*self.calls
    }

    /// Forgets what is kept.
    pub(crate) fn forget(&self) {
        self.webhooks.forget();
        self.subscriptions.forget();
        self.count.forget();
    }

    pub(crate) async fn webhooks(&self) -> Result<Vec<Webhook>, String> {
        self.webhooks.get((), &self.clock, self.calls.list_webhooks()).await
    }

    pub(crate) async fn subscriptions(&self, id: WebhookId) -> Result<Subscriptions, String> {
        self.subscriptions.get(id, &self.clock, self.calls.subscriptions(id)).await
    }

    pub(crate) async fn count(&self) -> Result<SubscriptionCount, String> {
        self.count.get((), &self.clock, self.calls.count()).await
    }
}

/// Answers and when they came, failures too: X is not asked more often for failing.
struct Kept<K, V>(Mutex<Answers<K, V>>);

type Answers<K, V> = HashMap<K, (Duration, Result<V, String>)>;

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq, V: Clone> Kept<K, V> {
    async fn get(
        &self,
        key: K,
        clock: &Steady,
        ask: impl Future<Output = Result<V, ClientError>>,
    ) -> Result<V, String> {
        let is_fresh = |at: Duration| clock.elapsed().saturating_sub(at) < FRESH;
        if let Some((_, known)) = self.lock().get(&key).filter(|(at, _)| is_fresh(*at)) {
            return known.clone();
        }
        let answer = match timeout(PATIENCE, ask).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err(format!("X does not answer within {} s", PATIENCE.as_secs())),
        };
        let mut kept = self.lock();
        kept.retain(|_, (at, _)| is_fresh(*at));
        if kept.len() < KEPT {
            kept.insert(key, (clock.elapsed(), answer.clone()));
        }
        answer
    }

    fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Answers<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
