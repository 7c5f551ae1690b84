use std::{fmt, sync::Arc};

use aaa_auth::{Consumer, UserCredential, UserToken};
use aaa_types::{
    BearerToken, ReplayWindow, UserId, WebhookId, WebhookUrl,
    api::{ReplayJob, SubscriptionCount, SubscriptionState, Subscriptions, Validation, Webhook},
};
use jiff::Timestamp;

use crate::{
    ApiRequest, ApiUrl, ClientError, Credentials, Transport, TransportError, edge,
    v2::{self, ReplayRoute},
};
#[cfg(feature = "reqwest")]
use crate::{BuildError, ReqwestTransport, Timeouts};

/// Calls the API. Clones are cheap and share their connections.
///
/// No call is repeated: whether to try again is for the caller to decide, and
/// [`ClientError::is_retryable`] and [`ClientError::maybe_sent`] help. The one exception is the
/// route of a replay, see [`ReplayRoute`].
pub struct Client<
    #[cfg(feature = "reqwest")] T = ReqwestTransport,
    #[cfg(not(feature = "reqwest"))] T,
> {
    inner: Arc<Inner<T>>,
}

struct Inner<T> {
    api: ApiUrl,
    credentials: Credentials,
    replay_route: ReplayRoute,
    transport: T,
}

#[cfg(feature = "reqwest")]
impl Client {
    /// Begins a client that sends with reqwest.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_client::{ApiUrl, Client};
    ///
    /// let client = Client::builder("http://127.0.0.1:7878".parse::<ApiUrl>()?)
    ///     .bearer("emulator-bearer".parse()?)
    ///     .build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder(api: ApiUrl) -> ClientBuilder {
        ClientBuilder::new(api)
    }
}

impl<T: Transport> Client<T> {
    /// Returns the address of the API.
    pub fn api_url(&self) -> &ApiUrl {
        &self.inner.api
    }

    /// Returns the app's credentials.
    pub fn credentials(&self) -> &Credentials {
        &self.inner.credentials
    }

    /// Registers a webhook. X challenges the URL before it answers.
    ///
    /// # Errors
    ///
    /// See [`ClientError`]; a URL that is registered already [is a
    /// duplicate](ClientError::is_duplicate).
    pub async fn create_webhook(&self, url: &WebhookUrl) -> Result<Webhook, ClientError> {
        self.call(&v2::create_webhook(url)).await
    }

    /// Lists the app's webhooks.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub async fn list_webhooks(&self) -> Result<Vec<Webhook>, ClientError> {
        self.call(&v2::list_webhooks()).await
    }

    /// Has X challenge a webhook again, which also enables one that became invalid. List the
    /// webhooks afterwards: X's documents differ on what the answer means.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub async fn validate_webhook(&self, id: WebhookId) -> Result<Validation, ClientError> {
        self.call(&v2::validate_webhook(id)).await
    }

    /// Deletes a webhook, and with it all its subscriptions.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub async fn delete_webhook(&self, id: WebhookId) -> Result<(), ClientError> {
        self.call(&v2::delete_webhook(id)).await
    }

    /// Subscribes the user whose credential this is.
    ///
    /// # Errors
    ///
    /// See [`ClientError`]; a user who is subscribed already [is a
    /// duplicate](ClientError::is_duplicate).
    pub async fn create_subscription(
        &self,
        webhook: WebhookId,
        user: &UserCredential,
    ) -> Result<SubscriptionState, ClientError> {
        self.call(&v2::create_subscription(webhook, user)).await
    }

    /// Asks whether the user whose credential this is, is subscribed.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub async fn check_subscription(
        &self,
        webhook: WebhookId,
        user: &UserCredential,
    ) -> Result<SubscriptionState, ClientError> {
        self.call(&v2::check_subscription(webhook, user)).await
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
        self.call(&v2::list_subscriptions(webhook)).await
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
        self.call(&v2::remove_subscription(webhook, user)).await
    }

    /// Counts the subscriptions of the account.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub async fn count_subscriptions(&self) -> Result<SubscriptionCount, ClientError> {
        self.call(&v2::count_subscriptions()).await
    }

    /// Has X deliver again what it delivered, or tried to, in the window.
    ///
    /// # Errors
    ///
    /// See [`ClientError`]; a job that is in progress already [is a
    /// conflict](ClientError::is_conflict). If the error [may have been
    /// sent](ClientError::maybe_sent), a job may exist whose id nobody knows.
    pub async fn create_replay(
        &self,
        webhook: WebhookId,
        window: ReplayWindow,
    ) -> Result<ReplayJob, ClientError> {
        let route = self.inner.replay_route;
        let result = self.call(&v2::create_replay(webhook, window, route)).await;
        let refusal = result.as_ref().err().and_then(ClientError::api);
        match refusal.and_then(|refusal| route.fallback(refusal)) {
            Some(route) => self.call(&v2::create_replay(webhook, window, route)).await,
            None => result,
        }
    }

    /// Reads the API's clock, to the second, from the `Date` of an answer.
    ///
    /// Any answer will do, so it also works without credentials.
    ///
    /// # Errors
    ///
    /// See [`ClientError`]; an answer without a readable `Date` is not understood.
    pub async fn server_time(&self) -> Result<Timestamp, ClientError> {
        self.call(&v2::server_time()).await
    }

    /// Sends one call and understands its answer.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub async fn call<A>(&self, request: &ApiRequest<'_, A>) -> Result<A, ClientError> {
        let Inner { api, credentials, transport, .. } = &*self.inner;
        let failed = |error| {
            let mut url = request.url(api);
            url.set_query(None);
            ClientError::Transport {
                what: request.operation(),
                method: request.method().clone(),
                url: url.into(),
                error,
            }
        };
        let nonce = edge::nonce().ok_or_else(|| {
            failed(TransportError::unsendable("the system gave no random bytes for a nonce"))
        })?;
        let http = request.to_http(api, credentials, &nonce, edge::now())?;
        let response = transport.send(http).await.map_err(failed)?;
        request.answer(&response)
    }
}

impl<T> Clone for Client<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<T> fmt::Debug for Client<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("api", &self.inner.api)
            .field("credentials", &self.inner.credentials)
            .field("replay_route", &self.inner.replay_route)
            .finish_non_exhaustive()
    }
}

/// Puts a [`Client`] together.
#[derive(Debug, Clone)]
pub struct ClientBuilder {
    api: ApiUrl,
    credentials: Credentials,
    replay_route: ReplayRoute,
    #[cfg(feature = "reqwest")]
    timeouts: Timeouts,
}

impl ClientBuilder {
    /// Begins a client without credentials.
    pub fn new(api: ApiUrl) -> Self {
        Self {
            api,
            credentials: Credentials::default(),
            replay_route: ReplayRoute::default(),
            #[cfg(feature = "reqwest")]
            timeouts: Timeouts::default(),
        }
    }

    /// Takes all of the app's credentials at once.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// Takes the app's key and secret.
    #[must_use]
    pub fn consumer(mut self, consumer: Consumer) -> Self {
        self.credentials.consumer = Some(consumer);
        self
    }

    /// Takes the access token of the app's owner.
    #[must_use]
    pub fn owner(mut self, owner: UserToken) -> Self {
        self.credentials.owner = Some(owner);
        self
    }

    /// Takes the app's bearer token.
    #[must_use]
    pub fn bearer(mut self, bearer: BearerToken) -> Self {
        self.credentials.bearer = Some(bearer);
        self
    }

    /// Chooses the route to replays.
    #[must_use]
    pub fn replay_route(mut self, route: ReplayRoute) -> Self {
        self.replay_route = route;
        self
    }

    /// Changes how long to wait.
    #[cfg(feature = "reqwest")]
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Makes a client that sends with reqwest.
    ///
    /// # Errors
    ///
    /// Fails when TLS cannot be set up, mostly for want of the system's CA certificates.
    #[cfg(feature = "reqwest")]
    pub fn build(self) -> Result<Client, BuildError> {
        let transport = ReqwestTransport::new(&self.api, self.timeouts)?;
        Ok(self.build_with(transport))
    }

    /// Makes a client that sends with a transport of your own.
    pub fn build_with<T: Transport>(self, transport: T) -> Client<T> {
        Client {
            inner: Arc::new(Inner {
                api: self.api,
                credentials: self.credentials,
                replay_route: self.replay_route,
                transport,
            }),
        }
    }
}
