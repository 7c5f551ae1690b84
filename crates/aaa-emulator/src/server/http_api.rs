//! The REST calls of X.

use std::sync::Arc;

use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{Method, StatusCode};

use super::{outbound::Sent, shared::Shared};
use crate::{
    rest::{self, Called},
    world::Wire,
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
    // Somebody who polls is no reason to write a file anew; that they did is in the limits only.
    let changes = !matches!(parts.method, Method::GET | Method::HEAD);
    let request = http::Request::from_parts(parts, body);
    let ((called, settings), answer) = shared.visit_as(changes, |v| {
        let settings = v.world.settings().clone();
        let clocks = shared.clocks(&settings);
        let called = v.rest.call(v.world, request, v.now, &clocks);
        let ticket = match &called {
            Called::Waiting(pending) => Some(pending.ticket()),
            Called::Answered(_) => None,
        };
        ((called, settings), ticket)
    });
    let response = match (called, answer) {
        (Called::Answered(response), _) => Some(response),
        // The check behind it has a deadline, so this ends.
        (Called::Waiting(pending), Some(answer)) => {
            let outcome = answer.await.ok();
            outcome.map(|outcome| pending.answered(outcome, &settings, shared.now()))
        }
        (Called::Waiting(_), None) => None,
    };
    match response {
        // Not by axum's conversion of text, which would name a content type of its own.
        Some(response) => {
            let wire = rest::wire_of(&response);
            response.map(|body| match wire {
                Wire::Whole => Body::from(body),
                wire => Body::new(Sent::new(body, wire)),
            })
        }
        // Reset or stopped meanwhile.
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
