//! The way of a delivery as a typestate: [`Received`], [`VerifiedDelivery`], [`Durable`],
//! [`Acknowledged`]. Each can only be made from the one before it, so a delivery that nobody
//! signed or nobody stored cannot be acknowledged by mistake.

use std::ops::Range;

use aaa_types::{
    EventIdentity, EventKey,
    event::{Body, BodyError, RawEvent},
};
use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;

use crate::{
    app::{App, SecretSlot},
    inbox::{Inbox, InboxError, Receipt},
    signature::{Signature, SignatureError},
};

/// A body that somebody sent.
#[derive(Debug, Clone)]
pub struct Received {
    body: Bytes,
    arrived_at: Timestamp,
}

impl Received {
    /// Takes the raw bytes of a body, exactly as they came.
    pub fn new(body: Bytes, arrived_at: Timestamp) -> Self {
        Self { body, arrived_at }
    }

    /// Checks the signature against every secret of every app, then reads what identifies the
    /// events.
    ///
    /// # Errors
    ///
    /// Fails when the signature is missing, malformed or wrong, and when the body is not a JSON
    /// object although X signed it.
    pub fn verify(self, headers: &HeaderMap, apps: &[App]) -> Result<VerifiedDelivery, Rejection> {
        let signature = Signature::from_headers(headers).map_err(Rejection::Signature)?;
        let verified = apps.iter().map(|app| (app, app.verify(&signature, &self.body)));
        // All apps are asked before the first that fits is taken: the time tells nothing.
        let verified = verified.collect::<Vec<_>>().into_iter();
        let (app, slot) = verified
            .filter_map(|(app, slot)| Some((app, slot?)))
            .next()
            .ok_or(Rejection::WrongSignature)?;
        let body = Body::parse(&self.body).map_err(Rejection::Body)?;
        let events = body.events();
        let events = events.iter().map(|event| KeyedEvent::new(event, &self.body, app)).collect();
        Ok(VerifiedDelivery {
            app: app.name().to_owned(),
            slot,
            signature: signature.to_string(),
            arrived_at: self.arrived_at,
            events,
            body: self.body,
        })
    }
}

/// A delivery that X signed: the raw bytes, the app, and what identifies its events.
///
/// # Examples
///
/// ```
/// use aaa_webhook::{app::App, delivery::Received, signature::{self, Signature}};
///
/// let app = App::new("main", "consumer-secret".parse()?);
/// let body = br#"{"for_user_id":"7","favorite_events":[{"id":"a"},{"id":"b"}]}"#;
/// let mut headers = http::HeaderMap::new();
/// headers.insert(signature::HEADER, Signature::of(app.active(), body).to_string().parse()?);
///
/// let now = "2025-11-22T04:13:00Z".parse()?;
/// let delivery = Received::new(body.as_slice().into(), now).verify(&headers, &[app])?;
/// assert_eq!(delivery.events().len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct VerifiedDelivery {
    app: String,
    slot: SecretSlot,
    signature: String,
    arrived_at: Timestamp,
    events: Vec<KeyedEvent>,
    body: Bytes,
}

impl VerifiedDelivery {
    /// Returns the name of the app whose secret verified the delivery.
    pub fn app(&self) -> &str {
        &self.app
    }

    /// Returns which of the app's secrets it was.
    pub fn slot(&self) -> SecretSlot {
        self.slot
    }

    /// Returns the signature header as it came, so that the delivery can be handed on verifiably.
    pub fn signature(&self) -> &str {
        &self.signature
    }

    /// Returns when the delivery arrived.
    pub fn arrived_at(&self) -> Timestamp {
        self.arrived_at
    }

    /// Returns the events, at least one.
    pub fn events(&self) -> &[KeyedEvent] {
        &self.events
    }

    /// Returns the raw body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Hands the delivery to an inbox and waits until it is durable.
    ///
    /// # Errors
    ///
    /// Fails when the inbox does; then nothing may be acknowledged.
    pub async fn commit(self, inbox: &impl Inbox) -> Result<Durable, InboxError> {
        inbox.commit(self).await.map(|receipt| Durable { receipt })
    }
}

impl std::fmt::Debug for VerifiedDelivery {
    /// Bodies hold direct messages and signatures open doors: neither is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifiedDelivery")
            .field("app", &self.app)
            .field("slot", &self.slot)
            .field("arrived_at", &self.arrived_at)
            .field("events", &self.events.len())
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// An event of a verified delivery, with its key.
#[derive(Debug, Clone)]
pub struct KeyedEvent {
    key: EventKey,
    identity: EventIdentity,
    occurred_at: Option<Timestamp>,
    payload: Range<usize>,
}

impl KeyedEvent {
    fn new(event: &RawEvent<'_>, body: &[u8], app: &App) -> Self {
        // The payload is a slice of the body, so its place is the distance of the addresses.
        let start = event.payload().as_ptr().addr().saturating_sub(body.as_ptr().addr());
        Self {
            key: event.identity().key(app.name(), event.occurred_at()),
            identity: event.identity().clone(),
            occurred_at: event.occurred_at(),
            payload: start..start + event.payload().len(),
        }
    }

    /// Returns the key, the same for every copy of the event.
    pub fn key(&self) -> EventKey {
        self.key
    }

    /// Returns kind, user and item identity.
    pub fn identity(&self) -> &EventIdentity {
        &self.identity
    }

    /// Returns the event's own time, where its kind carries one.
    pub fn occurred_at(&self) -> Option<Timestamp> {
        self.occurred_at
    }

    /// Returns where the item stands in the body, in bytes.
    pub fn payload(&self) -> Range<usize> {
        self.payload.clone()
    }
}

/// A delivery that an inbox has made durable.
#[derive(Debug)]
pub struct Durable {
    receipt: Receipt,
}

impl Durable {
    /// Returns what the inbox did.
    pub fn receipt(&self) -> Receipt {
        self.receipt
    }

    /// Allows the answer 200.
    pub fn acknowledge(self) -> Acknowledged {
        Acknowledged { brought_something: self.receipt.stored > 0 }
    }
}

/// The permission to answer 200; there is no other way to it than a commit.
#[derive(Debug)]
pub struct Acknowledged {
    #[cfg_attr(not(feature = "axum"), allow(dead_code, reason = "only the accept loop asks"))]
    brought_something: bool,
}

impl Acknowledged {
    /// Says whether any of it was new.
    #[cfg(feature = "axum")]
    pub(crate) fn brought_something(&self) -> bool {
        self.brought_something
    }

    /// Returns the status that tells X to send the delivery no more.
    pub fn status(&self) -> http::StatusCode {
        http::StatusCode::OK
    }
}

/// Why a body is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// No usable signature: 401.
    #[error("not signed: {0}")]
    Signature(SignatureError),
    /// A signature that no configured secret made: 403.
    #[error(
        "the signature was not made with a configured consumer secret over these bytes: check \
         that it is the consumer secret (API secret key) and that nothing re-encodes the body"
    )]
    WrongSignature,
    /// Signed, but not a JSON object: 400.
    #[error("signed, but not a delivery: {0}")]
    Body(BodyError),
}

#[cfg(test)]
mod tests;
