use std::{fmt, sync::Arc};

use aaa_auth::{Consumer, Exchange, UserCredential};
use aaa_types::WebhookId;
use bytes::Bytes;
use http::{HeaderValue, Method, Response, header};
use jiff::{SignedDuration, Timestamp};

use crate::{
    ApiRequest, ApiUrl, ApiVersion, AppClient, Bulk, ClientError, Credentials, MissingCredential,
    OAuthClient, Operation, RateLimit, RetryPolicy, Transport, UserClient, Wait,
    answer::wait_until,
    call::Call,
    missing::Needs,
    rate_limit::{RateLimits, ServerClock},
    request::introduce,
    v1_1,
    v2::{self, ReplayRoute},
};
#[cfg(feature = "reqwest")]
use crate::{ClientBuilder, ReqwestTransport};

/// Calls the API. Clones are cheap and share their connections.
///
/// The calls themselves are on its handles, which take the credential that X wants for them:
/// [`app`](Self::app), [`user`](Self::user) and [`oauth`](Self::oauth); [`bulk`](Self::bulk) makes
/// them for many users.
///
/// A failed call is made again where that is safe, as the [`RetryPolicy`] says; dropping the
/// future of a call ends it and all waiting.
///
/// Signatures bear a time, and X refuses those that are some minutes off. Once X's clock is known
/// from an answer and is more than a minute away from the local one, it is X's time that is signed;
/// a signature that was refused before that is made anew, once, unless the policy repeats nothing.
pub struct Client<
    #[cfg(feature = "reqwest")] T = ReqwestTransport,
    #[cfg(not(feature = "reqwest"))] T,
> {
    pub(crate) inner: Arc<Inner<T>>,
    retry: RetryPolicy,
}

pub(crate) struct Inner<T> {
    pub(crate) api: ApiUrl,
    pub(crate) version: ApiVersion,
    pub(crate) credentials: Credentials,
    pub(crate) replay_route: ReplayRoute,
    pub(crate) transport: T,
    pub(crate) on_wait: Option<OnWait>,
    pub(crate) rate_limits: RateLimits,
    pub(crate) clock: ServerClock,
}

pub(crate) type OnWait = Arc<dyn Fn(&Wait<'_>) + Send + Sync>;

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
    pub(crate) fn new(inner: Inner<T>, retry: RetryPolicy) -> Self {
        Self { inner: Arc::new(inner), retry }
    }

    /// Returns the calls that the app makes for itself: webhooks, lists, counts, replays.
    pub fn app(&self) -> AppClient<T> {
        AppClient::new(self.clone())
    }

    /// Returns the calls that are made for a user: their subscription, and their messages.
    pub fn user(&self, user: impl Into<UserCredential>) -> UserClient<T> {
        UserClient::new(self.clone(), user.into())
    }

    /// Returns the calls that hand out tokens.
    pub fn oauth(&self) -> OAuthClient<T> {
        OAuthClient::new(self.clone())
    }

    /// Returns the calls that are made for many users of a webhook.
    pub fn bulk(&self, webhook: WebhookId) -> Bulk<T> {
        Bulk::new(self.clone(), webhook)
    }

    /// Returns a client that repeats failed calls otherwise. All else is shared.
    #[must_use]
    pub fn with_retry(&self, retry: RetryPolicy) -> Self {
        Self { inner: Arc::clone(&self.inner), retry }
    }

    /// Returns how failed calls are repeated.
    pub fn retry(&self) -> &RetryPolicy {
        &self.retry
    }

    /// Returns the address of the API.
    pub fn api_url(&self) -> &ApiUrl {
        &self.inner.api
    }

    /// Returns which generation of the API is spoken.
    pub fn version(&self) -> ApiVersion {
        self.inner.version
    }

    /// Returns the app's credentials.
    pub fn credentials(&self) -> &Credentials {
        &self.inner.credentials
    }

    /// Returns what the last answer to such a call said about the rate limit, whoever made it.
    ///
    /// Some limits are an app's and some are each user's:
    /// [`UserClient::rate_limit`] tells the latter.
    pub fn rate_limit(&self, operation: Operation) -> Option<RateLimit> {
        self.inner.rate_limits.last(operation)
    }

    /// Returns X's clock minus the local one, from the `Date` of the last answer to any call. X
    /// tells it to the second, so it is never ahead of X's clock.
    pub fn clock_offset(&self) -> Option<SignedDuration> {
        self.inner.clock.offset()
    }

    /// Reads the API's clock, to the second, from the `Date` of an answer.
    ///
    /// Any answer will do, so it also works without credentials.
    ///
    /// # Errors
    ///
    /// See [`ClientError`]; an answer without a readable `Date` is not understood.
    pub async fn server_time(&self) -> Result<Timestamp, ClientError> {
        self.call(&match self.version() {
            ApiVersion::V2 => v2::server_time(),
            ApiVersion::V1_1 => v1_1::server_time(),
        })
        .await
    }

    /// Makes one call of [`v2`] or [`v1_1`], whatever [`version`](Self::version) is spoken.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub async fn call<A>(&self, request: &ApiRequest<'_, A>) -> Result<A, ClientError> {
        self.call_of(request, None).await
    }

    /// Makes a call, and notes the rate limit for its user as well.
    pub(crate) async fn call_of<A>(
        &self,
        request: &ApiRequest<'_, A>,
        own: Option<&RateLimits>,
    ) -> Result<A, ClientError> {
        let Inner { api, credentials, .. } = &*self.inner;
        let call = Call {
            operation: request.operation(),
            method: request.method(),
            path: request.path_template(),
            repeatable: request.is_repeatable(),
            signed: request.auth().signs(credentials),
            own,
        };
        self.perform(&call, |nonce, now| {
            let http = request.to_http(api, credentials, nonce, now)?;
            Ok((http, |answer: &Response<Bytes>| request.answer_redacted(answer, credentials)))
        })
        .await
    }

    /// Asks for a token. `path` is what spans show.
    pub(crate) async fn exchange<A>(
        &self,
        operation: Operation,
        path: &'static str,
        make: impl Fn(&ApiUrl, &Consumer, &str, Timestamp) -> Exchange<A> + Sync,
    ) -> Result<A, ClientError> {
        let Inner { api, credentials, .. } = &*self.inner;
        let consumer = credentials.consumer.as_ref();
        let consumer = consumer.ok_or(MissingCredential::new(operation, Needs::Consumer))?;
        let repeatable = operation.is_repeatable();
        let signed = matches!(operation, Operation::RequestToken | Operation::AccessToken);
        let call = Call { operation, method: &Method::POST, path, repeatable, signed, own: None };
        self.perform(&call, |nonce, now| {
            let exchange = make(api, consumer, nonce, now);
            let mut http = exchange.to_http().map(Bytes::from);
            introduce(http.headers_mut());
            // Some of these answers are forms that call themselves HTML.
            http.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("*/*"));
            let understand = move |answer: &Response<Bytes>| {
                exchange.answer(answer).map_err(|error| ClientError::Auth {
                    what: operation,
                    rate_limit: RateLimit::from_headers(answer.headers()),
                    retry_at: error.api_error().and_then(|api| wait_until(answer.headers(), api)),
                    error,
                })
            };
            Ok((http, understand))
        })
        .await
    }
}

impl<T> Clone for Client<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), retry: self.retry }
    }
}

impl<T> fmt::Debug for Client<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("api", &self.inner.api)
            .field("version", &self.inner.version)
            .field("credentials", &self.inner.credentials)
            .field("replay_route", &self.inner.replay_route)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}
