//! Straight to a receiver, signed as X signs.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use aaa_client::{ReqwestTransport, Timeouts, Transport};
use aaa_emulator::bodies::{Bodies, Made};
use aaa_types::ConsumerSecret;
use aaa_webhook::signature::{self, Signature};
use http::{HeaderValue, Request, header};

use super::{Told, Way, What, pace};
use crate::{
    exit::{Exit, Failure},
    forward::ForwardUrl,
};

/// X waits ten seconds for its 200.
const TIMEOUTS: Timeouts =
    Timeouts { connect: Duration::from_secs(5), total: Duration::from_secs(10) };

/// Makes bodies, signs and posts them.
pub(super) struct Direct {
    transport: ReqwestTransport,
    to: ForwardUrl,
    secret: ConsumerSecret,
    what: What,
    bodies: Mutex<Bodies>,
}

impl Direct {
    /// Prepares to send; it connects when it does.
    ///
    /// # Errors
    ///
    /// Fails when TLS cannot be set up, and without random numbers.
    pub(super) fn new(to: ForwardUrl, secret: ConsumerSecret, what: What) -> Result<Self, Failure> {
        let transport = ReqwestTransport::for_scheme(to.scheme(), TIMEOUTS)
            .map_err(|error| Exit::Failed.with(error.to_string()))?;
        let seed = getrandom::u64().map_err(|error| Exit::Failed.of("no random numbers", error))?;
        Ok(Self { transport, to, secret, what, bodies: Mutex::new(Bodies::new(seed)) })
    }

    fn make(&self) -> Result<Made, Failure> {
        let What { kind, user, payload, context } = &self.what;
        let mut bodies = self.bodies.lock().unwrap_or_else(PoisonError::into_inner);
        let made = bodies.make_with(kind, *user, (payload.as_ref(), context.as_ref()), pace::now());
        made.map_err(|error| Exit::Usage.with(error.to_string()))
    }
}

impl Way for Direct {
    async fn once(&self) -> Result<Vec<Told>, Failure> {
        let Made { event, body } = self.make()?;
        let signature = Signature::of(&self.secret, &body).to_string();
        let failed = |error: &dyn std::fmt::Display| Exit::Failed.of("could not sign", error);
        let signature = HeaderValue::try_from(signature).map_err(|error| failed(&error))?;
        let request = Request::post(self.to.uri())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("aaa/", env!("CARGO_PKG_VERSION")))
            .header(signature::HEADER, signature)
            .body(body)
            .map_err(|error| failed(&error))?;
        let answer = self.transport.send(request).await.map_err(|error| {
            Exit::Network
                .of(&format!("could not send {} to {}", event.key, self.to), error)
                .advise("start the receiver there, such as `aaa listen`, or name another with --to")
        })?;
        let status = Some(answer.status().as_u16());
        let (id, key, kind, for_user_id) = (event.id, event.key, event.kind, event.for_user_id);
        Ok(vec![Told { id, key, kind, for_user_id, status, error: None, under_way: false }])
    }

    fn advice(&self, status: u16) -> Option<&'static str> {
        Some(match status {
            201..=299 => "X takes 200 as success and nothing else",
            300..=399 => {
                "X follows no redirect, and takes the webhook as broken: name the URL that answers \
                 by itself"
            }
            401 | 403 => {
                "the receiver must have the consumer secret that is used here, X_CONSUMER_SECRET; \
                 `aaa verify` says why a signature is wrong"
            }
            404 | 405 => "the path must be that of the webhook, such as /webhooks/twitter",
            _ => return None,
        })
    }
}
