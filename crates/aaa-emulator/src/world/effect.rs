use aaa_types::api;
use bytes::Bytes;
use jiff::SignedDuration;

use super::Refusal;
use crate::control::Delivered;

/// What a world wants done.
#[derive(Debug)]
#[non_exhaustive]
pub enum Effect {
    /// Ask a webhook to prove itself, and report with [`World::check_ended`](super::World::check_ended).
    Check(Check),
    /// Deliver, and report with [`World::delivery_ended`](super::World::delivery_ended).
    Post(Post),
    /// Answer the call that got this ticket.
    Answer(Ticket, Outcome),
    /// Move the clock forward, and [`wake`](super::World::wake) the world.
    JumpClock(SignedDuration),
}

/// A challenge: a `GET` of `uri`.
#[derive(Debug, Clone)]
pub struct Check {
    /// Names the check.
    pub id: CheckId,
    /// The webhook's URL with the token in its query.
    pub uri: String,
    /// The signature header, if the challenge is signed.
    pub signature: Option<String>,
    /// How long to wait, in real time.
    pub deadline: SignedDuration,
}

/// A delivery: a `POST` of JSON.
#[derive(Debug, Clone)]
pub struct Post {
    /// Names the delivery.
    pub id: DeliveryId,
    /// The webhook's URL.
    pub uri: String,
    /// The signature header.
    pub signature: String,
    /// Headers besides that one and the content type.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
    /// What goes wrong on the wire.
    pub wire: Wire,
    /// How long to wait, in real time.
    pub deadline: SignedDuration,
}

/// How a delivery goes over its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wire {
    /// As it should.
    Whole,
    /// The second half of the body waits for this long, in real time.
    Slow(SignedDuration),
    /// The connection is closed in the middle of the body.
    Reset,
}

/// What came back: an answer, or nothing.
pub type Heard = Result<Answer, Silence>;

/// The answer of a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// As much of the body as was read.
    pub body: Bytes,
    /// The `Content-Type`.
    pub content_type: Option<String>,
    /// The `Content-Encoding`.
    pub content_encoding: Option<String>,
}

impl Answer {
    /// An answer whose headers say nothing about its body.
    pub fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self { status, body: body.into(), content_type: None, content_encoding: None }
    }
}

/// Why a webhook did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Silence {
    /// The deadline passed.
    #[error("no answer within the deadline")]
    TimedOut,
    /// No connection, or it ended before the answer did.
    #[error("the connection failed: {0}")]
    Closed(String),
    /// TLS failed: the certificate is not trusted, or the other side speaks none.
    #[error("TLS failed: {0}")]
    Tls(String),
}

/// Names a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CheckId(pub(super) u64);

/// Names a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId(pub(super) u64);

#[cfg(test)]
impl DeliveryId {
    pub(crate) fn for_tests() -> Self {
        Self(0)
    }
}

/// Stands for an answer that comes later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub(super) u64);

/// An answer that came later.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// To [`World::register`](super::World::register).
    Registered(Result<api::Webhook, Refusal>),
    /// To [`World::validate`](super::World::validate): what `valid` is answered.
    Validated(Result<bool, Refusal>),
    /// To [`World::replay`](super::World::replay).
    Replaying(Result<api::ReplayJob, Refusal>),
    /// To [`World::trigger_and_wait`](super::World::trigger_and_wait): all were delivered or have
    /// failed.
    Settled,
    /// To [`World::deliver`](super::World::deliver).
    Delivered(Delivered),
}
