//! What a delivery looks like on the wire: signature, headers, and what a fault does to them.

use aaa_types::{ConsumerSecret, WebhookId};
use aaa_webhook::signature::Signature;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use super::{
    super::{DeliveryId, Effect, Post, Wire, World},
    Attempted, InFlight, What,
};
use crate::{
    control::{Action, Cause},
    settings::DeliveryHeaders,
};

impl World {
    /// Hands a delivery to whoever sends it.
    pub(super) fn post(
        &mut self,
        webhook: WebhookId,
        what: What,
        body: Bytes,
        signature: Option<String>,
        fault: Option<Action>,
    ) {
        let retries = self.retries(&what);
        let Some(hook) = self.hooks.get_mut(&webhook) else {
            return;
        };
        match &what {
            What::Event(Attempted { job: Some(id), .. }) => {
                let job = hook.job_mut().filter(|job| job.id == *id);
                job.into_iter().for_each(|job| job.in_flight += 1);
            }
            _ => hook.in_flight += 1,
        }
        let uri = hook.url.as_str().to_owned();
        let deadline = self.settings.deadline_of(hook.generation);
        let headers = match self.settings.delivery_headers {
            DeliveryHeaders::Plain => Vec::new(),
            DeliveryHeaders::Finagle => finagle(self.now, deadline, self.serial, retries),
        };
        let secret = self.secret_for(fault);
        let sign = |secret: &ConsumerSecret| Signature::of(secret, &body).to_string();
        let signature = signature.or_else(|| secret.as_ref().map(sign)).unwrap_or_default();
        let body = match fault {
            Some(Action::Corrupt) => corrupted(&body),
            Some(Action::Truncate) => body.slice(..body.len() / 2),
            _ => body,
        };
        let id = DeliveryId(self.next_serial());
        let lossy = fault == Some(Action::LoseAnswer);
        let wire = match fault {
            Some(Action::SlowBody { millis }) => {
                Wire::Slow(SignedDuration::from_millis(i64::try_from(millis).unwrap_or(i64::MAX)))
            }
            Some(Action::Reset) => Wire::Reset,
            _ => Wire::Whole,
        };
        self.deliveries.insert(id, InFlight { webhook, what, lossy });
        self.effects.push(Effect::Post(Post { id, uri, signature, headers, body, wire, deadline }));
    }

    /// How often a delivery was tried again, this time included.
    fn retries(&self, what: &What) -> usize {
        let What::Event(Attempted { entry, attempt, .. }) = what else {
            return 0;
        };
        let attempts = self.records.entry(*entry).map(|entry| entry.attempts.iter());
        let until_now = attempts.into_iter().flatten().take(attempt + 1);
        until_now.filter(|attempt| attempt.cause == Cause::Retry).count()
    }

    /// The secret that signs what is sent next.
    pub(in crate::world) fn secret_for(&self, fault: Option<Action>) -> Option<ConsumerSecret> {
        match fault {
            Some(Action::BadSignature) => "another-secret".parse().ok(),
            _ => self.secret.clone(),
        }
    }
}

/// What X's own machinery was seen to add in 2019.
fn finagle(
    now: Timestamp,
    deadline: SignedDuration,
    serial: u64,
    retries: usize,
) -> Vec<(&'static str, String)> {
    let until = now.saturating_add(deadline).unwrap_or(now);
    let trace = format!("{:016x}", serial.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let span = format!("{} {}", now.as_nanosecond(), until.as_nanosecond());
    vec![
        ("finagle-ctx-com.twitter.finagle.deadline", span),
        ("finagle-ctx-com.twitter.finagle.retries", retries.to_string()),
        ("finagle-http-retryable-request", String::new()),
        ("x-b3-flags", "2".to_owned()),
        ("x-b3-parentspanid", trace.clone()),
        ("x-b3-spanid", trace.clone()),
        ("x-b3-traceid", trace),
    ]
}

/// Changes one byte in the middle, so that the text stays text.
fn corrupted(body: &Bytes) -> Bytes {
    let mut bytes = body.to_vec();
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    Bytes::from(bytes)
}
