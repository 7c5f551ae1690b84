//! The calls of the v2 API, as pure functions.

use aaa_auth::UserCredential;
use aaa_types::{
    ReplayWindow, UserId, WebhookId, WebhookUrl,
    api::{
        ApiError, NewDirectMessage, ReplayJob, SentDirectMessage, SubscriptionCount,
        SubscriptionState, Subscriptions, Validation, Webhook,
    },
};
use http::Method;
use jiff::Timestamp;
use serde_json::json;

use crate::{ApiRequest, Auth, Operation, Page, answer};

const WEBHOOKS: &str = "/2/webhooks";
const WEBHOOK: &str = "/2/webhooks/{id}";
const SUBSCRIPTIONS: &str = "/2/account_activity/webhooks/{id}/subscriptions/all";

/// Registers a webhook. X challenges the URL before it answers.
pub fn create_webhook(url: &WebhookUrl) -> ApiRequest<'static, Webhook> {
    let operation = Operation::CreateWebhook;
    ApiRequest::new(operation, Method::POST, WEBHOOKS, Auth::BearerOrOwner, answer::json)
        .registers(url)
        .with_body(json!({ "url": url }))
}

/// Lists the app's webhooks: the first page, which is the only one today.
pub fn list_webhooks() -> ApiRequest<'static, Page<Vec<Webhook>>> {
    let operation = Operation::ListWebhooks;
    ApiRequest::new(operation, Method::GET, WEBHOOKS, Auth::Bearer, answer::webhooks)
}

/// Has X challenge a webhook again, which also enables one that became invalid.
pub fn validate_webhook(id: WebhookId) -> ApiRequest<'static, Validation> {
    let operation = Operation::ValidateWebhook;
    ApiRequest::new(operation, Method::PUT, WEBHOOK, Auth::BearerOrOwner, answer::validation)
        .with("{id}", id)
}

/// Deletes a webhook, and with it all its subscriptions.
pub fn delete_webhook(id: WebhookId) -> ApiRequest<'static, ()> {
    let operation = Operation::DeleteWebhook;
    ApiRequest::new(operation, Method::DELETE, WEBHOOK, Auth::BearerOrOwner, answer::deleted)
        .with("{id}", id)
}

/// Subscribes the user whose credential this is.
pub fn create_subscription(
    webhook: WebhookId,
    user: &UserCredential,
) -> ApiRequest<'_, SubscriptionState> {
    let operation = Operation::CreateSubscription;
    ApiRequest::new(operation, Method::POST, SUBSCRIPTIONS, Auth::User(user), answer::subscribed)
        .with("{id}", webhook)
        // X's description wants an object, the guide sends nothing; this is taken by both.
        .with_body(json!({}))
}

/// Asks whether the user whose credential this is, is subscribed.
pub fn check_subscription(
    webhook: WebhookId,
    user: &UserCredential,
) -> ApiRequest<'_, SubscriptionState> {
    let operation = Operation::CheckSubscription;
    ApiRequest::new(operation, Method::GET, SUBSCRIPTIONS, Auth::User(user), answer::checked)
        .with("{id}", webhook)
}

/// Lists the users that are subscribed: the first page, which is the only one today.
pub fn list_subscriptions(webhook: WebhookId) -> ApiRequest<'static, Page<Subscriptions>> {
    let operation = Operation::ListSubscriptions;
    let path = "/2/account_activity/webhooks/{id}/subscriptions/all/list";
    ApiRequest::new(operation, Method::GET, path, Auth::Bearer, answer::subscriptions)
        .with("{id}", webhook)
}

/// Ends the subscription of a user.
pub fn remove_subscription(
    webhook: WebhookId,
    user: UserId,
) -> ApiRequest<'static, SubscriptionState> {
    let operation = Operation::RemoveSubscription;
    let path = "/2/account_activity/webhooks/{id}/subscriptions/{user_id}/all";
    ApiRequest::new(operation, Method::DELETE, path, Auth::Bearer, answer::unsubscribed)
        .with("{id}", webhook)
        .with("{user_id}", user)
}

/// Counts the subscriptions of the account.
pub fn count_subscriptions() -> ApiRequest<'static, SubscriptionCount> {
    let operation = Operation::CountSubscriptions;
    let path = "/2/account_activity/subscriptions/count";
    ApiRequest::new(operation, Method::GET, path, Auth::Bearer, answer::json)
}

/// Has X deliver again what it delivered, or tried to, in the window.
pub fn create_replay(
    webhook: WebhookId,
    window: ReplayWindow,
    route: ReplayRoute,
) -> ApiRequest<'static, ReplayJob> {
    let path = match route {
        ReplayRoute::Webhooks => "/2/webhooks/replay",
        ReplayRoute::AccountActivity => {
            "/2/account_activity/replay/webhooks/{id}/subscriptions/all"
        }
    };
    let (from, to) = (window.from_date().to_string(), window.to_date().to_string());
    let operation = Operation::CreateReplay;
    let call = ApiRequest::new(operation, Method::POST, path, Auth::Bearer, answer::json);
    match route {
        ReplayRoute::Webhooks => {
            call.with_body(json!({ "webhook_id": webhook, "from_date": from, "to_date": to }))
        }
        ReplayRoute::AccountActivity => {
            call.with("{id}", webhook).with_query("from_date", from).with_query("to_date", to)
        }
    }
}

/// Sends a direct message from the user whose credential this is.
///
/// It comes back through the webhooks of both users, as far as they are subscribed.
pub fn send_direct_message<'a>(
    recipient: UserId,
    message: &NewDirectMessage,
    sender: &'a UserCredential,
) -> ApiRequest<'a, SentDirectMessage> {
    let (operation, auth) = (Operation::SendDirectMessage, Auth::User(sender));
    let path = "/2/dm_conversations/with/{participant_id}/messages";
    ApiRequest::new(operation, Method::POST, path, auth, answer::json)
        .with("{participant_id}", recipient)
        .with_body(json!(message))
}

/// Asks for the API's time. The cheapest call serves, and any answer to it: refusals have a
/// `Date` as well.
pub fn server_time() -> ApiRequest<'static, Timestamp> {
    let operation = Operation::ServerTime;
    ApiRequest::new(operation, Method::GET, WEBHOOKS, Auth::BearerIfAny, answer::server_time)
}

/// The two routes to a replay.
///
/// The guide documents the older one, which is deprecated and left out of the newest description
/// of the API; the newer one is the default. A [`Client`](crate::Client) takes the other one when
/// the API does not know the one that was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ReplayRoute {
    /// `POST /2/webhooks/replay`.
    #[default]
    Webhooks,
    /// `POST /2/account_activity/replay/webhooks/{id}/subscriptions/all`.
    AccountActivity,
}

impl ReplayRoute {
    /// Returns the route to try when this one was refused so.
    ///
    /// Only a 404 that is about the route itself counts, not one about the webhook. Were it
    /// mistaken, nothing would be lost: a 404 created no job.
    pub fn fallback(self, refusal: &ApiError) -> Option<Self> {
        let route_is_missing = refusal.status() == 404 && refusal.is_missing_page();
        route_is_missing.then_some(match self {
            Self::Webhooks => Self::AccountActivity,
            Self::AccountActivity => Self::Webhooks,
        })
    }
}

#[cfg(test)]
mod tests;
