//! The forms of v1.1: flat bodies, no body at all, and errors with a code
//! (<https://developer.x.com/en/docs/x-api/enterprise/account-activity-api/api-reference>).

use aaa_types::api::Webhook;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{COULD_NOT_AUTHENTICATE, Forbidden, Reply, Success, v2};
use crate::{api::route::Access, settings::UrlRefusal, world::Refusal};

pub(super) fn success(success: &Success) -> Reply {
    let ok = |body: &Value| Reply::json(StatusCode::OK, body);
    match success {
        Success::Registered(webhook) => ok(&webhook_json(webhook)),
        Success::Webhooks(webhooks) => ok(&webhooks.iter().map(webhook_json).collect()),
        Success::Validated(_)
        | Success::Deleted
        | Success::Subscribed
        | Success::IsSubscribed(true)
        | Success::Unsubscribed => Reply::empty(StatusCode::NO_CONTENT),
        // Of the first is documented only that it is an error; the second v1.1 does not have.
        Success::IsSubscribed(false) | Success::Sent(_) => fault(StatusCode::NOT_FOUND),
        Success::Subscriptions(webhook, list) => ok(&v2::subscriptions_json(*webhook, list)),
        Success::Count(count) => ok(&v2::to_value(count)),
        Success::Replaying(job) => {
            let created_at = job.created_at.map(x_time);
            let body = json!({"job_id": job.job_id.to_string(), "created_at": created_at});
            Reply::json(StatusCode::ACCEPTED, &body)
        }
    }
}

pub(super) fn refused(refusal: &Refusal, url_refusal: UrlRefusal) -> Reply {
    let coded = refusal.coded();
    let status = match url_refusal {
        UrlRefusal::BadRequest if coded.code == 214 => StatusCode::BAD_REQUEST,
        _ => StatusCode::from_u16(coded.status).unwrap_or(StatusCode::BAD_REQUEST),
    };
    Reply::coded(status, coded.code, &coded.message)
}

/// The first words are documented for replays, and taken for all calls of the app.
pub(super) fn forbidden(access: Access, why: Forbidden) -> Reply {
    let (unauthorized, forbidden) = (StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN);
    match (why, access) {
        (Forbidden::Credentials(_), Access::App) => Reply::coded(
            unauthorized,
            32,
            "Invalid authentication method. Please use application-only authentication.",
        ),
        (Forbidden::Credentials(caller), access) if caller.is_app() => match access {
            Access::User => Reply::coded(
                unauthorized,
                348,
                "Client application is not permitted to access this user's webhook subscriptions.",
            ),
            _ => Reply::coded(forbidden, 261, NO_WRITING),
        },
        (Forbidden::Credentials(_), _) => Reply::coded(unauthorized, 32, COULD_NOT_AUTHENTICATE),
        (Forbidden::NotOwner, _) => {
            Reply::coded(unauthorized, 99, "You don't have access to this resource.")
        }
        (Forbidden::ReadOnly, _) => Reply::coded(forbidden, 261, NO_WRITING),
        (Forbidden::WithoutReplay, _) => Reply::coded(
            forbidden,
            200,
            "Account Activity API enterprise account with replay is required. Please confirm you \
             have an enterprise account and replay is enabled.",
        ),
        (Forbidden::NotEnrolled, _) => {
            Reply::coded(unauthorized, 61, "Client is not permitted to request this method.")
        }
    }
}

pub(super) fn fault(status: StatusCode) -> Reply {
    let (code, message) = match status.as_u16() {
        401 => (32, COULD_NOT_AUTHENTICATE),
        403 => (99, "You don't have access to this resource."),
        404 | 405 => (34, "Sorry, that page does not exist."),
        429 => (88, "Too many requests. Please back off your API request rate."),
        503 => (67, "Twitter server error. Retry using an exponential backoff pattern."),
        _ => (0, "Internal server error."),
    };
    Reply::coded(status, code, message)
}

fn webhook_json(webhook: &Webhook) -> Value {
    v2::webhook_json(webhook, x_time)
}

/// Without a fraction of a second.
fn x_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

const NO_WRITING: &str = "Application cannot perform write actions.";
