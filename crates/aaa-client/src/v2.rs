//! The calls of the v2 API, as pure functions.

use aaa_auth::UserCredential;
use aaa_types::{
    ReplayWindow, UserId, WebhookId, WebhookUrl,
    api::{
        ApiError, ReplayJob, SubscriptionCount, SubscriptionState, Subscriptions, Validation,
        Webhook,
    },
};
use http::Method;
use jiff::Timestamp;
use serde_json::json;

use crate::{ApiRequest, Auth, Operation, answer};

/// Registers a webhook. X challenges the URL before it answers.
pub fn create_webhook(url: &WebhookUrl) -> ApiRequest<'static, Webhook> {
    ApiRequest {
        operation: Operation::CreateWebhook,
        method: Method::POST,
        path: "/2/webhooks".to_owned(),
        query: Vec::new(),
        body: Some(json!({ "url": url })),
        auth: Auth::BearerOrOwner,
        understand: answer::json,
    }
}

/// Lists the app's webhooks.
pub fn list_webhooks() -> ApiRequest<'static, Vec<Webhook>> {
    ApiRequest {
        operation: Operation::ListWebhooks,
        method: Method::GET,
        path: "/2/webhooks".to_owned(),
        query: Vec::new(),
        body: None,
        auth: Auth::Bearer,
        understand: answer::webhooks,
    }
}

/// Has X challenge a webhook again, which also enables one that became invalid.
pub fn validate_webhook(id: WebhookId) -> ApiRequest<'static, Validation> {
    ApiRequest {
        operation: Operation::ValidateWebhook,
        method: Method::PUT,
        path: format!("/2/webhooks/{id}"),
        query: Vec::new(),
        body: None,
        auth: Auth::BearerOrOwner,
        understand: answer::validation,
    }
}

/// Deletes a webhook, and with it all its subscriptions.
pub fn delete_webhook(id: WebhookId) -> ApiRequest<'static, ()> {
    ApiRequest {
        operation: Operation::DeleteWebhook,
        method: Method::DELETE,
        path: format!("/2/webhooks/{id}"),
        query: Vec::new(),
        body: None,
        auth: Auth::BearerOrOwner,
        understand: answer::deleted,
    }
}

/// Subscribes the user whose credential this is.
pub fn create_subscription(
    webhook: WebhookId,
    user: &UserCredential,
) -> ApiRequest<'_, SubscriptionState> {
    ApiRequest {
        operation: Operation::CreateSubscription,
        method: Method::POST,
        path: format!("/2/account_activity/webhooks/{webhook}/subscriptions/all"),
        query: Vec::new(),
        // X's description wants an object, the guide sends nothing; this is taken by both.
        body: Some(json!({})),
        auth: Auth::User(user),
        understand: answer::subscribed,
    }
}

/// Asks whether the user whose credential this is, is subscribed.
pub fn check_subscription(
    webhook: WebhookId,
    user: &UserCredential,
) -> ApiRequest<'_, SubscriptionState> {
    ApiRequest {
        operation: Operation::CheckSubscription,
        method: Method::GET,
        path: format!("/2/account_activity/webhooks/{webhook}/subscriptions/all"),
        query: Vec::new(),
        body: None,
        auth: Auth::User(user),
        understand: answer::subscribed,
    }
}

/// Lists the users that are subscribed.
pub fn list_subscriptions(webhook: WebhookId) -> ApiRequest<'static, Subscriptions> {
    ApiRequest {
        operation: Operation::ListSubscriptions,
        method: Method::GET,
        path: format!("/2/account_activity/webhooks/{webhook}/subscriptions/all/list"),
        query: Vec::new(),
        body: None,
        auth: Auth::Bearer,
        understand: answer::json,
    }
}

/// Ends the subscription of a user.
pub fn remove_subscription(
    webhook: WebhookId,
    user: UserId,
) -> ApiRequest<'static, SubscriptionState> {
    ApiRequest {
        operation: Operation::RemoveSubscription,
        method: Method::DELETE,
        path: format!("/2/account_activity/webhooks/{webhook}/subscriptions/{user}/all"),
        query: Vec::new(),
        body: None,
        auth: Auth::Bearer,
        understand: answer::unsubscribed,
    }
}

/// Counts the subscriptions of the account.
pub fn count_subscriptions() -> ApiRequest<'static, SubscriptionCount> {
    ApiRequest {
        operation: Operation::CountSubscriptions,
        method: Method::GET,
        path: "/2/account_activity/subscriptions/count".to_owned(),
        query: Vec::new(),
        body: None,
        auth: Auth::Bearer,
        understand: answer::json,
    }
}

/// Has X deliver again what it delivered, or tried to, in the window.
pub fn create_replay(
    webhook: WebhookId,
    window: ReplayWindow,
    route: ReplayRoute,
) -> ApiRequest<'static, ReplayJob> {
    let dates =
        [("from_date", window.from_date().to_string()), ("to_date", window.to_date().to_string())];
    let (path, query, body) = match route {
        ReplayRoute::Webhooks => {
            let [(from, from_date), (to, to_date)] = dates;
            let body = json!({ "webhook_id": webhook, from: from_date, to: to_date });
            ("/2/webhooks/replay".to_owned(), Vec::new(), Some(body))
        }
        ReplayRoute::AccountActivity => {
            let path = format!("/2/account_activity/replay/webhooks/{webhook}/subscriptions/all");
            (path, dates.to_vec(), None)
        }
    };
    ApiRequest {
        operation: Operation::CreateReplay,
        method: Method::POST,
        path,
        query,
        body,
        auth: Auth::Bearer,
        understand: answer::json,
    }
}

/// Asks for the API's time. The cheapest call serves, and any answer to it: refusals have a
/// `Date` as well.
pub fn server_time() -> ApiRequest<'static, Timestamp> {
    ApiRequest {
        operation: Operation::ServerTime,
        method: Method::GET,
        path: "/2/webhooks".to_owned(),
        query: Vec::new(),
        body: None,
        auth: Auth::BearerIfAny,
        understand: answer::server_time,
    }
}

/// The two routes to a replay.
///
/// The guide documents the older one, which is deprecated and left out of the newest description
/// of the API; the newer one is the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ReplayRoute {
    /// `POST /2/webhooks/replay`. A [`Client`](crate::Client) takes the other one when the API
    /// does not know this one.
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
        (self == Self::Webhooks && route_is_missing).then_some(Self::AccountActivity)
    }
}

#[cfg(test)]
mod tests;
