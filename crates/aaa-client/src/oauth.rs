use std::fmt;

use aaa_auth::{
    app_only,
    flow::{self, Access, Callback, RequestToken, Verifier},
};
use aaa_types::BearerToken;
use url::Url;

#[cfg(feature = "reqwest")]
use crate::ReqwestTransport;
use crate::{Client, ClientError, Operation, Transport};

/// The calls that hand out tokens, with the app's key and secret. [`Client::oauth`] returns it;
/// clones are cheap. They are the same for both generations of the API.
///
/// # Examples
///
/// A user permits the app to act for them:
///
#[cfg_attr(feature = "reqwest", doc = "```no_run")]
#[cfg_attr(not(feature = "reqwest"), doc = "```ignore")]
/// use aaa_auth::flow::{Callback, Verifier};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = aaa_client::Client::builder(aaa_client::ApiUrl::X.parse()?).build()?;
/// let oauth = client.oauth();
/// let request_token = oauth.request_token(&Callback::OUT_OF_BAND).await?;
/// eprintln!("open {} and type the PIN", oauth.authorize_url(&request_token));
/// # let typed = "1234567";
/// let access = oauth.access_token(&request_token, &Verifier::from_pin(typed)?).await?;
/// let user = client.user(access.token);
/// # drop(user);
/// # Ok(())
/// # }
/// ```
pub struct OAuthClient<
    #[cfg(feature = "reqwest")] T = ReqwestTransport,
    #[cfg(not(feature = "reqwest"))] T,
> {
    client: Client<T>,
}

impl<T: Transport> OAuthClient<T> {
    pub(crate) fn new(client: Client<T>) -> Self {
        Self { client }
    }

    /// Begins the three-legged flow.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub async fn request_token(&self, callback: &Callback) -> Result<RequestToken, ClientError> {
        let (operation, path) = (Operation::RequestToken, "/oauth/request_token");
        self.client
            .exchange(operation, path, |api, consumer, nonce, now| {
                flow::request_token(api, consumer, callback, nonce, now)
            })
            .await
    }

    /// Returns the page on which the user gives permission.
    pub fn authorize_url(&self, request_token: &RequestToken) -> Url {
        request_token.authorize_url(self.client.api_url())
    }

    /// Ends the three-legged flow: exchanges the verifier, or PIN, for the user's token.
    ///
    /// # Errors
    ///
    /// See [`ClientError`]. A verifier works once, so a call whose fate is not known is not made
    /// again.
    pub async fn access_token(
        &self,
        request_token: &RequestToken,
        verifier: &Verifier,
    ) -> Result<Access, ClientError> {
        let (operation, path) = (Operation::AccessToken, "/oauth/access_token");
        self.client
            .exchange(operation, path, |api, consumer, nonce, now| {
                flow::access_token(api, consumer, request_token, verifier, nonce, now)
            })
            .await
    }

    /// Gets the app's bearer token. It is the same one each time, until it is invalidated.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub async fn bearer_token(&self) -> Result<BearerToken, ClientError> {
        let (operation, path) = (Operation::BearerToken, "/oauth2/token");
        self.client
            .exchange(operation, path, |api, consumer, _, _| app_only::bearer_token(api, consumer))
            .await
    }

    /// Invalidates a bearer token of the app.
    ///
    /// X's pages disagree on who may: the app's key and secret are tried, and when they are
    /// refused, a signature with the access token of the app's owner, if that is at hand.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub async fn invalidate_bearer_token(&self, token: &BearerToken) -> Result<(), ClientError> {
        let (operation, path) = (Operation::InvalidateBearerToken, "/oauth2/invalidate_token");
        let by_key = self.client.exchange(operation, path, |api, consumer, _, _| {
            app_only::invalidate(api, consumer, token)
        });
        let result = by_key.await.map(drop);
        let refused = result.as_ref().is_err_and(is_about_the_credentials);
        match &self.client.credentials().owner {
            Some(owner) if refused => self
                .client
                .exchange(operation, path, |api, consumer, nonce, now| {
                    app_only::invalidate_signed(api, consumer, owner, token, nonce, now)
                })
                .await
                .map(drop),
            _ => result,
        }
    }
}

fn is_about_the_credentials(error: &ClientError) -> bool {
    error.api().is_some_and(|api| matches!(api.status(), 401 | 403) || api.is_unauthorized())
}

impl<T> Clone for OAuthClient<T> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone() }
    }
}

impl<T> fmt::Debug for OAuthClient<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OAuthClient").field(&self.client).finish()
    }
}
