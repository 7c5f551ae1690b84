use std::{net::SocketAddr, sync::Arc};

use axum::extract::ConnectInfo;
use bytes::Bytes;
use http::{Method, Request, Response, request::Parts};
use http_body_util::Full;
use jiff::Timestamp;

use super::{
    Enough, Limits, Status,
    answer::{self, Refusal, Refused},
    body::{self, Held, Room},
    clock,
    status::{Proof, Signed},
};
use crate::{
    app::{App, SecretSlot},
    crc::TokenRule,
    delivery::{Received, Rejection, VerifiedDelivery},
    networks::Sources,
    signature::{PROBE, Signature, SignatureError},
};

/// The half of a [`Receiver`](super::Receiver) that needs no inbox: it reads a request within its
/// limits, verifies it, and answers checks. It is cheap to clone.
///
/// With it in the state of an axum router (a receiver in the state brings it along),
/// [`VerifiedDelivery`] is an extractor.
///
/// # Examples
///
/// Without an inbox nothing is durable, so a 200 means no more than what the handler did before
/// it, within the 3 seconds that X waits:
///
/// ```
/// use aaa_webhook::{app::App, delivery::VerifiedDelivery, receiver::Verifier};
/// use axum::{Router, extract::State, http::request::Parts, response::IntoResponse, routing::get};
///
/// async fn check(State(verifier): State<Verifier>, head: Parts) -> impl IntoResponse {
///     verifier.check(&head)
/// }
///
/// async fn deliver(delivery: VerifiedDelivery) {
///     println!("{} events", delivery.events().len());
/// }
///
/// let verifier = Verifier::new(App::new("main", "consumer-secret".parse()?));
/// let router: Router =
///     Router::new().route("/webhooks/twitter", get(check).post(deliver)).with_state(verifier);
/// # Ok::<(), aaa_types::secret::SecretError>(())
/// ```
#[derive(Clone)]
pub struct Verifier {
    shared: Arc<Shared>,
}

#[derive(Clone)]
struct Shared {
    apps: Vec<App>,
    /// What fits the secrets of each app.
    proofs: Vec<Arc<Proof>>,
    limits: Limits,
    room: Room,
    strict_crc: bool,
    tokens: TokenRule,
    sources: Option<Sources>,
    status: Status,
    now: fn() -> Timestamp,
}

impl Verifier {
    /// Creates a verifier for one app.
    pub fn new(app: App) -> Self {
        Self::shared(vec![app])
    }

    /// Creates a verifier for several apps behind one URL, see
    /// [`Receiver::shared`](super::Receiver::shared).
    pub fn shared(apps: Vec<App>) -> Self {
        let (limits, status) = (Limits::default(), Status::default());
        let shared = Shared {
            proofs: proofs(&status, &apps),
            apps,
            limits,
            room: Room::new(limits.bodies),
            strict_crc: false,
            tokens: TokenRule::default(),
            sources: None,
            status,
            now: clock::now,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Creates a verifier for other apps, with the same limits, of which both take their share,
    /// and the same status.
    #[must_use]
    pub fn for_apps(&self, apps: Vec<App>) -> Self {
        self.clone().with(|shared| {
            shared.proofs = proofs(&shared.status, &apps);
            shared.apps = apps;
        })
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

    /// Answers the checks with these tokens.
    #[must_use]
    pub fn with_crc_tokens(self, rule: TokenRule) -> Self {
        self.with(|shared| shared.tokens = rule)
    }

    /// Answers only what comes from these networks, and signed checks, see
    /// [`Receiver::with_sources`](super::Receiver::with_sources).
    #[must_use]
    pub fn with_sources(self, sources: Sources) -> Self {
        self.with(|shared| shared.sources = Some(sources))
    }

    /// Counts into a given status.
    #[must_use]
    pub fn with_status(self, status: Status) -> Self {
        self.with(|shared| {
            shared.proofs = proofs(&status, &shared.apps);
            shared.status = status;
        })
    }

    /// Returns a handle to what is counted.
    pub fn status(&self) -> Status {
        self.shared.status.clone()
    }

    /// Answers a challenge-response check. It touches nothing but the apps' secrets.
    pub fn check(&self, head: &Parts) -> Response<Full<Bytes>> {
        match self.sourced(head) {
            Ok(()) => self.checked(head),
            Err(refused) => refused.into_response(),
        }
    }

    pub(super) fn checked(&self, head: &Parts) -> Response<Full<Bytes>> {
        let began = clock::instant();
        let status = &self.shared.status;
        match self.token_answer(head) {
            Ok((answer, signer)) => {
                let by_x = signer.filter(|_| !is_probe(head));
                let signed = if by_x.is_some() { Signed::Yes } else { Signed::No };
                status.check_answered((self.shared.now)(), began.elapsed(), signed);
                if let Some(app) = by_x {
                    self.prove(app.name());
                }
                tracing::debug!("check answered");
                answer::json(answer)
            }
            Err(refusal) => {
                status.check_refused();
                let refused = Refused::new(refusal, status);
                // Why is worth knowing: X says no more than that the check failed.
                tracing::debug!(why = %refused, "check refused");
                refused.into_response()
            }
        }
    }

    /// Reads a delivery and verifies it, within [`Limits::body_time`].
    ///
    /// # Errors
    ///
    /// Fails when it exceeds a limit, and when X did not sign it.
    pub async fn verify<B>(&self, request: Request<B>) -> Result<VerifiedDelivery, Refused>
    where
        B: http_body::Body + Send,
    {
        let (head, body) = request.into_parts();
        self.admitted(&head)?;
        if head.method != Method::POST {
            return Err(self.refused(Refusal::Method));
        }
        self.delivery(&head, body).await
    }

    /// Refuses what comes from elsewhere and is no signed check, and unclear framing.
    pub(super) fn admitted(&self, head: &Parts) -> Result<(), Refused> {
        self.sourced(head)?;
        body::check_framing(&head.headers).map_err(|refusal| self.unread(refusal))
    }

    pub(super) async fn delivery<B>(
        &self,
        head: &Parts,
        body: B,
    ) -> Result<VerifiedDelivery, Refused>
    where
        B: http_body::Body + Send,
    {
        let headers = &head.headers;
        // Who does not even try to sign gets no memory.
        if let Err(error) = Signature::from_headers(headers) {
            return Err(self.rejected(Rejection::Signature(error), head));
        }
        let Shared { apps, limits, room, status, now, .. } = &*self.shared;
        let read = body::read(headers, body, limits, room);
        let body = match head.extensions.get::<Enough>() {
            Some(enough) => tokio::select! {
                biased;
                body = read => body,
                () = enough.called() => Err(Refusal::NoRoom),
            },
            None => read.await,
        };
        let Held { bytes, room } = body.map_err(|refusal| self.unread(refusal))?;
        let verified = Received::new(bytes, now()).verify(headers, apps);
        // From here on the inbox bounds the memory.
        drop(room);
        let delivery = verified.map_err(|why| self.rejected(why, head))?;
        status.verified(delivery.slot());
        if !is_probe(head) {
            self.prove(delivery.app());
        }
        Ok(delivery)
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    pub(super) fn now(&self) -> fn() -> Timestamp {
        self.shared.now
    }

    pub(super) fn refused(&self, refusal: Refusal) -> Refused {
        Refused::new(refusal, &self.shared.status)
    }

    fn sourced(&self, head: &Parts) -> Result<(), Refused> {
        let Some(sources) = &self.shared.sources else { return Ok(()) };
        let peer = head.extensions.get::<ConnectInfo<SocketAddr>>();
        let admitted = match peer {
            Some(ConnectInfo(peer)) => sources.admit(peer.ip(), &head.headers).map_err(Some),
            None => Err(None),
        };
        match admitted {
            Ok(_) => Ok(()),
            // Whoever looks at the receiver from here comes from no network of X's.
            Err(_) if self.is_signed_check(head) => Ok(()),
            Err(why) => Err(Refused::elsewhere(why, &self.shared.status)),
        }
    }

    /// Says whether it is a check that only somebody who has one of our secrets can have made.
    fn is_signed_check(&self, head: &Parts) -> bool {
        let signature = Signature::from_headers(&head.headers);
        head.method == Method::GET && signature.is_ok_and(|it| self.signer(&it, head).is_some())
    }

    /// Returns the app and the secret that signed a check.
    fn signer(&self, signature: &Signature, head: &Parts) -> Option<(&App, SecretSlot)> {
        let query = head.uri.query().unwrap_or_default().as_bytes();
        let signed = |app| Some((app, App::verify(app, signature, query)?));
        // All are asked before the first that fits is taken: the time tells nothing.
        let signers: Vec<_> = self.shared.apps.iter().filter_map(signed).collect();
        signers.first().copied()
    }

    /// Returns the answer to a check, and the app whose secret it was signed with.
    fn token_answer(&self, head: &Parts) -> Result<(String, Option<&App>), Refusal> {
        let apps = self.shared.apps.as_slice();
        let query = head.uri.query().unwrap_or_default();
        let signer = match Signature::from_headers(&head.headers) {
            Ok(signature) => Some(self.signer(&signature, head).ok_or(Refusal::ForgedCheck)?),
            Err(SignatureError::Missing) if !self.shared.strict_crc => None,
            Err(error) => return Err(Refusal::CheckSignature(error)),
        };
        let token = self.shared.tokens.find(query).map_err(Refusal::CheckToken)?;
        match (signer, apps) {
            // Whoever signs with the secret before a rotation expects an answer made with it.
            (Some((app, slot)), _) => Ok((token.answer(app.secret(slot)), Some(app))),
            (None, [app]) => Ok((token.answer(app.active()), None)),
            // A guess could be the wrong app's answer, which invalidates the webhook at once.
            (None, _) => Err(Refusal::AmbiguousCheck),
        }
    }

    /// Notes that an app's secret is right.
    fn prove(&self, app: &str) {
        let mut apps = self.shared.apps.iter().zip(&self.shared.proofs);
        if let Some((_, proof)) = apps.find(|(own, _)| own.name() == app) {
            proof.verified();
        }
    }

    fn rejected(&self, rejection: Rejection, head: &Parts) -> Refused {
        self.shared.status.rejected();
        if !is_probe(head) {
            // Whose it was meant to be, nobody knows.
            self.shared.proofs.iter().for_each(|proof| proof.rejected());
        }
        tracing::debug!(%rejection, "delivery rejected");
        self.refused(Refusal::Rejected(rejection))
    }

    fn unread(&self, refusal: Refusal) -> Refused {
        Refused::unread(refusal, &self.shared.status)
    }

    /// Settings are made before the first clone; afterwards they belong to a new verifier.
    fn with(mut self, change: impl FnOnce(&mut Shared)) -> Self {
        change(Arc::make_mut(&mut self.shared));
        self
    }
}

/// Returns the proofs of apps, in their order.
fn proofs(status: &Status, apps: &[App]) -> Vec<Arc<Proof>> {
    apps.iter().map(|app| status.proof(app.name())).collect()
}

/// Says whether it is we ourselves who look at the receiver.
fn is_probe(head: &Parts) -> bool {
    head.headers.contains_key(PROBE)
}
