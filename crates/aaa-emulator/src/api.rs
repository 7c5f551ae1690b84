//! The REST calls of X, from request to answer: routes, credentials, limits, and X's own words
//! for every refusal. No socket and no clock.

mod answer;
mod auth;
mod route;

use aaa_types::{UserId, WebhookId, api::Failure};
use bytes::Bytes;
use http::request::Parts;
use jiff::Timestamp;
use serde::Deserialize;

pub(crate) use self::{
    answer::{Reply, outcome},
    auth::Gate,
    route::Route,
};
use self::{
    auth::Caller,
    route::{Access, NoRoute},
};
use crate::{
    credentials,
    world::{RateLimit, Refusal, Ticket, World},
};

/// How a call went.
pub(crate) enum Step {
    /// It is answered.
    Done(Reply),
    /// Its answer comes with this ticket.
    Wait(Route, Ticket),
}

/// Takes a call. `clocks` are those that a signature's timestamp may agree with.
pub(crate) fn handle(
    world: &mut World,
    gate: &mut Gate,
    parts: &Parts,
    body: &Bytes,
    now: Timestamp,
    clocks: &[Timestamp],
) -> (RateLimit, Step) {
    let anonymous = world.uncounted_call(now);
    let route = match Route::find(&parts.method, parts.uri.path()) {
        Ok(route) => route,
        Err(NoRoute::Path) => return (anonymous, Step::Done(answer::not_found())),
        Err(NoRoute::Method(allow)) => {
            return (anonymous, Step::Done(answer::method_not_allowed(allow)));
        }
    };
    let caller = match gate.admit(parts, clocks) {
        Ok(caller) => caller,
        Err(denied) => return (anonymous, Step::Done(answer::denied(denied))),
    };
    if let Some(reply) = forbidden(route.access(), caller) {
        return (anonymous, Step::Done(reply));
    }
    let limit = world.count_call(route.operation(), now);
    if limit.exceeded {
        return (limit, Step::Done(answer::too_many_requests()));
    }
    if let Some(status) = world.call_fault(route.operation(), now) {
        return (limit, Step::Done(answer::fault(status)));
    }
    let step = match perform(world, &route, caller, parts.uri.query(), body, now) {
        Ok(Done::Reply(reply)) => Step::Done(reply),
        Ok(Done::Later(ticket)) => Step::Wait(route, ticket),
        Err(refusal) => Step::Done(answer::refused(&refusal)),
    };
    (limit, step)
}

enum Done {
    Reply(Reply),
    Later(Ticket),
}

fn perform(
    world: &mut World,
    route: &Route,
    caller: Caller,
    query: Option<&str>,
    body: &[u8],
    now: Timestamp,
) -> Result<Done, Refusal> {
    // Calls of users were let in with a user only.
    let user = || caller.user().ok_or_else(|| Refusal::new(Failure::SubscriptionNotFound, ""));
    let reply = match route {
        Route::CreateWebhook => {
            let Ok(NewWebhook { url }) = serde_json::from_slice(body) else {
                return Ok(Done::Reply(answer::invalid("The body must be {\"url\":\"…\"}.")));
            };
            return world.register(&url, now).map(Done::Later);
        }
        Route::ListWebhooks => answer::webhooks(&world.webhooks(), query),
        Route::ValidateWebhook(id) => {
            return world.validate(webhook(id)?, now).map(Done::Later);
        }
        Route::DeleteWebhook(id) => {
            world.remove(webhook(id)?, now)?;
            answer::data(&serde_json::json!({"deleted": true}))
        }
        Route::Subscribe(id) => {
            world.subscribe(webhook(id)?, user()?, now)?;
            answer::subscribed(true)
        }
        Route::CheckSubscription(id) => {
            answer::subscribed(world.is_subscribed(webhook(id)?, user()?)?)
        }
        Route::ListSubscriptions(id) => {
            let id = webhook(id)?;
            answer::subscriptions(id, &world.subscription_list(id)?)
        }
        Route::Unsubscribe(id, user) => {
            let id = webhook(id)?;
            world.subscription_list(id)?;
            let missing = |_| Refusal::new(Failure::SubscriptionNotFound, "");
            world.unsubscribe(id, user.parse().map_err(missing)?, now)?;
            answer::subscribed(false)
        }
        Route::CountSubscriptions => answer::count(&world.subscription_count()),
        Route::Replay => {
            let ask: NewReplay = serde_json::from_slice(body).map_err(|_| {
                let words = "The body must be {\"webhook_id\",\"from_date\",\"to_date\"}.";
                Refusal::new(Failure::QueryParamInvalid, words)
            })?;
            let id = webhook(&ask.webhook_id)?;
            return world.replay(id, &ask.from_date, &ask.to_date, now).map(Done::Later);
        }
        Route::ReplaySubscriptions(id) => {
            let id = webhook(id)?;
            let value = |name: &str| query_value(query, name).unwrap_or_default();
            let (from, to) = (value("from_date"), value("to_date"));
            return world.replay(id, &from, &to, now).map(Done::Later);
        }
    };
    Ok(Done::Reply(reply))
}

#[derive(Deserialize)]
struct NewWebhook {
    url: String,
}

#[derive(Deserialize)]
struct NewReplay {
    webhook_id: String,
    from_date: String,
    to_date: String,
}

fn webhook(id: &str) -> Result<WebhookId, Refusal> {
    id.parse().map_err(|_| Refusal::new(Failure::WebhookIdInvalid, ""))
}

fn query_value(query: Option<&str>, name: &str) -> Option<String> {
    let pairs = url::form_urlencoded::parse(query?.as_bytes());
    pairs.into_iter().find(|(n, _)| n == name).map(|(_, value)| value.into_owned())
}

/// Says whether a caller may make a call, and answers if not.
fn forbidden(access: Access, caller: Caller) -> Option<Reply> {
    let owner = |user: UserId| user.as_u64() == credentials::OWNER;
    match (access, caller) {
        (Access::App | Access::AppOrOwner, Caller::App)
        | (Access::User, Caller::OAuth1(_) | Caller::OAuth2(_)) => None,
        (Access::AppOrOwner, Caller::OAuth1(user)) if owner(user) => None,
        (Access::AppOrOwner, Caller::OAuth1(_)) => Some(answer::client_forbidden()),
        (access, caller) => Some(answer::unsupported_authentication(access, caller)),
    }
}

#[cfg(test)]
mod tests;
