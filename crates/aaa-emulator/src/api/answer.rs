//! Answers, in X's own formats and words.

use aaa_types::{
    WebhookId,
    api::{ReplayJob, SubscriptionCount, Webhook},
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    Route,
    auth::{Caller, Denied},
    query_value,
    route::Access,
};
use crate::{
    credentials,
    settings::{Envelope, ReplayAnswer, Settings, ValidationAnswer},
    world::{Outcome, Refusal, SubscriptionList},
};

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) content_type: HeaderValue,
    pub(crate) header: Option<(HeaderName, HeaderValue)>,
    pub(crate) body: Value,
}

impl Reply {
    fn new(status: StatusCode, body: Value) -> Self {
        let content_type = HeaderValue::from_static("application/json; charset=utf-8");
        Self { status, content_type, header: None, body }
    }

    fn problem(status: StatusCode, body: Value) -> Self {
        let content_type = HeaderValue::from_static("application/problem+json");
        Self { content_type, ..Self::new(status, body) }
    }

    /// X's form without a type of its own.
    fn blank(status: StatusCode) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        let body = json!({
            "title": title, "type": "about:blank", "status": status.as_u16(), "detail": title,
        });
        Self::problem(status, body)
    }

    /// The form of v1.1, which v2 uses too.
    fn coded(status: StatusCode, code: u32, message: &str) -> Self {
        Self::new(status, json!({"errors": [{"code": code, "message": message}]}))
    }
}

/// Answers a call that had to wait.
pub(crate) fn outcome(route: &Route, outcome: Outcome, settings: &Settings) -> Reply {
    match outcome {
        Outcome::Registered(Ok(webhook)) => {
            let webhook = webhook_json(&webhook);
            match settings.registration_answer {
                Envelope::Data => data(&webhook),
                Envelope::Flat => Reply::new(StatusCode::OK, webhook),
            }
        }
        Outcome::Validated(Ok(_)) => match settings.validation_answer {
            ValidationAnswer::Valid => data(&json!({"valid": true})),
            ValidationAnswer::Attempted => data(&json!({"attempted": true})),
        },
        Outcome::Replaying(Ok(job)) => replay(route, &job, settings.replay_answer),
        Outcome::Registered(Err(refusal))
        | Outcome::Validated(Err(refusal))
        | Outcome::Replaying(Err(refusal)) => refused(&refusal),
        Outcome::Settled | Outcome::Delivered(_) => Reply::blank(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// Wraps what was asked for.
pub(super) fn data(value: &Value) -> Reply {
    Reply::new(StatusCode::OK, json!({"data": value}))
}

pub(super) fn webhooks(webhooks: &[Webhook], query: Option<&str>) -> Reply {
    let fields = query_value(query, "webhook_config.fields");
    let is_wanted = |name: &str| {
        let fields = fields.as_deref().map(|fields| fields.split(',').any(|f| f == name));
        name == "id" || fields.unwrap_or(true)
    };
    let one = |webhook: &Webhook| match webhook_json(webhook) {
        Value::Object(all) => Value::Object(
            all.into_iter().filter(|(name, _)| is_wanted(name)).collect::<Map<_, _>>(),
        ),
        other => other,
    };
    let webhooks: Vec<_> = webhooks.iter().map(one).collect();
    let meta = json!({"result_count": webhooks.len()});
    Reply::new(StatusCode::OK, json!({"data": webhooks, "meta": meta}))
}

pub(super) fn subscribed(subscribed: bool) -> Reply {
    data(&json!({"subscribed": subscribed}))
}

pub(super) fn subscriptions(webhook: WebhookId, list: &SubscriptionList) -> Reply {
    let users: Vec<_> =
        list.users.iter().map(|user| json!({"user_id": user.to_string()})).collect();
    data(&json!({
        "application_id": credentials::APP_ID.to_string(),
        "webhook_id": webhook.to_string(),
        "webhook_url": list.url.as_str(),
        "subscriptions": users,
    }))
}

pub(super) fn count(count: &SubscriptionCount) -> Reply {
    data(&to_value(count))
}

/// A refusal with a name: 400, the name before the colon.
pub(super) fn refused(refusal: &Refusal) -> Reply {
    invalid(&refusal.to_string())
}

/// A refusal without a name.
pub(super) fn invalid(message: &str) -> Reply {
    let body = json!({
        "errors": [{"message": message}],
        "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.",
        "type": "https://api.twitter.com/2/problems/invalid-request",
    });
    Reply::new(StatusCode::BAD_REQUEST, body)
}

pub(super) fn denied(denied: Denied) -> Reply {
    let status = StatusCode::UNAUTHORIZED;
    match denied {
        Denied::Unauthorized => Reply::blank(status),
        Denied::Signature => Reply::coded(status, 32, "Could not authenticate you."),
        Denied::Token => Reply::coded(status, 89, "Invalid or expired token."),
        Denied::Timestamp => Reply::coded(status, 135, "Timestamp out of bounds."),
    }
}

pub(super) fn unsupported_authentication(access: Access, caller: Caller) -> Reply {
    let used = match caller {
        Caller::App => "OAuth 2.0 Application-Only",
        Caller::OAuth1(_) => "OAuth 1.0a User Context",
        Caller::OAuth2(_) => "OAuth 2.0 User Context",
    };
    let supported = match access {
        Access::App => "OAuth 2.0 Application-Only",
        Access::AppOrOwner => "OAuth 1.0a User Context, OAuth 2.0 Application-Only",
        Access::User => "OAuth 1.0a User Context, OAuth 2.0 User Context",
    };
    let body = json!({
        "title": "Unsupported Authentication",
        "detail": format!(
            "Authenticating with {used} is forbidden for this endpoint.  Supported \
             authentication types are [{supported}]."
        ),
        "type": "https://api.twitter.com/2/problems/unsupported-authentication",
        "status": 403,
    });
    Reply::problem(StatusCode::FORBIDDEN, body)
}

/// A signature of a user who does not own the app, where the owner's is needed.
pub(super) fn client_forbidden() -> Reply {
    let body = json!({
        "title": "Client Forbidden",
        "detail": "This user does not own the app.",
        "type": "https://api.twitter.com/2/problems/client-forbidden",
        "status": 403,
    });
    Reply::problem(StatusCode::FORBIDDEN, body)
}

pub(super) fn too_many_requests() -> Reply {
    Reply::coded(StatusCode::TOO_MANY_REQUESTS, 88, "Rate limit exceeded")
}

pub(super) fn not_found() -> Reply {
    Reply::blank(StatusCode::NOT_FOUND)
}

pub(super) fn method_not_allowed(allow: &'static str) -> Reply {
    let header = Some((header::ALLOW, HeaderValue::from_static(allow)));
    Reply { header, ..Reply::blank(StatusCode::METHOD_NOT_ALLOWED) }
}

/// What a planned fault answers.
pub(super) fn fault(status: u16) -> Reply {
    match StatusCode::from_u16(status) {
        Ok(StatusCode::TOO_MANY_REQUESTS) => too_many_requests(),
        Ok(status) => Reply::blank(status),
        Err(_) => Reply::blank(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn replay(route: &Route, job: &ReplayJob, style: ReplayAnswer) -> Reply {
    let created_at = job.created_at.map(x_time);
    let job = json!({"job_id": job.job_id.to_string(), "created_at": created_at});
    let for_user_id = credentials::OWNER.to_string();
    let event = json!({"for_user_id": for_user_id, "replay_event": job});
    match (style, route) {
        (ReplayAnswer::Flat, _) => Reply::new(StatusCode::OK, job),
        (ReplayAnswer::ReplayEvent, _) | (ReplayAnswer::OfRoute, Route::ReplaySubscriptions(_)) => {
            Reply::new(StatusCode::OK, event)
        }
        (ReplayAnswer::Data | ReplayAnswer::OfRoute, _) => data(&job),
    }
}

fn webhook_json(webhook: &Webhook) -> Value {
    json!({
        "id": webhook.id.to_string(),
        "url": webhook.url.as_str(),
        "valid": webhook.valid,
        "created_at": webhook.created_at.map(x_time),
    })
}

/// X writes three digits of a second, always.
fn x_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

fn to_value<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
