//! The receiver over HTTP: a tower service and an axum router.
//!
//! | Answer | When |
//! |---|---|
//! | 200 | a delivery is committed; a check is answered |
//! | 400 | signed but not a JSON object; a token that is refused |
//! | 401 | no signature, or a malformed one |
//! | 403 | a wrong signature |
//! | 405 | neither GET nor POST |
//! | 408 | the body arrives too slowly |
//! | 413 | the body is too large |
//! | 415 | any `Content-Encoding` but `identity` |
//! | 503 | not committed in time, or the store fails; a check that cannot be answered surely |
//!
//! It never redirects and never compresses: X takes both as a broken webhook.

mod clock;
mod service;
mod status;

use std::{sync::Arc, time::Duration};

use axum::{Router, routing::any_service};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use jiff::Timestamp;

pub use self::status::{Counts, Status};
use crate::{
    app::App,
    crc::CrcToken,
    delivery::{Received, Rejection, VerifiedDelivery},
    inbox::{Inbox, InboxError},
    signature::{Signature, SignatureError},
};

/// How much a receiver takes, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest body in bytes, 1 MiB by default.
    pub body: usize,
    /// How long a body may take to arrive, 2 s by default.
    pub body_time: Duration,
    /// How long a request may take in all, 2.5 s by default: below the 3 s after which X gives up.
    pub deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 1024 * 1024,
            body_time: Duration::from_secs(2),
            deadline: Duration::from_millis(2500),
        }
    }
}

/// Takes deliveries for an app (or several that share a path) and hands them to an inbox.
///
/// It is cheap to clone. Use it as a tower service, or let [`Receiver::router`] mount it.
///
/// # Examples
///
/// ```
/// use aaa_webhook::{
///     app::App,
///     delivery::VerifiedDelivery,
///     inbox::{Inbox, InboxError, Receipt},
///     receiver::Receiver,
/// };
///
/// /// An inbox that only counts; a real one is in `aaa-store`.
/// struct Counter;
///
/// impl Inbox for Counter {
///     async fn commit(&self, delivery: VerifiedDelivery) -> Result<Receipt, InboxError> {
///         Ok(Receipt { stored: delivery.events().len(), duplicates: 0 })
///     }
/// }
///
/// let app = App::new("main", "consumer-secret".parse()?);
/// let router: axum::Router = Receiver::new(Counter, app).router("/webhooks/twitter");
/// # Ok::<(), aaa_types::secret::SecretError>(())
/// ```
pub struct Receiver<I> {
    shared: Arc<Shared<I>>,
}

struct Shared<I> {
    inbox: Arc<I>,
    apps: Vec<App>,
    limits: Limits,
    strict_crc: bool,
    status: Status,
    now: fn() -> Timestamp,
}

impl<I: Inbox> Receiver<I> {
    /// Creates a receiver for one app.
    pub fn new(inbox: I, app: App) -> Self {
        Self::shared(inbox, vec![app])
    }

    /// Creates a receiver for several apps behind one URL. Deliveries are told apart by the secret
    /// that verifies them; a check that is not signed cannot be, and is answered 503. A path for
    /// each app is the better way.
    pub fn shared(inbox: I, apps: Vec<App>) -> Self {
        let shared = Shared {
            inbox: Arc::new(inbox),
            apps,
            limits: Limits::default(),
            strict_crc: false,
            status: Status::default(),
            now: clock::now,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Sets the limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        self.with(|shared| shared.limits = limits)
    }

    /// Answers only checks that X has signed. X does not document that all of them are, so this
    /// may invalidate the webhook.
    #[must_use]
    pub fn with_strict_crc(self) -> Self {
        self.with(|shared| shared.strict_crc = true)
    }

    /// Counts into a given status, so that several receivers can share one.
    #[must_use]
    pub fn with_status(self, status: Status) -> Self {
        self.with(|shared| shared.status = status)
    }

    /// Returns a handle to what the receiver counts.
    pub fn status(&self) -> Status {
        self.shared.status.clone()
    }

    /// Mounts the receiver at a path of an axum router; everything else is answered 404.
    pub fn router(self, path: &str) -> Router {
        Router::new().route(path, any_service(self))
    }

    /// Answers one request.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: http_body::Body + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        match head.method {
            Method::GET => self.check(head.uri.query().unwrap_or_default(), &head.headers),
            Method::POST => {
                let whole = tokio::time::timeout(self.shared.limits.deadline, async {
                    let body = self.read(&head.headers, body).await?;
                    self.deliver(&head.headers, body).await
                });
                whole.await.unwrap_or_else(|_| Err(self.late())).unwrap_or_else(|answer| answer)
            }
            _ => {
                let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and POST");
                answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST"));
                answer
            }
        }
    }

    /// Answers a challenge-response check; never touches the inbox.
    fn check(&self, query: &str, headers: &HeaderMap) -> Response<Full<Bytes>> {
        let status = &self.shared.status;
        let app = match Signature::from_headers(headers) {
            Ok(signature) => {
                let signed = |app: &&App| app.verify(&signature, query.as_bytes()).is_some();
                match self.shared.apps.iter().find(signed) {
                    Some(app) => Some(app),
                    None => {
                        status.refused_check();
                        return text(StatusCode::FORBIDDEN, "the check is not signed by X");
                    }
                }
            }
            Err(SignatureError::Missing) if !self.shared.strict_crc => None,
            Err(error) => {
                status.refused_check();
                return text(StatusCode::UNAUTHORIZED, &error.to_string());
            }
        };
        let token = match CrcToken::from_query(query) {
            Ok(token) => token,
            Err(error) => {
                status.refused_check();
                return text(StatusCode::BAD_REQUEST, &error.to_string());
            }
        };
        let app = match (app, self.shared.apps.as_slice()) {
            (Some(app), _) | (None, [app]) => app,
            // A guess could be the wrong app's answer, which invalidates the webhook at once.
            (None, _) => {
                status.refused_check();
                return unavailable("several apps share this path, and the check is not signed");
            }
        };
        status.answered_check();
        let mut answer = Response::new(Full::new(Bytes::from(token.answer(app.active()))));
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        answer
    }

    /// Reads a body within its limits.
    async fn read<B>(&self, headers: &HeaderMap, body: B) -> Result<Bytes, Response<Full<Bytes>>>
    where
        B: http_body::Body + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let encoded = headers.get_all(CONTENT_ENCODING).iter();
        if encoded.into_iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity")) {
            return Err(closing(text(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "a body with a Content-Encoding is not taken",
            )));
        }
        let limits = &self.shared.limits;
        let too_large = || {
            let words = format!("the body is larger than {} bytes", limits.body);
            closing(text(StatusCode::PAYLOAD_TOO_LARGE, &words))
        };
        let announced = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: u64| length > limits.body as u64) {
            return Err(too_large());
        }
        let body = std::pin::pin!(Limited::new(body, limits.body));
        match tokio::time::timeout(limits.body_time, body.collect()).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
            Ok(Err(_)) => {
                Err(closing(text(StatusCode::BAD_REQUEST, "the body ended before it was whole")))
            }
            Err(_) => {
                Err(closing(text(StatusCode::REQUEST_TIMEOUT, "the body arrived too slowly")))
            }
        }
    }

    /// Verifies, commits, acknowledges.
    async fn deliver(
        &self,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Response<Full<Bytes>>, Response<Full<Bytes>>> {
        let received = Received::new(body, (self.shared.now)());
        let delivery = received.verify(headers, &self.shared.apps).map_err(|rejection| {
            self.shared.status.rejected(&rejection);
            tracing::debug!(%rejection, "delivery refused");
            text(status_of(&rejection), &rejection.to_string())
        })?;
        self.shared.status.verified();
        match self.commit(delivery).await {
            Ok(acknowledged) => Ok(text(acknowledged.status(), "")),
            Err(error) => {
                tracing::warn!(%error, "verified delivery refused");
                Err(unavailable("the delivery could not be stored"))
            }
        }
    }

    /// Commits in a task of its own: when the caller goes away or the deadline passes, the
    /// delivery is still stored, or its refusal still counted.
    async fn commit(
        &self,
        delivery: VerifiedDelivery,
    ) -> Result<crate::delivery::Acknowledged, InboxError> {
        let shared = Arc::clone(&self.shared);
        let late = shared.status.refuse_unless_finished();
        let committed = tokio::spawn(async move {
            let result = delivery.commit(&shared.inbox).await;
            match &result {
                Ok(durable) => shared.status.committed(durable.receipt()),
                Err(_) => shared.status.refused(),
            }
            result
        });
        let result = committed.await.unwrap_or(Err(InboxError::Closed));
        late.finished();
        result.map(crate::delivery::Durable::acknowledge)
    }

    fn late(&self) -> Response<Full<Bytes>> {
        unavailable("the delivery could not be stored in time")
    }

    fn with(mut self, change: impl FnOnce(&mut Shared<I>)) -> Self {
        // Settings are made before the first clone; afterwards they belong to a new receiver.
        match Arc::get_mut(&mut self.shared) {
            Some(shared) => change(shared),
            None => {
                let old = &self.shared;
                let mut shared = Shared {
                    inbox: Arc::clone(&old.inbox),
                    apps: old.apps.clone(),
                    limits: old.limits,
                    strict_crc: old.strict_crc,
                    status: old.status.clone(),
                    now: old.now,
                };
                change(&mut shared);
                self.shared = Arc::new(shared);
            }
        }
        self
    }
}

impl<I> Clone for Receiver<I> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

fn status_of(rejection: &Rejection) -> StatusCode {
    match rejection {
        Rejection::Signature(_) => StatusCode::UNAUTHORIZED,
        Rejection::WrongSignature => StatusCode::FORBIDDEN,
        Rejection::Body(_) => StatusCode::BAD_REQUEST,
    }
}

fn text(status: StatusCode, words: &str) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::copy_from_slice(words.as_bytes())));
    *answer.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, plain);
    answer
}

fn unavailable(words: &str) -> Response<Full<Bytes>> {
    let mut answer = text(StatusCode::SERVICE_UNAVAILABLE, words);
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}

/// What is left of the body is not read, so the connection cannot be used again.
fn closing(mut answer: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}
