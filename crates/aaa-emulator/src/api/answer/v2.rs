//! The forms of v2: `data` around what was asked for, a name before the words of a refusal, and
//! problems with a type.

use aaa_types::{
    WebhookId,
    api::{ReplayJob, Webhook},
};
use http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Forbidden, Reply, Success, query_value};
use crate::{
    api::{
        auth::Caller,
        route::{Access, Call},
    },
    credentials,
    settings::{Envelope, RefusalForm, ReplayAnswer, Settings, ValidationAnswer},
    world::{Refusal, SubscriptionList},
};

pub(super) fn success(
    call: &Call,
    success: &Success,
    query: Option<&str>,
    settings: &Settings,
) -> Reply {
    match success {
        Success::Registered(webhook) => {
            let webhook = webhook_json(webhook, x_time);
            match settings.registration_answer {
                Envelope::Data => data(&webhook),
                Envelope::Flat => Reply::json(StatusCode::OK, &webhook),
            }
        }
        Success::Webhooks(webhooks) => list(webhooks, query),
        Success::Validated(valid) => match settings.validation_answer {
            ValidationAnswer::Attempted => data(&json!({"attempted": true})),
            ValidationAnswer::Valid | ValidationAnswer::Triggered | ValidationAnswer::State => {
                data(&json!({"valid": valid}))
            }
        },
        Success::Deleted => data(&json!({"deleted": true})),
        Success::Subscribed => data(&json!({"subscribed": true})),
        Success::IsSubscribed(subscribed) => data(&json!({"subscribed": subscribed})),
        Success::Subscriptions(webhook, list) => data(&subscriptions_json(*webhook, list)),
        Success::Unsubscribed => data(&json!({"subscribed": false})),
        Success::Count(count) => data(&to_value(count)),
        Success::Replaying(job) => replay(call, job, settings.replay_answer),
        Success::Sent(sent) => {
            let body = json!({"data": {
                "dm_conversation_id": sent.conversation_id, "dm_event_id": sent.event_id,
            }});
            Reply::json(StatusCode::CREATED, &body)
        }
    }
}

/// A refusal with a name.
pub(super) fn refused(refusal: &Refusal, form: RefusalForm) -> Reply {
    use aaa_types::api::Failure::{
        DuplicateSubscriptionFailed, DuplicateUrlFailed, ReplayConflictError,
    };
    let mut reply = match form {
        RefusalForm::Message | RefusalForm::Conflict => invalid(&refusal.to_string()),
        RefusalForm::Title => {
            let error = json!({"title": refusal.name(), "message": refusal.words()});
            Reply::json(StatusCode::BAD_REQUEST, &json!({"errors": [error]}))
        }
    };
    let is_conflict = matches!(
        refusal.failure(),
        DuplicateSubscriptionFailed | DuplicateUrlFailed | ReplayConflictError
    );
    if form == RefusalForm::Conflict && is_conflict {
        reply.status = StatusCode::CONFLICT;
    }
    reply
}

/// A refusal: 400, with a name before the colon if it has one.
pub(super) fn invalid(message: &str) -> Reply {
    let body = json!({
        "errors": [{"message": message}],
        "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.",
        "type": "https://api.twitter.com/2/problems/invalid-request",
    });
    Reply::json(StatusCode::BAD_REQUEST, &body)
}

pub(super) fn forbidden(access: Access, why: Forbidden) -> Reply {
    let problem = |title: &str, kind: &str, detail: &str| {
        let body = json!({
            "title": title,
            "detail": detail,
            "type": format!("https://api.twitter.com/2/problems/{kind}"),
            "status": 403,
        });
        problem(StatusCode::FORBIDDEN, &body)
    };
    match why {
        Forbidden::Credentials(caller) => {
            let detail = format!(
                "Authenticating with {} is forbidden for this endpoint.  Supported authentication \
                 types are [{}].",
                used(caller),
                supported(access)
            );
            problem("Unsupported Authentication", "unsupported-authentication", &detail)
        }
        Forbidden::NotOwner => {
            problem("Client Forbidden", "client-forbidden", "This user does not own the app.")
        }
        Forbidden::ReadOnly => {
            let detail = "Your client app is not configured with the appropriate oauth1 app \
                          permissions for this endpoint.";
            problem("Forbidden", "oauth1-permissions", detail)
        }
        Forbidden::WithoutReplay | Forbidden::NotEnrolled => {
            let detail = "This app is not enrolled for what it asked for.";
            problem("Client Forbidden", "client-forbidden", detail)
        }
    }
}

/// What X says to a message that it does not send, whoever of the two is the reason.
pub(super) fn unsendable() -> Reply {
    let body = json!({
        "title": "Forbidden",
        "detail": "You do not have permission to DM one or more participants.",
        "type": "about:blank",
        "status": 403,
    });
    problem(StatusCode::FORBIDDEN, &body)
}

/// X's form without a type of its own.
pub(super) fn blank(status: StatusCode) -> Reply {
    let title = status.canonical_reason().unwrap_or("Error");
    let body = json!({
        "title": title, "type": "about:blank", "status": status.as_u16(), "detail": title,
    });
    problem(status, &body)
}

pub(super) fn webhook_json(webhook: &Webhook, time: impl Fn(Timestamp) -> String) -> Value {
    json!({
        "id": webhook.id.to_string(),
        "url": webhook.url.as_str(),
        "valid": webhook.valid,
        "created_at": webhook.created_at.map(time),
    })
}

pub(super) fn subscriptions_json(webhook: WebhookId, list: &SubscriptionList) -> Value {
    let users: Vec<_> =
        list.users.iter().map(|user| json!({"user_id": user.to_string()})).collect();
    json!({
        "application_id": credentials::APP_ID.to_string(),
        "webhook_id": webhook.to_string(),
        "webhook_url": list.url.as_str(),
        "subscriptions": users,
    })
}

pub(super) fn to_value<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// Wraps what was asked for.
fn data(value: &Value) -> Reply {
    Reply::json(StatusCode::OK, &json!({"data": value}))
}

fn problem(status: StatusCode, body: &Value) -> Reply {
    Reply::new(status, "application/problem+json", body.to_string())
}

fn list(webhooks: &[Webhook], query: Option<&str>) -> Reply {
    let fields = query_value(query, "webhook_config.fields");
    let is_wanted = |name: &str| {
        let fields = fields.as_deref().map(|fields| fields.split(',').any(|f| f == name));
        name == "id" || fields.unwrap_or(true)
    };
    let one = |webhook: &Webhook| match webhook_json(webhook, x_time) {
        Value::Object(all) => Value::Object(
            all.into_iter().filter(|(name, _)| is_wanted(name)).collect::<Map<_, _>>(),
        ),
        other => other,
    };
    let webhooks: Vec<_> = webhooks.iter().map(one).collect();
    let meta = json!({"result_count": webhooks.len()});
    Reply::json(StatusCode::OK, &json!({"data": webhooks, "meta": meta}))
}

fn replay(call: &Call, job: &ReplayJob, style: ReplayAnswer) -> Reply {
    let created_at = job.created_at.map(x_time);
    let job = json!({"job_id": job.job_id.to_string(), "created_at": created_at});
    let for_user_id = credentials::OWNER.to_string();
    let event = json!({"for_user_id": for_user_id, "replay_event": job});
    match (style, call) {
        (ReplayAnswer::Flat, _) => Reply::json(StatusCode::OK, &job),
        (ReplayAnswer::ReplayEvent, _) | (ReplayAnswer::OfRoute, Call::ReplaySubscriptions(_)) => {
            Reply::json(StatusCode::OK, &event)
        }
        (ReplayAnswer::Data | ReplayAnswer::OfRoute, _) => data(&job),
    }
}

fn used(caller: Caller) -> &'static str {
    match caller {
        Caller::App => "OAuth 2.0 Application-Only",
        Caller::OAuth1(_) => "OAuth 1.0a User Context",
        Caller::OAuth2(_) => "OAuth 2.0 User Context",
    }
}

fn supported(access: Access) -> &'static str {
    match access {
        Access::App => "OAuth 2.0 Application-Only",
        Access::AppOrOwner => "OAuth 1.0a User Context, OAuth 2.0 Application-Only",
        Access::Owner => "OAuth 1.0a User Context",
        Access::User => "OAuth 1.0a User Context, OAuth 2.0 User Context",
    }
}

/// Three digits of a second, always.
fn x_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
