//! One call: its attempts, and the pauses between them.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use jiff::Timestamp;
use tracing::{Instrument, Span, field::Empty};

use crate::{
    Client, ClientError, FailedAttempt, NotSent, Operation, RateLimit, RetryDecision, Transport,
    Wait,
    edge::{self, Stopwatch},
    rate_limit::{RateLimits, is_far, settle_retry_after},
};

/// What is the same in every attempt.
pub(crate) struct Call<'a> {
    pub(crate) operation: Operation,
    pub(crate) method: &'a Method,
    pub(crate) path: &'static str,
    pub(crate) repeatable: bool,
    /// Whether it bears a signature, and so a time.
    pub(crate) signed: bool,
    /// The limits of the user who makes it.
    pub(crate) own: Option<&'a RateLimits>,
}

impl<T: Transport> Client<T> {
    /// Makes a call until it succeeds or the policy gives up. Every attempt is a new request, with
    /// a nonce of its own.
    pub(crate) async fn perform<A, U>(
        &self,
        call: &Call<'_>,
        prepare: impl Fn(&str, Timestamp) -> Result<(Request<Bytes>, U), ClientError> + Sync,
    ) -> Result<A, ClientError>
    where
        U: FnOnce(&Response<Bytes>) -> Result<A, ClientError>,
    {
        let (mut attempt, mut waited) = (1, Duration::ZERO);
        loop {
            let span = tracing::debug_span!(
                "call",
                operation = ?call.operation,
                method = %call.method,
                path = call.path,
                attempt,
                status = Empty,
                elapsed_ms = Empty,
            );
            let time = self.inner.clock.signing_time(edge::now());
            let attempted =
                self.attempt(call, &prepare, time, &span).instrument(span.clone()).await;
            drop(span);
            let error = match attempted {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let now = edge::now();
            if self.was_mistimed(call, attempt, &error, time, now) {
                let Some(pause) = self.inner.transport.pause(Duration::ZERO) else {
                    return Err(error);
                };
                tracing::debug!(operation = ?call.operation, "the call is signed anew: the clock was wrong");
                pause.await;
                attempt += 1;
                continue;
            }
            let failed = FailedAttempt::of(&error, call.repeatable, self.inner.clock.at(now));
            let decision = self.retry().decide(attempt, &failed, waited, edge::random());
            let RetryDecision::Retry { after } = decision else { return Err(error) };
            let Some(pause) = self.inner.transport.pause(after) else { return Err(error) };
            self.announce(Wait {
                operation: call.operation,
                attempt,
                after,
                until: now.saturating_add(after).unwrap_or(now),
                error: Some(&error),
            });
            pause.await;
            waited = waited.saturating_add(after);
            attempt += 1;
        }
    }

    /// Says whether a signature was refused whose time was wrong, as the answer's `Date` tells.
    /// X's words do not tell it reliably. A call that was refused so was not carried out, and the
    /// next signature bears another time, so this happens once.
    fn was_mistimed(
        &self,
        call: &Call<'_>,
        attempt: u32,
        error: &ClientError,
        signed: Timestamp,
        now: Timestamp,
    ) -> bool {
        let is_refused = error.api().is_some_and(|api| api.status() == 401);
        call.signed
            && is_refused
            && self.retry().allows_another(attempt)
            && is_far(self.inner.clock.signing_time(now), signed)
    }

    /// Says whether the last answer left no call until its reset.
    pub(crate) fn is_exhausted(&self, operation: Operation) -> bool {
        let limit = self.rate_limit(operation);
        limit.is_some_and(|limit| limit.is_exhausted(self.inner.clock.at(edge::now())))
    }

    /// Waits until the reset, if it is known and the policy waits so long.
    pub(crate) async fn wait_for_reset(&self, operation: Operation) {
        let now = edge::now();
        let reset = self.rate_limit(operation).and_then(|limit| limit.reset);
        let wait = reset.map(|reset| reset.duration_since(self.inner.clock.at(now)));
        let Some(after) = wait.and_then(|wait| Duration::try_from(wait).ok()) else { return };
        if !self.retry().waits_for(after) {
            return;
        }
        let Some(pause) = self.inner.transport.pause(after) else { return };
        let until = now.saturating_add(after).unwrap_or(now);
        self.announce(Wait { operation, attempt: 0, after, until, error: None });
        pause.await;
    }

    async fn attempt<A, U>(
        &self,
        call: &Call<'_>,
        prepare: impl Fn(&str, Timestamp) -> Result<(Request<Bytes>, U), ClientError>,
        time: Timestamp,
        span: &Span,
    ) -> Result<A, ClientError>
    where
        U: FnOnce(&Response<Bytes>) -> Result<A, ClientError>,
    {
        let what = call.operation;
        let nonce =
            edge::nonce().ok_or(ClientError::NotSent { what, reason: NotSent::NoRandomness })?;
        let (http, understand) = prepare(&nonce, time)?;
        let url = http.uri().to_string();
        let watch = Stopwatch::start();
        let sent = self.inner.transport.send(http).await;
        span.record("elapsed_ms", u64::try_from(watch.elapsed().as_millis()).unwrap_or(u64::MAX));
        let mut answer = sent.map_err(|error| ClientError::Transport {
            what,
            method: call.method.clone(),
            url: url.split('?').next().unwrap_or_default().to_owned(),
            error,
        })?;
        span.record("status", answer.status().as_u16());
        let now = edge::now();
        self.inner.clock.note(answer.headers(), now);
        settle_retry_after(answer.headers_mut(), self.inner.clock.at(now));
        if let Some(limit) = RateLimit::from_headers(answer.headers()) {
            self.inner.rate_limits.note(what, limit);
            if let Some(own) = call.own {
                own.note(what, limit);
            }
        }
        understand(&answer)
    }

    fn announce(&self, wait: Wait<'_>) {
        tracing::debug!(
            operation = ?wait.operation,
            attempt = wait.attempt,
            wait_ms = u64::try_from(wait.after.as_millis()).unwrap_or(u64::MAX),
            rate_limit = wait.is_rate_limit(),
            "the call is made after a pause",
        );
        if let Some(on_wait) = &self.inner.on_wait {
            on_wait(&wait);
        }
    }
}
