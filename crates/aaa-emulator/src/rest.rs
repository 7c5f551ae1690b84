//! The REST calls of X over a [`World`], from a whole HTTP request to its answer, without a socket.
//!
//! The shell answers with it, and so can whoever drives a world in one thread, on a time of their
//! own: requests and answers are then what a real client writes and reads.
//!
//! ```
//! use aaa_emulator::{rest::{Called, Rest}, settings::Settings, world::World};
//! use bytes::Bytes;
//!
//! let now = "2025-11-22T04:00:00Z".parse()?;
//! let mut world = World::new(Settings::default(), now);
//! let mut rest = Rest::new();
//! let request = http::Request::get("http://127.0.0.1:7878/2/webhooks")
//!     .header("authorization", "Bearer emulator-bearer")
//!     .body(Bytes::new())?;
//! let Called::Answered(answer) = rest.call(&mut world, request, now, &[now]) else {
//!     panic!("nothing to wait for")
//! };
//! assert_eq!(answer.status(), 200);
//! assert_eq!(answer.headers()["date"], "Sat, 22 Nov 2025 04:00:00 GMT");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, header};
use jiff::Timestamp;

use crate::{
    api::{self, Gate, Reply, Route, Step},
    settings::Settings,
    world::{Outcome, RateLimit, Ticket, Wire, World},
};

/// Takes calls, and remembers which nonces were used.
#[derive(Debug)]
pub struct Rest {
    gate: Gate,
}

/// Says how an answer is to go over its connection, where a planned fault wants it otherwise.
pub fn wire_of(answer: &Response<Bytes>) -> Wire {
    answer.extensions().get().copied().unwrap_or(Wire::Whole)
}

/// How a call went.
#[derive(Debug)]
pub enum Called {
    /// It is answered.
    Answered(Response<Bytes>),
    /// Its answer comes later.
    Waiting(Pending),
}

/// A call whose answer depends on what a webhook answers first.
#[derive(Debug)]
pub struct Pending {
    route: Route,
    ticket: Ticket,
    limit: RateLimit,
    wire: Wire,
}

impl Rest {
    /// Begins without any nonces.
    #[expect(clippy::new_without_default, reason = "there is no second way to begin")]
    pub fn new() -> Self {
        Self { gate: Gate::new() }
    }

    /// Takes a call. An OAuth 1.0a timestamp may agree with any of the `clocks`; the host that was
    /// signed is that of the URI where there is no `Host`.
    pub fn call(
        &mut self,
        world: &mut World,
        request: Request<Bytes>,
        now: Timestamp,
        clocks: &[Timestamp],
    ) -> Called {
        let (mut parts, body) = request.into_parts();
        if let Some(host) = parts.uri.authority()
            && let Ok(host) = HeaderValue::from_str(host.as_str())
        {
            parts.headers.entry(header::HOST).or_insert(host);
        }
        match api::handle(world, &mut self.gate, &parts, &body, now, clocks) {
            (limit, Step::Done(reply)) => Called::Answered(response(reply, limit, now)),
            (limit, Step::Wait(route, ticket, wire)) => {
                Called::Waiting(Pending { route, ticket, limit, wire })
            }
        }
    }
}

impl Pending {
    /// Returns the ticket that the [`Effect::Answer`](crate::world::Effect::Answer) to this call
    /// has.
    pub fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Answers with what became of it.
    pub fn answered(
        self,
        outcome: Outcome,
        settings: &Settings,
        now: Timestamp,
    ) -> Response<Bytes> {
        let mut reply = api::outcome(&self.route, outcome, settings);
        reply.wire = self.wire;
        response(reply, self.limit, now)
    }
}

fn response(reply: Reply, limit: RateLimit, now: Timestamp) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(reply.body));
    if reply.wire != Wire::Whole {
        response.extensions_mut().insert(reply.wire);
    }
    *response.status_mut() = reply.status;
    response.headers_mut().extend(reply.headers);
    add_date(&mut response, now);
    add_rate_limit(&mut response, limit);
    response
}

/// Adds the clock of whoever answers.
pub(crate) fn add_date<B>(response: &mut Response<B>, now: Timestamp) {
    if let Ok(date) = HeaderValue::from_str(&http_date(now)) {
        response.headers_mut().insert(header::DATE, date);
    }
}

/// Adds the three headers that say where the caller stands.
pub(crate) fn add_rate_limit<B>(response: &mut Response<B>, limit: RateLimit) {
    let headers = response.headers_mut();
    for (name, value) in [
        ("x-rate-limit-limit", i64::from(limit.limit)),
        ("x-rate-limit-remaining", i64::from(limit.remaining)),
        ("x-rate-limit-reset", limit.reset.as_second()),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
    }
}

/// The format of `Date`.
fn http_date(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use aaa_webhook::crc::CrcToken;

    use super::*;
    use crate::{
        credentials,
        world::{Answer, Effect},
    };

    #[test]
    fn date() {
        let time = "2025-11-02T04:05:06.789Z".parse().unwrap();
        assert_eq!(http_date(time), "Sun, 02 Nov 2025 04:05:06 GMT");
    }

    #[test]
    fn a_call_that_waits_is_answered_after_the_check() {
        let now = "2025-11-22T04:00:00Z".parse().unwrap();
        let mut world = World::new(Settings::default(), now);
        let mut rest = Rest::new();
        let request = Request::post("http://127.0.0.1:7878/2/webhooks")
            .header("authorization", "Bearer emulator-bearer")
            .body(Bytes::from(r#"{"url":"http://127.0.0.1:8080/hook"}"#))
            .unwrap();
        let Called::Waiting(pending) = rest.call(&mut world, request, now, &[now]) else {
            panic!("answered before the check");
        };
        let Some(Effect::Check(check)) = world.take_effects().pop() else { panic!("no check") };
        let token = CrcToken::from_query(check.uri.split_once('?').unwrap().1).unwrap();
        let body = token.answer(&credentials::CONSUMER_SECRET.parse().unwrap());
        world.check_ended(check.id, Ok(Answer::new(200, body)), now);
        let Some(Effect::Answer(ticket, outcome)) = world.take_effects().pop() else {
            panic!("no answer");
        };
        assert_eq!(ticket, pending.ticket());
        let answer = pending.answered(outcome, world.settings(), now);
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["x-rate-limit-remaining"], "449");
        let body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(body["data"]["url"], "http://127.0.0.1:8080/hook");
    }
}
