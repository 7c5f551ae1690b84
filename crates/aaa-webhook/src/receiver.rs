//! The receiver over HTTP: a tower service and an axum router.
//!
//! | Answer | When |
//! |---|---|
//! | 200 | a delivery is committed; a check is answered |
//! | 400 | signed but not a JSON object; a token that is refused; unclear framing |
//! | 401 | no signature, or a malformed one; the body is not read |
//! | 403 | a wrong signature; a source that is [not allowed](Receiver::with_sources) |
//! | 404 | nothing is at this path |
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
pub(crate) mod clock;
mod detach;
mod extract;
mod paths;
mod reason;
mod service;
mod status;
mod verifier;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::Router;
use bytes::Bytes;
use http::{Method, Request, Response, request::Parts};
use http_body_util::Full;
use tokio::sync::Notify;
use tracing::Instrument;

pub(crate) use self::answer::Refusal;
use self::detach::Detached;
pub use self::{
    answer::Refused,
    paths::{PathTaken, Paths},
    reason::Reason,
    status::{Counts, Figures, Signatures, Status, Unready},
    verifier::Verifier,
};
pub use crate::distribution::Distribution;
use crate::{
    app::App,
    crc::TokenRule,
    delivery::{Acknowledged, Durable, VerifiedDelivery},
    failure_streak::FailureStreak,
    inbox::{Inbox, InboxError},
    networks::Sources,
};

/// How much a receiver takes, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest body in bytes, 1 MiB by default.
    pub body: usize,
    /// How many bytes of bodies may be in memory before their signatures are checked, over all
    /// connections and beyond the first 16 KiB of each body; 64 MiB by default. Those who need more
    /// are answered 503.
    pub bodies: usize,
    /// How long a body may take to arrive, 2 s by default.
    pub body_time: Duration,
    /// How long a request may take in all, 2.5 s by default: below the 3 s after which v1.1 gives up
    /// (v2 waits 10 s).
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
/// It is cheap to clone. Use it as a tower service (`route_service` in a router of your own), let
/// [`Receiver::router`] mount it, or make it the state of handlers that take a
/// [`VerifiedDelivery`] from their request and [commit](Receiver::commit) it.
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
    verifier: Verifier,
    inbox: Arc<I>,
    /// Verified deliveries that are not stored.
    refusing: Arc<Mutex<FailureStreak>>,
}

/// Marks the answer to a delivery that X signed, for the accept loop; not to a copy, which may be
/// an old one that somebody has got hold of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Carried;

/// Lets the accept loop end the reading of a body, of which nobody knows yet whose it is; it comes
/// with the request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Enough(Arc<Notify>);

impl Enough {
    /// Ends the reading that is under way, or the next one.
    #[cfg(feature = "server")]
    pub(crate) fn call(&self) {
        self.0.notify_one();
    }

    async fn called(&self) {
        self.0.notified().await;
    }
}

impl<I: Inbox> Receiver<I> {
    /// Creates a receiver for one app.
    pub fn new(inbox: I, app: App) -> Self {
        Self::shared(inbox, vec![app])
    }

    /// Creates a receiver for several apps behind one URL. Deliveries are told apart by the secret
    /// that verifies them; a check that is not signed cannot be, and is answered 503. A path for
    /// each app is the better way, see [`Paths`].
    pub fn shared(inbox: I, apps: Vec<App>) -> Self {
        let refusing = Arc::default();
        Self { verifier: Verifier::shared(apps), inbox: Arc::new(inbox), refusing }
    }

    /// Creates a receiver for other apps, with the same inbox, the same status, and the same
    /// limits, of which both take their share. What signatures tell of secrets the status keeps for
    /// each app, see [`Status::signatures`].
    #[must_use]
    pub fn for_apps(&self, apps: Vec<App>) -> Self {
        Self { verifier: self.verifier.for_apps(apps), ..self.clone() }
    }

    /// Sets the limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { verifier: self.verifier.with_limits(limits), ..self }
    }

    /// Answers only checks that X has signed. X does not document that all of them are, so this
    /// may invalidate the webhook.
    #[must_use]
    pub fn with_strict_crc(self) -> Self {
        Self { verifier: self.verifier.with_strict_crc(), ..self }
    }

    /// Answers the checks with these tokens: X does not document what they look like.
    #[must_use]
    pub fn with_crc_tokens(self, rule: TokenRule) -> Self {
        Self { verifier: self.verifier.with_crc_tokens(rule), ..self }
    }

    /// Answers only what comes from these networks, checks included; but a check that is signed
    /// with one of the secrets is answered wherever it comes from, since only X and their owner can
    /// make one: whoever looks at the receiver from its own machine is let in. For it the address of
    /// the other side has to be among the extensions of a request, as
    /// [`ConnectInfo<SocketAddr>`](axum::extract::ConnectInfo); one without it is refused. The
    /// accept loop of the module `server` puts it there, and so does `axum::serve` with
    /// `into_make_service_with_connect_info::<SocketAddr>()`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use aaa_webhook::{app::App, inbox::{Inbox, InboxError, Receipt}};
    /// # use aaa_webhook::{delivery::VerifiedDelivery, receiver::Receiver};
    /// use aaa_webhook::networks::{Networks, ProxyHeader, Sources, TrustedProxies};
    /// # struct Store;
    /// # impl Inbox for Store {
    /// #     async fn commit(&self, delivery: VerifiedDelivery) -> Result<Receipt, InboxError> {
    /// #         Ok(Receipt { stored: delivery.events().len(), duplicates: 0 })
    /// #     }
    /// # }
    ///
    /// let proxies = TrustedProxies::new("127.0.0.1".parse()?, ProxyHeader::XForwardedFor);
    /// let receiver = Receiver::new(Store, App::new("main", "consumer-secret".parse()?))
    ///     .with_sources(Sources::new(Networks::of_x()).behind(proxies));
    /// # let _ = receiver;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_sources(self, sources: Sources) -> Self {
        Self { verifier: self.verifier.with_sources(sources), ..self }
    }

    /// Counts into a given status, so that several receivers can share one.
    #[must_use]
    pub fn with_status(self, status: Status) -> Self {
        Self { verifier: self.verifier.with_status(status), ..self }
    }

    /// Returns a handle to what the receiver counts.
    pub fn status(&self) -> Status {
        self.verifier.status()
    }

    /// Mounts the receiver at a path of an axum router; everything else is answered 404.
    ///
    /// The path is compared as it is, a slash before it where there is none: nothing in it is a
    /// pattern. It is the fallback of the router, so two of them cannot be merged; in a router of
    /// your own use `route_service(path, receiver)`.
    pub fn router(self, path: &str) -> Router {
        // The first at a path is never refused.
        Paths::new().at(path, self).map(Paths::router).unwrap_or_default()
    }

    /// Answers one request.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: http_body::Body + Send,
    {
        let (head, body) = request.into_parts();
        if let Err(refused) = self.verifier.admitted(&head) {
            return refused.into_response();
        }
        match head.method {
            Method::GET => self.verifier.checked(&head),
            Method::POST => self.deliver(&head, body).await,
            _ => self.verifier.refused(Refusal::Method).into_response(),
        }
    }

    /// Answers a challenge-response check; never touches the inbox.
    pub fn check(&self, head: &Parts) -> Response<Full<Bytes>> {
        self.verifier.check(head)
    }

    /// Makes a verified delivery durable, within [`Limits::deadline`].
    ///
    /// The commit goes on when the deadline passes or the caller goes away: the delivery is still
    /// stored, or its refusal still counted.
    ///
    /// # Errors
    ///
    /// Fails when the inbox does or is late; then X has to send the delivery again.
    pub async fn commit(&self, delivery: VerifiedDelivery) -> Result<Acknowledged, Refused> {
        let committed = self.committed(delivery);
        let committed = tokio::time::timeout(self.verifier.limits().deadline, committed).await;
        committed.unwrap_or_else(|_| Err(self.verifier.refused(Refusal::Late)))
    }

    /// Refuses a request for another path.
    fn no_receiver(&self) -> Refused {
        self.verifier.refused(Refusal::NoReceiver)
    }

    async fn deliver<B>(&self, head: &Parts, body: B) -> Response<Full<Bytes>>
    where
        B: http_body::Body + Send,
    {
        let began = clock::instant();
        let delivered = async {
            let delivery = self.verifier.delivery(head, body).await?;
            self.committed(delivery).await
        };
        let delivered = tokio::time::timeout(self.verifier.limits().deadline, delivered).await;
        let delivered = delivered.unwrap_or_else(|_| Err(self.verifier.refused(Refusal::Late)));
        match delivered {
            Ok(done) => {
                self.status().acknowledged(began.elapsed());
                let mut answer = answer::plain(done.status(), String::new());
                if done.brought_something() {
                    answer.extensions_mut().insert(Carried);
                }
                answer
            }
            Err(refused) => refused.into_response(),
        }
    }

    /// Commits, and does not end with whoever waits for it.
    async fn committed(&self, delivery: VerifiedDelivery) -> Result<Acknowledged, Refused> {
        let (status, now) = (self.status(), self.verifier.now());
        let span = span(&delivery);
        let fate = status.fate(now);
        let late = fate.unless_finished();
        let (inbox, refusing) = (Arc::clone(&self.inbox), Arc::clone(&self.refusing));
        let work = async move {
            let (began, arrived_at) = (clock::instant(), delivery.arrived_at());
            let (app, slot) = (delivery.app().to_owned(), delivery.slot());
            let result = delivery.commit(&inbox).await;
            let mut refusing = refusing.lock().unwrap_or_else(PoisonError::into_inner);
            match &result {
                Ok(durable) => {
                    let (receipt, took) = (durable.receipt(), began.elapsed());
                    status.committed(receipt, arrived_at, took);
                    tracing::debug!(
                        stored = receipt.stored,
                        duplicates = receipt.duplicates,
                        ?took,
                        "delivery committed"
                    );
                    if let Some(refused) = refusing.works(clock::instant().into_std()) {
                        tracing::info!(refused, "verified deliveries are stored again");
                    }
                }
                Err(error) => {
                    fate.not_stored();
                    let (app, secret) = (app.as_str(), slot.as_str());
                    if refusing.fails(clock::instant().into_std()) {
                        tracing::warn!(app, secret, %error, "verified delivery refused");
                    } else {
                        tracing::debug!(app, secret, %error, "verified delivery refused");
                    }
                }
            }
            result
        };
        let committed = Detached::new(work.instrument(span)).await;
        // Without a result the inbox panicked: the guard counts that.
        let result = committed.map_err(|_| self.verifier.refused(Refusal::NotStored))?;
        late.finished();
        let durable = result.map_err(|_: InboxError| self.verifier.refused(Refusal::NotStored))?;
        Ok(Durable::acknowledge(durable))
    }
}

/// What is logged while a delivery is stored belongs to it. Neither body nor signature is told.
///
/// Whoever does not look at each delivery does not pay for it either: what goes wrong says by
/// itself which app it was.
fn span(delivery: &VerifiedDelivery) -> tracing::Span {
    tracing::debug_span!(
        "delivery",
        app = delivery.app(),
        secret = delivery.slot().as_str(),
        events = delivery.events().len(),
        bytes = delivery.body().len(),
    )
}

impl<I> Clone for Receiver<I> {
    fn clone(&self) -> Self {
        Self {
            verifier: self.verifier.clone(),
            inbox: Arc::clone(&self.inbox),
            refusing: Arc::clone(&self.refusing),
        }
    }
}
