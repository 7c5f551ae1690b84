//! The REST calls of X, from request to answer: routes, credentials, limits, and X's own words
//! for every refusal. No socket and no clock.

mod answer;
mod auth;
mod message;
mod oauth;
mod route;

use aaa_types::{UserId, WebhookId};
use bytes::Bytes;
use http::{Method, StatusCode, header, request::Parts};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use self::{
    answer::{Forbidden, Success},
    auth::Caller,
    route::{Access, Call, NoRoute},
};
pub(crate) use self::{
    answer::{Reply, outcome},
    auth::Gate,
    route::Route,
};
use crate::{
    control::Action,
    credentials,
    settings::{AppAccess, Generation},
    world::{RateLimit, Reason, Refusal, Ticket, Wire, World},
};

/// How a call went.
pub(crate) enum Step {
    /// It is answered.
    Done(Reply),
    /// Its answer comes with this ticket, and goes over the wire like this.
    Wait(Route, Ticket, Wire),
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
    if let Some((limit, reply)) = oauth::handle(world, gate, parts, body, now, clocks) {
        return (limit, Step::Done(reply));
    }
    let anonymous = world.uncounted_call(now);
    let path = parts.uri.path();
    let generation = route::generation_of(path);
    let route = match Route::find(&parts.method, path) {
        Ok(route) => route,
        Err(NoRoute::Path) => return (anonymous, Step::Done(answer::not_found(generation))),
        Err(NoRoute::Method(allow)) => {
            return (anonymous, Step::Done(answer::method_not_allowed(generation, &allow)));
        }
    };
    // v2 takes no form, so there is nothing in a body that could be signed.
    let form = if generation == Generation::V1_1 { form(parts, body) } else { Vec::new() };
    let caller = match gate.admit(world, parts, &form, clocks) {
        Ok(caller) => caller,
        Err(denied) => return (anonymous, Step::Done(answer::denied(generation, denied))),
    };
    if let Some(why) = forbidden(&route, caller, &parts.method, world.settings().access) {
        return (anonymous, Step::Done(answer::forbidden(&route, why)));
    }
    let limit = match (&route.call, generation) {
        (Call::ReplaySubscriptions(_), Generation::V2) => world.count_deprecated_replay(now),
        _ => world.count_call(route.operation(), generation, caller.user(), now),
    };
    if limit.exceeded {
        return (limit, Step::Done(answer::too_many_requests(generation)));
    }
    let wire = match world.call_fault(route.operation(), caller.user(), now) {
        Some(Action::Respond { status, form }) => {
            return (limit, Step::Done(answer::injected(generation, status, form)));
        }
        Some(Action::Reset) => {
            return (limit, Step::Done(Reply::empty(StatusCode::OK).over(Wire::Reset)));
        }
        fault => wire(fault),
    };
    let query = parts.uri.query();
    let step = match perform(world, &route, caller, &Asked { query, form, body }, now) {
        Ok(Done::Success(success)) => {
            Step::Done(answer::success(&route, &success, query, world.settings()).over(wire))
        }
        Ok(Done::Later(ticket)) => Step::Wait(route, ticket, wire),
        Ok(Done::Invalid(words)) => Step::Done(answer::invalid(&words).over(wire)),
        Ok(Done::Unsendable) => Step::Done(answer::unsendable().over(wire)),
        Err(refusal) => {
            Step::Done(answer::refused(generation, &refusal, world.settings()).over(wire))
        }
    };
    (limit, step)
}

/// How the answer goes over the wire of a call that was carried out.
fn wire(fault: Option<Action>) -> Wire {
    match fault {
        Some(Action::LoseAnswer) => Wire::Reset,
        Some(Action::SlowBody { millis }) => {
            Wire::Slow(SignedDuration::from_millis(i64::try_from(millis).unwrap_or(i64::MAX)))
        }
        _ => Wire::Whole,
    }
}

enum Done {
    Success(Success),
    Later(Ticket),
    /// The body cannot be read.
    Invalid(String),
    /// It cannot be sent.
    Unsendable,
}

/// What a call says, besides its path.
struct Asked<'a> {
    query: Option<&'a str>,
    form: Vec<(String, String)>,
    body: &'a [u8],
}

fn perform(
    world: &mut World,
    route: &Route,
    caller: Caller,
    asked: &Asked<'_>,
    now: Timestamp,
) -> Result<Done, Refusal> {
    let generation = route.generation;
    // Calls of users were let in with a user only.
    let user = || caller.user().ok_or(Reason::NotSubscribed);
    let success = match &route.call {
        Call::CreateWebhook => {
            let url = match generation {
                Generation::V1_1 => asked.parameter("url").ok_or(Reason::Missing("url"))?,
                Generation::V2 => match serde_json::from_slice(asked.body) {
                    Ok(NewWebhook { url }) => url,
                    Err(_) => {
                        let words = "The body must be {\"url\":\"…\"}.".to_owned();
                        return Ok(Done::Invalid(words));
                    }
                },
            };
            return world.register(&url, generation, now).map(Done::Later);
        }
        Call::ListWebhooks => Success::Webhooks(world.webhooks()),
        Call::ValidateWebhook(id) => {
            return world.validate(webhook(id)?, generation, now).map(Done::Later);
        }
        Call::DeleteWebhook(id) => {
            world.remove(webhook(id)?, now)?;
            Success::Deleted
        }
        Call::Subscribe(id) => {
            world.subscribe(webhook(id)?, user()?, now)?;
            Success::Subscribed
        }
        Call::CheckSubscription(id) => {
            Success::IsSubscribed(world.is_subscribed(webhook(id)?, user()?)?)
        }
        Call::ListSubscriptions(id) => {
            let id = webhook(id)?;
            Success::Subscriptions(id, world.subscription_list(id)?)
        }
        Call::Unsubscribe(id, user) => {
            let id = webhook(id)?;
            world.subscription_list(id)?;
            let is_none = |_| Reason::Id { name: "user_id", value: user.clone() };
            world.unsubscribe(id, user.parse().map_err(is_none)?, now)?;
            Success::Unsubscribed
        }
        Call::UnsubscribeSelf(id) => {
            world.unsubscribe(webhook(id)?, user()?, now)?;
            Success::Unsubscribed
        }
        Call::CountSubscriptions => Success::Count(world.subscription_count()),
        Call::Replay => {
            let ask: NewReplay = serde_json::from_slice(asked.body).map_err(|_| {
                Reason::Malformed("the body", "{\"webhook_id\",\"from_date\",\"to_date\"}")
            })?;
            let id = webhook(&ask.webhook_id)?;
            let ticket = world.replay(id, &ask.from_date, &ask.to_date, generation, now);
            return ticket.map(Done::Later);
        }
        Call::ReplaySubscriptions(id) => {
            let id = webhook(id)?;
            let value = |name| asked.parameter(name).unwrap_or_default();
            let (from, to) = (value("from_date"), value("to_date"));
            let ticket = world.replay_subscriptions(id, &from, &to, generation, now);
            return ticket.map(Done::Later);
        }
        Call::SendMessage(recipient) => {
            let Ok(recipient) = recipient.parse() else {
                let words = "The `participant_id` path parameter value is not valid.";
                return Ok(Done::Invalid(words.to_owned()));
            };
            let message = match message::parse(user()?, recipient, asked.body) {
                Ok(message) => message,
                Err(words) => return Ok(Done::Invalid(words)),
            };
            match world.send_message(&message, now) {
                Ok(sent) => Success::Sent(sent),
                Err(_) => return Ok(Done::Unsendable),
            }
        }
    };
    Ok(Done::Success(success))
}

impl Asked<'_> {
    /// Finds a parameter in the query, or in the form.
    fn parameter(&self, name: &str) -> Option<String> {
        let in_form = || self.form.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        query_value(self.query, name).or_else(in_form)
    }
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

fn webhook(id: &str) -> Result<WebhookId, Reason> {
    id.parse().map_err(|_| Reason::Id { name: "webhook_id", value: id.to_owned() })
}

fn query_value(query: Option<&str>, name: &str) -> Option<String> {
    let pairs = url::form_urlencoded::parse(query?.as_bytes());
    pairs.into_iter().find(|(n, _)| n == name).map(|(_, value)| value.into_owned())
}

/// Reads a body that says that it is a form.
fn form(parts: &Parts, body: &[u8]) -> Vec<(String, String)> {
    let media_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.and_then(|value| value.split(';').next()).unwrap_or_default();
    if media_type.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        url::form_urlencoded::parse(body).into_owned().collect()
    } else {
        Vec::new()
    }
}

/// Says whether a caller may make a call, and why not.
fn forbidden(
    route: &Route,
    caller: Caller,
    method: &Method,
    access: AppAccess,
) -> Option<Forbidden> {
    let is_replay = matches!(route.call, Call::Replay | Call::ReplaySubscriptions(_));
    let is_message = matches!(route.call, Call::SendMessage(_));
    match access {
        AppAccess::NotEnrolled if !is_message => return Some(Forbidden::NotEnrolled),
        AppAccess::WithoutReplay if is_replay => return Some(Forbidden::WithoutReplay),
        _ => {}
    }
    let is_owner = |user: UserId| user.as_u64() == credentials::OWNER;
    match (route.access(), caller) {
        (Access::App | Access::AppOrOwner, Caller::App) => {}
        (Access::User, Caller::OAuth1(_)) => {}
        (Access::User, Caller::OAuth2(_)) if route.generation == Generation::V2 => {}
        (Access::AppOrOwner | Access::Owner, Caller::OAuth1(user)) if is_owner(user) => {}
        (Access::AppOrOwner | Access::Owner, Caller::OAuth1(_)) => {
            return Some(Forbidden::NotOwner);
        }
        (_, caller) => return Some(Forbidden::Credentials(caller)),
    }
    let writes_for_user = !caller.is_app() && *method != Method::GET;
    (access == AppAccess::ReadOnly && writes_for_user).then_some(Forbidden::ReadOnly)
}

#[cfg(test)]
mod tests;
