//! A call before it is sent, and what its answer means. Nothing here does IO.

use std::fmt;

use aaa_auth::{UserCredential, UserToken, bearer, oauth1::Signer};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, Uri, header};
use jiff::Timestamp;
use url::Url;

use crate::{ApiUrl, ClientError, Credentials, MissingCredential, Operation, credentials::Needs};

const USER_AGENT: &str = concat!("aaa-client/", env!("CARGO_PKG_VERSION"));

/// One call of the API whose answer is a `T`. The functions of [`v2`](crate::v2) make them.
///
/// # Examples
///
/// ```
/// use aaa_client::{ApiUrl, Credentials, v2};
/// use bytes::Bytes;
///
/// let call = v2::list_webhooks();
/// let credentials = Credentials::default().with_bearer("AAAA".parse()?);
/// let api: ApiUrl = ApiUrl::X.parse()?;
/// let request = call.to_http(&api, &credentials, "a1b2", "2025-11-22T04:00:00Z".parse()?)?;
/// assert_eq!(request.uri(), "https://api.x.com/2/webhooks");
///
/// // Send it with whatever you have, and hand back what came.
/// let response = http::Response::new(Bytes::from(r#"{"data":[],"meta":{"result_count":0}}"#));
/// assert!(call.answer(&response)?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ApiRequest<'a, T> {
    pub(crate) operation: Operation,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) body: Option<serde_json::Value>,
    pub(crate) auth: Auth<'a>,
    pub(crate) understand: fn(Operation, &Response<Bytes>) -> Result<T, ClientError>,
}

/// Which credential a call needs.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Auth<'a> {
    /// The app's bearer token.
    Bearer,
    /// The app's bearer token; without one, a signature with the access token of its owner.
    BearerOrOwner,
    /// The app's bearer token if there is one; any answer is good.
    BearerIfAny,
    /// The credential of the user whom the call is about.
    User(&'a UserCredential),
}

impl<T> ApiRequest<'_, T> {
    /// Returns what the call does.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// Returns the method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns which credential the call needs.
    pub fn auth(&self) -> Auth<'_> {
        self.auth
    }

    /// Returns the whole URL.
    pub fn url(&self, api: &ApiUrl) -> Url {
        api.join(&self.path, &self.query)
    }

    /// Makes the HTTP request.
    ///
    /// The nonce and the time go into an OAuth 1.0a signature, where one is made. The
    /// `Authorization` header is marked sensitive.
    ///
    /// # Errors
    ///
    /// Fails when the credential that the call needs is not there.
    pub fn to_http(
        &self,
        api: &ApiUrl,
        credentials: &Credentials,
        nonce: &str,
        now: Timestamp,
    ) -> Result<Request<Bytes>, MissingCredential> {
        let url = self.url(api);
        let authorization = self.authorization(&url, credentials, nonce, now)?;
        let body = self.body.as_ref().map(|json| Bytes::from(json.to_string()));

        let mut request = Request::new(Bytes::new());
        *request.method_mut() = self.method.clone();
        // `ApiUrl` made sure that this is a URI; a relative one would be sent nowhere.
        *request.uri_mut() = Uri::try_from(url.as_str()).unwrap_or_default();
        let headers = request.headers_mut();
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::ACCEPT, json.clone());
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        if let Some(authorization) = authorization {
            headers.insert(header::AUTHORIZATION, authorization);
        }
        if let Some(body) = body {
            headers.insert(header::CONTENT_TYPE, json);
            *request.body_mut() = body;
        } else if self.method == Method::POST || self.method == Method::PUT {
            // hyper leaves it out, and there are proxies that answer 411 then.
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        Ok(request)
    }

    /// Understands the answer.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::Api`] when the API refused, and with [`ClientError::Decode`] when
    /// a success cannot be understood.
    pub fn answer(&self, response: &Response<Bytes>) -> Result<T, ClientError> {
        (self.understand)(self.operation, response)
    }

    fn authorization(
        &self,
        url: &Url,
        credentials: &Credentials,
        nonce: &str,
        now: Timestamp,
    ) -> Result<Option<HeaderValue>, MissingCredential> {
        let missing = |needs| Err(MissingCredential::new(self.operation, needs));
        // Bodies are JSON, so there is no form to sign.
        let sign = |consumer, token: &UserToken| {
            let signer = Signer::new(consumer).with_token(token);
            Ok(Some(signer.sign(&self.method, url, &[], nonce, now)))
        };
        let bearer = credentials.bearer.as_ref().map(bearer::authorization);
        match (self.auth, bearer, &credentials.consumer, &credentials.owner) {
            (Auth::User(UserCredential::OAuth1(token)), _, Some(consumer), _) => {
                sign(consumer, token)
            }
            (Auth::User(UserCredential::OAuth1(_)), _, None, _) => missing(Needs::Consumer),
            (Auth::User(UserCredential::OAuth2(token)), ..) => {
                Ok(Some(bearer::authorization(token)))
            }
            (Auth::BearerIfAny, bearer, ..) => Ok(bearer),
            (_, Some(bearer), ..) => Ok(Some(bearer)),
            (Auth::BearerOrOwner, None, Some(consumer), Some(owner)) => sign(consumer, owner),
            (Auth::BearerOrOwner, None, ..) => missing(Needs::BearerOrOwner),
            (Auth::Bearer, None, ..) => missing(Needs::Bearer),
        }
    }
}

impl<T> fmt::Debug for ApiRequest<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiRequest")
            .field("operation", &self.operation)
            .field("method", &self.method)
            .field("path", &self.path)
            .field("query", &self.query)
            .field("body", &self.body)
            .field("auth", &self.auth)
            .finish_non_exhaustive()
    }
}
