//! The REST calls of X.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode};

use super::shared::Shared;
use crate::{
    api::{self, Reply, Step},
    world::RateLimit,
};

/// The largest body that is read.
const MAX_BODY: usize = 1024 * 1024;

/// Answers a call.
pub(super) async fn call(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = match axum::body::to_bytes(body, MAX_BODY).await {
        Ok(body) => body,
        Err(_) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
    };
    let (limit, step, answer, settings) = {
        let ((limit, step, settings), answer) = shared.visit_and_wait(|v| {
            let settings = v.world.settings().clone();
            let clocks = shared.clocks(&settings);
            let (limit, step) = api::handle(v.world, v.gate, &parts, &body, v.now, &clocks);
            let ticket = match &step {
                Step::Wait(_, ticket) => Some(*ticket),
                Step::Done(_) => None,
            };
            ((limit, step, settings), ticket)
        });
        (limit, step, answer, settings)
    };
    let reply = match (step, answer) {
        (Step::Done(reply), _) => Some(reply),
        // The check behind it has a deadline, so this ends.
        (Step::Wait(route, _), Some(answer)) => {
            let outcome = answer.await.ok();
            outcome.map(|outcome| api::outcome(&route, outcome, &settings))
        }
        (Step::Wait(..), None) => None,
    };
    let mut response = match reply {
        Some(reply) => response(reply),
        // Reset or stopped meanwhile.
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    };
    add_rate_limit(&mut response, limit);
    response
}

/// Adds the three headers that say where the caller stands.
pub(super) fn add_rate_limit(response: &mut Response, limit: RateLimit) {
    let headers = response.headers_mut();
    for (name, value) in [
        ("x-rate-limit-limit", i64::from(limit.limit)),
        ("x-rate-limit-remaining", i64::from(limit.remaining)),
        ("x-rate-limit-reset", limit.reset.as_second()),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
    }
}

fn response(reply: Reply) -> Response {
    // Not by axum's conversion of text, which would name a content type of its own.
    let mut response = Response::new(axum::body::Body::from(reply.body));
    *response.status_mut() = reply.status;
    response.headers_mut().extend(reply.headers);
    response
}
