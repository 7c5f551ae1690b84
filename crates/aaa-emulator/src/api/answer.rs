//! Answers, in X's own formats and words.

mod v1_1;
mod v2;

use aaa_types::{
    WebhookId,
    api::{ReplayJob, SubscriptionCount, Webhook},
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::{
    Route,
    auth::{Caller, Denied},
    query_value,
};
use crate::{
    control::ErrorForm,
    settings::{Generation, Settings},
    world::{Outcome, Refusal, SentMessage, SubscriptionList, Wire},
};

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: String,
    pub(crate) wire: Wire,
}

impl Reply {
    /// The same, over a wire on which something goes wrong.
    pub(super) fn over(mut self, wire: Wire) -> Self {
        self.wire = wire;
        self
    }

    pub(super) fn json(status: StatusCode, body: &Value) -> Self {
        Self::new(status, "application/json; charset=utf-8", body.to_string())
    }

    pub(super) fn new(status: StatusCode, content_type: &'static str, body: String) -> Self {
        let headers = vec![(header::CONTENT_TYPE, HeaderValue::from_static(content_type))];
        Self { status, headers, body, wire: Wire::Whole }
    }

    pub(super) fn empty(status: StatusCode) -> Self {
        Self { status, headers: Vec::new(), body: String::new(), wire: Wire::Whole }
    }

    /// The form of v1.1, which v2 uses too.
    pub(super) fn coded(status: StatusCode, code: u32, message: &str) -> Self {
        Self::json(status, &json!({"errors": [{"code": code, "message": message}]}))
    }
}

/// What was asked for.
pub(super) enum Success {
    Registered(Webhook),
    Webhooks(Vec<Webhook>),
    /// What `valid` says.
    Validated(bool),
    Deleted,
    Subscribed,
    /// Whether the user is.
    IsSubscribed(bool),
    Subscriptions(WebhookId, SubscriptionList),
    Unsubscribed,
    Count(SubscriptionCount),
    Replaying(ReplayJob),
    Sent(SentMessage),
}

/// Why a caller who is known may not make a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forbidden {
    /// The call takes other credentials.
    Credentials(Caller),
    /// The owner's signature is needed.
    NotOwner,
    /// Users gave permission to read only.
    ReadOnly,
    /// The app has no replays.
    WithoutReplay,
    /// The app has nothing.
    NotEnrolled,
}

/// Gives what was asked for.
pub(super) fn success(
    route: &Route,
    success: &Success,
    query: Option<&str>,
    settings: &Settings,
) -> Reply {
    match route.generation {
        Generation::V2 => v2::success(&route.call, success, query, settings),
        Generation::V1_1 => v1_1::success(success),
    }
}

/// Answers a call that had to wait.
pub(crate) fn outcome(route: &Route, outcome: Outcome, settings: &Settings) -> Reply {
    let result = match outcome {
        Outcome::Registered(result) => result.map(Success::Registered),
        Outcome::Validated(result) => result.map(Success::Validated),
        Outcome::Replaying(result) => result.map(Success::Replaying),
        Outcome::Settled | Outcome::Delivered(_) => return fault(route.generation, 500),
    };
    match result {
        Ok(given) => success(route, &given, None, settings),
        Err(refusal) => refused(route.generation, &refusal, settings),
    }
}

pub(super) fn refused(generation: Generation, refusal: &Refusal, settings: &Settings) -> Reply {
    match generation {
        Generation::V2 => v2::refused(refusal, settings.refusal_form),
        Generation::V1_1 => v1_1::refused(refusal, settings.url_refusal),
    }
}

/// A body that cannot be read; only v2 has bodies.
pub(super) fn invalid(message: &str) -> Reply {
    v2::invalid(message)
}

/// A direct message that reaches nobody.
pub(super) fn unsendable() -> Reply {
    v2::unsendable()
}

pub(super) fn denied(generation: Generation, denied: Denied) -> Reply {
    let status = StatusCode::UNAUTHORIZED;
    match (denied, generation) {
        (Denied::Unauthorized | Denied::Bearer, Generation::V2) => v2::blank(status),
        (Denied::Unauthorized, Generation::V1_1) | (Denied::Signature, _) => {
            Reply::coded(status, 32, COULD_NOT_AUTHENTICATE)
        }
        (Denied::Bearer, Generation::V1_1) | (Denied::Token, _) => {
            Reply::coded(status, 89, "Invalid or expired token.")
        }
        (Denied::Timestamp, _) => Reply::coded(status, 135, "Timestamp out of bounds."),
    }
}

pub(super) fn forbidden(route: &Route, why: Forbidden) -> Reply {
    match route.generation {
        Generation::V2 => v2::forbidden(route.access(), why),
        Generation::V1_1 => v1_1::forbidden(route.access(), why),
    }
}

pub(super) fn too_many_requests(generation: Generation) -> Reply {
    fault(generation, StatusCode::TOO_MANY_REQUESTS.as_u16())
}

pub(super) fn not_found(generation: Generation) -> Reply {
    fault(generation, StatusCode::NOT_FOUND.as_u16())
}

pub(super) fn method_not_allowed(generation: Generation, allow: &str) -> Reply {
    let mut reply = fault(generation, StatusCode::METHOD_NOT_ALLOWED.as_u16());
    let allow = HeaderValue::from_str(allow).ok();
    reply.headers.extend(allow.map(|allow| (header::ALLOW, allow)));
    reply
}

/// The form that X gives to a status.
pub(super) fn fault(generation: Generation, status: u16) -> Reply {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match generation {
        Generation::V2 if status == StatusCode::TOO_MANY_REQUESTS => {
            Reply::coded(status, 88, "Rate limit exceeded")
        }
        Generation::V2 => v2::blank(status),
        Generation::V1_1 => v1_1::fault(status),
    }
}

/// An error that a fault asked for.
pub(super) fn injected(generation: Generation, status: u16, form: Option<ErrorForm>) -> Reply {
    let Some(form) = form else {
        return fault(generation, status);
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let words = status.canonical_reason().unwrap_or("Error");
    match form {
        ErrorForm::Coded => v1_1::fault(status),
        ErrorForm::Invalid => {
            let mut reply = v2::invalid(words);
            reply.status = status;
            reply
        }
        ErrorForm::Problem => v2::blank(status),
        ErrorForm::Bare => Reply::json(status, &json!({"code": status.as_u16(), "message": words})),
        ErrorForm::Html => Reply::new(
            status,
            "text/html; charset=utf-8",
            format!("<html><head><title>{words}</title></head><body>{words}</body></html>"),
        ),
        ErrorForm::Empty => Reply::empty(status),
    }
}

const COULD_NOT_AUTHENTICATE: &str = "Could not authenticate you.";
