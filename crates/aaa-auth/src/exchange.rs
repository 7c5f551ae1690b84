//! A request that asks for a token, and what its answer means. Nothing here does IO.

mod error;
mod redact;

use std::fmt;

use aaa_types::api::ApiError;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header};
use jiff::Timestamp;
use secrecy::SecretString;
use url::Url;

pub use self::{
    error::{AnswerError, AuthError, Step},
    redact::redacted,
};
use crate::form;

/// One request whose answer is a `T`, a token mostly. [`flow`](crate::flow) and
/// [`app_only`](crate::app_only) make them.
///
/// Send it with whatever you have, and hand back what came.
///
/// # Examples
///
/// ```
/// use aaa_auth::{ApiUrl, Consumer, app_only};
///
/// let consumer = Consumer::new("app-key".parse()?, "app-secret".parse()?);
/// let exchange = app_only::bearer_token(&ApiUrl::X.parse()?, &consumer);
/// let request = exchange.to_http();
/// assert_eq!(request.uri(), "https://api.x.com/oauth2/token");
/// assert_eq!(request.body(), "grant_type=client_credentials");
///
/// let response = http::Response::new(r#"{"token_type":"bearer","access_token":"AAAA%2Fbb"}"#);
/// assert_eq!(exchange.answer(&response)?.expose(), "AAAA%2Fbb");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Exchange<T> {
    pub(crate) step: Step,
    pub(crate) url: Url,
    pub(crate) authorization: HeaderValue,
    pub(crate) form: Vec<(&'static str, String)>,
    /// What was sent and must not come back in an error.
    pub(crate) secrets: Vec<SecretString>,
    pub(crate) understand: Understand<T>,
}

/// Finds the token in the body of a success.
pub(crate) type Understand<T> = Box<dyn Fn(&[u8]) -> Result<T, AnswerError> + Send + Sync>;

impl<T> Exchange<T> {
    /// Returns what is asked for.
    pub fn step(&self) -> Step {
        self.step
    }

    /// Returns the method, which is POST for all of them.
    pub fn method(&self) -> Method {
        Method::POST
    }

    /// Returns the whole URL.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Returns the value of the `Authorization` header, marked sensitive.
    pub fn authorization(&self) -> &HeaderValue {
        &self.authorization
    }

    /// Makes the HTTP request.
    ///
    /// Its body may hold a token or a verifier in the clear: do not print it.
    pub fn to_http(&self) -> Request<Bytes> {
        let mut request = Request::new(Bytes::from(form::write(&self.form)));
        *request.method_mut() = self.method();
        // `ApiUrl` made sure that this is a URI; a relative one would be sent nowhere.
        *request.uri_mut() = Uri::try_from(self.url.as_str()).unwrap_or_default();
        let empty = self.form.is_empty();
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, self.authorization.clone());
        if empty {
            // hyper leaves it out, and there are proxies that answer 411 then.
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        } else {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form::CONTENT_TYPE));
        }
        request
    }

    /// Understands the answer. Its content type does not count: X sends forms as `text/html`.
    ///
    /// # Errors
    ///
    /// Fails with [`AuthError::Refused`] when X refused, and with [`AuthError::Answer`] when a
    /// success cannot be understood.
    pub fn answer<B: AsRef<[u8]>>(&self, response: &Response<B>) -> Result<T, AuthError> {
        let body = response.body().as_ref();
        if response.status().is_success() {
            match (self.understand)(body) {
                Err(AnswerError::Errors) => {}
                other => {
                    return other.map_err(|reason| AuthError::Answer { step: self.step, reason });
                }
            }
        }
        let words = redact::words(&String::from_utf8_lossy(body), &self.secrets);
        let mut answer = ApiError::parse(response.status().as_u16(), words.as_bytes());
        let text = |name| text(response.headers(), name);
        if let Some(id) = text("x-transaction-id") {
            answer = answer.with_request_id(redact::words(id, &self.secrets));
        }
        let reset = text("x-rate-limit-reset").and_then(|seconds| seconds.parse().ok());
        if let Some(at) = reset.and_then(|seconds| Timestamp::from_second(seconds).ok()) {
            answer = answer.with_rate_limit_reset(at);
        }
        Err(AuthError::Refused { step: self.step, answer: Box::new(answer) })
    }
}

impl<T> fmt::Debug for Exchange<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("step", &self.step)
            .field("url", &self.url.as_str())
            .finish_non_exhaustive()
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
