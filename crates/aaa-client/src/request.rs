//! A call before it is sent, and what its answer means. Nothing here does IO.

use std::fmt;

use aaa_types::WebhookUrl;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header};
use jiff::Timestamp;
use serde_json::Value;
use url::Url;

use crate::{
    ApiUrl, Auth, ClientError, Credentials, MissingCredential, NotSent, Operation, Page, PageToken,
};

const USER_AGENT: &str = concat!("aaa-client/", env!("CARGO_PKG_VERSION"));

/// One call of the API whose answer is a `T`. The functions of [`v2`](crate::v2) and
/// [`v1_1`](crate::v1_1) make them.
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
/// assert!(call.answer(&response)?.content.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ApiRequest<'a, T> {
    operation: Operation,
    method: Method,
    template: &'static str,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
    auth: Auth<'a>,
    registers: Option<WebhookUrl>,
    repeatable: bool,
    understand: Understand<T>,
}

type Understand<T> = fn(Operation, &Response<Bytes>) -> Result<T, ClientError>;

impl<'a, T> ApiRequest<'a, T> {
    /// Begins a request; the path may have parts to fill in.
    pub(crate) fn new(
        operation: Operation,
        method: Method,
        template: &'static str,
        auth: Auth<'a>,
        understand: Understand<T>,
    ) -> Self {
        Self {
            operation,
            method,
            template,
            path: template.to_owned(),
            query: Vec::new(),
            body: None,
            auth,
            registers: None,
            repeatable: operation.is_repeatable(),
            understand,
        }
    }

    /// Fills a part of the path in. Ids are digits, so nothing needs to be encoded.
    pub(crate) fn with(mut self, part: &str, id: impl fmt::Display) -> Self {
        self.path = self.path.replace(part, &id.to_string());
        self
    }

    pub(crate) fn with_query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub(crate) fn with_body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// Has the URL checked before it is sent.
    pub(crate) fn registers(mut self, url: &WebhookUrl) -> Self {
        self.registers = Some(url.clone());
        self
    }

    /// Says that the caller can tell what a repetition did from what came before.
    pub(crate) fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// Returns what the call does.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// Returns the method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the path as X's documents write it, with names in place of ids.
    pub fn path_template(&self) -> &'static str {
        self.template
    }

    /// Returns which credential the call needs.
    pub fn auth(&self) -> Auth<'_> {
        self.auth
    }

    /// Says whether the call may be made again when nobody knows whether it was carried out.
    pub fn is_repeatable(&self) -> bool {
        self.repeatable
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
    /// Fails when the credential that the call needs is not there, and when X would refuse the URL
    /// of a webhook; one on loopback passes only if the API is there as well.
    pub fn to_http(
        &self,
        api: &ApiUrl,
        credentials: &Credentials,
        nonce: &str,
        now: Timestamp,
    ) -> Result<Request<Bytes>, ClientError> {
        self.check(api)?;
        let url = self.url(api);
        let authorization = self
            .auth
            .authorization(credentials, &self.method, &url, nonce, now)
            .map_err(|needs| MissingCredential::new(self.operation, needs))?;
        let body = self.body.as_ref().map(|json| Bytes::from(json.to_string()));

        let mut request = Request::new(Bytes::new());
        *request.method_mut() = self.method.clone();
        // `ApiUrl` made sure that this is a URI; a relative one would be sent nowhere.
        *request.uri_mut() = Uri::try_from(url.as_str()).unwrap_or_default();
        let headers = request.headers_mut();
        introduce(headers);
        if let Some(authorization) = authorization {
            headers.insert(header::AUTHORIZATION, authorization);
        }
        if let Some(body) = body {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
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

    /// Understands the answer; what goes into an error holds no secret, whatever X repeats.
    pub(crate) fn answer_redacted(
        &self,
        response: &Response<Bytes>,
        credentials: &Credentials,
    ) -> Result<T, ClientError> {
        let understood = self.answer(response);
        if understood.is_ok() {
            return understood;
        }
        let secrets = self.auth.secrets(credentials);
        let mut redacted = response.clone();
        let body = String::from_utf8_lossy(response.body());
        let without = aaa_auth::redacted(&body, &secrets);
        if without != body {
            *redacted.body_mut() = without.into();
        }
        // The identifier of the request goes into the error as well.
        for value in redacted.headers_mut().values_mut() {
            let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
            let without = aaa_auth::redacted(&text, &secrets);
            if without != text {
                *value = HeaderValue::try_from(without).unwrap_or(HeaderValue::from_static(""));
            }
        }
        self.answer(&redacted)
    }

    /// Checks what can be checked without asking.
    pub(crate) fn check(&self, api: &ApiUrl) -> Result<(), ClientError> {
        let Some(url) = &self.registers else { return Ok(()) };
        url.check_registrable(api.is_loopback()).map_err(|error| ClientError::NotSent {
            what: self.operation,
            reason: NotSent::Url(error),
        })
    }
}

impl<T> ApiRequest<'_, Page<T>> {
    /// Asks for the page that an earlier one named.
    #[must_use]
    pub fn page(self, token: &PageToken) -> Self {
        self.with_query("pagination_token", token.as_str())
    }
}

/// Says who calls, and what they understand.
pub(crate) fn introduce(headers: &mut HeaderMap) {
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
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
