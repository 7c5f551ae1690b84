//! The receiver over HTTP: a tower service and an axum router.
//!
//! | Answer | When |
//! |---|---|
//! | 200 | a delivery is committed; a check is answered |
//! | 400 | signed but not a JSON object; a token that is refused; unclear framing |
//! | 401 | no signature, or a malformed one; the body is not read |
//! | 403 | a wrong signature |
//! | 405 | neither GET nor POST |
//! | 408 | the body arrives too slowly |
//! | 413 | the body is too large |
//! | 415 | any `Content-Encoding` but `identity` |
//! | 503 | not committed in time, or the store fails; too many bodies at once |
//! | 503 | a check that cannot be answered surely |
//!
//! It never redirects and never compresses: X takes both as a broken webhook.

mod answer;
mod body;
mod clock;
mod service;
mod status;

use std::{sync::Arc, time::Duration};

use axum::{Router, response::IntoResponse};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::Full;
use jiff::Timestamp;

pub use self::status::{Counts, Status};
use self::{answer::Refusal, body::Room};
use crate::{
    app::App,
    crc::CrcToken,
    delivery::{Acknowledged, Durable, Received, Rejection, VerifiedDelivery},
    inbox::{Inbox, InboxError},
    signature::{Signature, SignatureError},
};

/// How much a receiver takes, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest body in bytes, 1 MiB by default.
    pub body: usize,
    /// How many bytes of bodies may be in memory before their signatures are checked, over all
    /// connections; 64 MiB by default. Those beyond are answered 503.
    pub bodies: usize,
    /// How long a body may take to arrive, 2 s by default.
    pub body_time: Duration,
    /// How long a request may take in all, 2.5 s by default: below the 3 s after which X gives up.
    pub deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 1024 * 1024,
            bodies: 64 * 1024 * 1024,
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

/// Marks the answer to a delivery that X signed, for the accept loop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Carried;

struct Shared<I> {
    inbox: Arc<I>,
    apps: Vec<App>,
    limits: Limits,
    room: Room,
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
            room: Room::new(Limits::default().bodies),
            strict_crc: false,
            status: Status::default(),
            now: clock::now,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Sets the limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        self.with(|shared| {
            shared.limits = limits;
            shared.room = Room::new(limits.bodies);
        })
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
    ///
    /// The path is compared as it is, a slash before it where there is none: nothing in it is a
    /// pattern. It is the fallback of the router, so two of them cannot be merged; in a router of
    /// your own use `route_service(path, receiver)`.
    pub fn router(self, path: &str) -> Router {
        let slash = if path.starts_with('/') { "" } else { "/" };
        let path: Arc<str> = format!("{slash}{path}").into();
        Router::new().fallback(move |request: axum::extract::Request| async move {
            if request.uri().path() == &*path {
                self.answer(request).await.into_response()
            } else {
                StatusCode::NOT_FOUND.into_response()
            }
        })
    }

    /// Answers one request.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: http_body::Body + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        if let Err(refusal) = body::check_framing(&head.headers) {
            return self.unread(refusal).into_response();
        }
        let answer = match head.method {
            Method::GET => {
                let answer = self.check(head.uri.query().unwrap_or_default(), &head.headers);
                self.shared.status.checked(answer.is_ok());
                answer.map(answer::json)
            }
            Method::POST => {
                let deadline = self.shared.limits.deadline;
                let delivered = self.deliver(&head.headers, body);
                let delivered = tokio::time::timeout(deadline, delivered).await;
                let delivered = delivered.unwrap_or(Err(Refusal::Late));
                let carried = matches!(delivered, Ok(_) | Err(Refusal::NotStored));
                let mut answer = match delivered {
                    Ok(done) => answer::plain(done.status(), String::new()),
                    Err(refusal) => refusal.into_response(),
                };
                if carried {
                    answer.extensions_mut().insert(Carried);
                }
                Ok(answer)
            }
            _ => Err(Refusal::Method),
        };
        answer.unwrap_or_else(Refusal::into_response)
    }

    /// Answers a challenge-response check; never touches the inbox.
    fn check(&self, query: &str, headers: &HeaderMap) -> Result<String, Refusal> {
        let apps = self.shared.apps.as_slice();
        let signer = match Signature::from_headers(headers) {
            Ok(signature) => {
                let signed = |app: &&App| app.verify(&signature, query.as_bytes()).is_some();
                Some(apps.iter().find(signed).ok_or(Refusal::ForgedCheck)?)
            }
            Err(SignatureError::Missing) if !self.shared.strict_crc => None,
            Err(error) => return Err(Refusal::CheckSignature(error)),
        };
        let token = CrcToken::from_query(query).map_err(Refusal::CheckToken)?;
        match (signer, apps) {
            (Some(app), _) | (None, [app]) => Ok(token.answer(app.active())),
            // A guess could be the wrong app's answer, which invalidates the webhook at once.
            (None, _) => Err(Refusal::AmbiguousCheck),
        }
    }

    /// Reads, verifies, commits.
    async fn deliver<B>(&self, headers: &HeaderMap, body: B) -> Result<Acknowledged, Refusal>
    where
        B: http_body::Body + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        // Who does not even try to sign gets no memory.
        if let Err(error) = Signature::from_headers(headers) {
            return Err(self.rejected(Rejection::Signature(error)));
        }
        let Shared { apps, limits, room, .. } = &*self.shared;
        let body = body::read(headers, body, limits, room).await;
        let body = body.map_err(|refusal| self.unread(refusal))?;
        let received = Received::new(body.bytes.clone(), (self.shared.now)());
        let delivery = received.verify(headers, apps).map_err(|why| self.rejected(why))?;
        // From here on the inbox bounds the memory.
        drop(body);
        self.shared.status.verified();
        self.commit(delivery).await.map_err(|error| {
            tracing::warn!(%error, "verified delivery refused");
            Refusal::NotStored
        })
    }

    fn rejected(&self, rejection: Rejection) -> Refusal {
        self.shared.status.rejected();
        tracing::debug!(%rejection, "delivery rejected");
        Refusal::Rejected(rejection)
    }

    /// Anybody can cause this, so only every power of two is a warning: it cannot flood the log.
    fn unread(&self, refusal: Refusal) -> Refusal {
        let count = self.shared.status.unread();
        if count.is_power_of_two() {
            tracing::warn!(count, why = refusal.words(), "a body was not read");
        } else {
            tracing::debug!(count, why = refusal.words(), "a body was not read");
        }
        refusal
    }

    /// Commits in a task of its own: when the caller goes away or the deadline passes, the
    /// delivery is still stored, or its refusal still counted.
    async fn commit(&self, delivery: VerifiedDelivery) -> Result<Acknowledged, InboxError> {
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
        // Without a result the inbox panicked: the guard counts that.
        let result = committed.await.map_err(|_| InboxError::Closed)?;
        late.finished();
        result.map(Durable::acknowledge)
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
                    room: old.room.clone(),
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
