use std::{fmt, sync::Arc};

use aaa_auth::{Consumer, UserToken};
use aaa_types::BearerToken;

use crate::{
    ApiUrl, ApiVersion, Client, Credentials, RetryPolicy, Transport, Wait,
    client::{Inner, OnWait},
    rate_limit::{RateLimits, ServerClock},
    v2::ReplayRoute,
};
#[cfg(feature = "reqwest")]
use crate::{BuildError, ReqwestTransport, Timeouts};

/// Puts a [`Client`] together.
#[derive(Clone)]
pub struct ClientBuilder {
    api: ApiUrl,
    version: ApiVersion,
    credentials: Credentials,
    replay_route: ReplayRoute,
    retry: RetryPolicy,
    on_wait: Option<OnWait>,
    #[cfg(feature = "reqwest")]
    timeouts: Timeouts,
}

impl ClientBuilder {
    /// Begins a client of v2, without credentials.
    pub fn new(api: ApiUrl) -> Self {
        Self {
            api,
            version: ApiVersion::default(),
            credentials: Credentials::default(),
            replay_route: ReplayRoute::default(),
            retry: RetryPolicy::default(),
            on_wait: None,
            #[cfg(feature = "reqwest")]
            timeouts: Timeouts::default(),
        }
    }

    /// Chooses the generation of the API. Direct messages are always sent over v2, the only one
    /// that has them.
    #[must_use]
    pub fn version(mut self, version: ApiVersion) -> Self {
        self.version = version;
        self
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

    /// Chooses v2's route to replays.
    #[must_use]
    pub fn replay_route(mut self, route: ReplayRoute) -> Self {
        self.replay_route = route;
        self
    }

    /// Chooses when failed calls are made again.
    #[must_use]
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Has each pause before another attempt told, so that a user can be told why nothing happens.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_client::{ApiUrl, ClientBuilder};
    ///
    /// let builder = ClientBuilder::new(ApiUrl::X.parse()?).on_wait(|wait| {
    ///     if wait.is_rate_limit() {
    ///         eprintln!("rate limited, waiting until {}", wait.until);
    ///     }
    /// });
    /// # drop(builder);
    /// # Ok::<(), aaa_client::ApiUrlError>(())
    /// ```
    #[must_use]
    pub fn on_wait(mut self, tell: impl Fn(&Wait<'_>) + Send + Sync + 'static) -> Self {
        self.on_wait = Some(Arc::new(tell));
        self
    }

    /// Changes how long to wait for an answer.
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
        let inner = Inner {
            api: self.api,
            version: self.version,
            credentials: self.credentials,
            replay_route: self.replay_route,
            transport,
            on_wait: self.on_wait,
            rate_limits: RateLimits::default(),
            clock: ServerClock::default(),
        };
        Client::new(inner, self.retry)
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("api", &self.api)
            .field("version", &self.version)
            .field("credentials", &self.credentials)
            .field("replay_route", &self.replay_route)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}
