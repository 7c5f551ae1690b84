use std::{fmt, sync::Arc};

use aaa_auth::{UserCredential, UserToken};
use aaa_types::{
    UserId, WebhookId,
    api::{NewDirectMessage, SentDirectMessage, SubscriptionState},
};

#[cfg(feature = "reqwest")]
use crate::ReqwestTransport;
use crate::{
    ApiRequest, ApiVersion, Client, ClientError, NotSent, Operation, RateLimit, Transport,
    rate_limit::RateLimits, v1_1, v2,
};

/// The calls that are made for a user, with their credential. [`Client::user`] returns it; clones
/// are cheap.
///
/// v2 takes an OAuth 1.0a access token or an OAuth 2.0 token, v1.1 only the former: the latter is
/// refused before anything is sent.
///
/// # Examples
///
#[cfg_attr(feature = "reqwest", doc = "```no_run")]
#[cfg_attr(not(feature = "reqwest"), doc = "```ignore")]
/// use aaa_auth::UserToken;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = aaa_client::Client::builder(aaa_client::ApiUrl::X.parse()?).build()?;
/// let user = client.user(UserToken::new("7-token".parse()?, "7-secret".parse()?));
/// user.ensure_subscription("1234577122340233217".parse()?).await?;
/// # Ok(())
/// # }
/// ```
pub struct UserClient<
    #[cfg(feature = "reqwest")] T = ReqwestTransport,
    #[cfg(not(feature = "reqwest"))] T,
> {
    client: Client<T>,
    user: UserCredential,
    rate_limits: Arc<RateLimits>,
}

impl<T: Transport> UserClient<T> {
    pub(crate) fn new(client: Client<T>, user: UserCredential) -> Self {
        Self { client, user, rate_limits: Arc::default() }
    }

    /// Subscribes the user. [`ensure_subscription`](Self::ensure_subscription) also takes one who
    /// is subscribed.
    ///
    /// # Errors
    ///
    /// See [`ClientError`]; a user who is subscribed already [is a
    /// duplicate](ClientError::is_duplicate).
    pub async fn subscribe(&self, webhook: WebhookId) -> Result<SubscriptionState, ClientError> {
        self.call(&self.subscription(webhook)?).await
    }

    /// Asks whether the user is subscribed.
    ///
    /// # Errors
    ///
    /// See [`ClientError`]. That they are not is no error, though v1.1 answers one: see
    /// [`v1_1::check_subscription`].
    pub async fn check_subscription(
        &self,
        webhook: WebhookId,
    ) -> Result<SubscriptionState, ClientError> {
        let what = Operation::CheckSubscription;
        self.call(&match self.client.version() {
            ApiVersion::V2 => v2::check_subscription(webhook, &self.user),
            ApiVersion::V1_1 => v1_1::check_subscription(webhook, self.signing(what)?),
        })
        .await
    }

    /// Ends the user's subscription, on the route that v1.1 has for it. It is deprecated:
    /// [`AppClient::remove_subscription`](crate::AppClient::remove_subscription) is the way of
    /// both generations, and takes the app's bearer token and the user's id.
    ///
    /// # Errors
    ///
    /// See [`ClientError`]. v2 has no such route, so there nothing is sent.
    pub async fn unsubscribe(&self, webhook: WebhookId) -> Result<SubscriptionState, ClientError> {
        let what = Operation::EndSubscription;
        match self.client.version() {
            ApiVersion::V2 => Err(ClientError::NotSent { what, reason: NotSent::NoOwnRoute }),
            ApiVersion::V1_1 => {
                self.call(&v1_1::end_subscription(webhook, self.signing(what)?)).await
            }
        }
    }

    /// Sends a direct message from the user. It is sent over v2, the only generation that has it,
    /// whatever [`Client::version`] is spoken.
    ///
    /// # Errors
    ///
    /// See [`ClientError`]. A message that [may have been sent](ClientError::maybe_done) is not
    /// sent again.
    pub async fn send_direct_message(
        &self,
        recipient: UserId,
        message: &NewDirectMessage,
    ) -> Result<SentDirectMessage, ClientError> {
        self.call(&v2::send_direct_message(recipient, message, &self.user)).await
    }

    /// Returns what the last answer to such a call of this user said about the rate limit.
    pub fn rate_limit(&self, operation: Operation) -> Option<RateLimit> {
        self.rate_limits.last(operation)
    }

    /// Makes the request that subscribes the user.
    pub(crate) fn subscription(
        &self,
        webhook: WebhookId,
    ) -> Result<ApiRequest<'_, SubscriptionState>, ClientError> {
        Ok(match self.client.version() {
            ApiVersion::V2 => v2::create_subscription(webhook, &self.user),
            ApiVersion::V1_1 => {
                let user = self.signing(Operation::CreateSubscription)?;
                v1_1::create_subscription(webhook, user)
            }
        })
    }

    pub(crate) async fn call<A>(&self, request: &ApiRequest<'_, A>) -> Result<A, ClientError> {
        self.client.call_of(request, Some(&self.rate_limits)).await
    }

    /// Returns the token that v1.1 takes.
    fn signing(&self, what: Operation) -> Result<&UserToken, ClientError> {
        match &self.user {
            UserCredential::OAuth1(token) => Ok(token),
            UserCredential::OAuth2(_) => {
                Err(ClientError::NotSent { what, reason: NotSent::OAuth2OnV1_1 })
            }
        }
    }
}

impl<T> Clone for UserClient<T> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            user: self.user.clone(),
            rate_limits: Arc::clone(&self.rate_limits),
        }
    }
}

impl<T> fmt::Debug for UserClient<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserClient")
            .field("client", &self.client)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}
