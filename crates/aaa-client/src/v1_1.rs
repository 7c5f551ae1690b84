//! The calls of the v1.1 Enterprise API, as pure functions
//! (<https://docs.x.com/x-api/enterprise-gnip-2.0/fundamentals/account-activity>).
//!
//! Every path ends in `.json`, a success mostly has no body, and a user vouches with their OAuth
//! 1.0a token: there is no function that takes another.

use aaa_auth::UserToken;
use aaa_types::{
    ReplayWindow, UserId, WebhookId, WebhookUrl,
    api::{ReplayJob, SubscriptionCount, SubscriptionState, Subscriptions, Validation, Webhook},
};
use http::Method;
use jiff::Timestamp;

use crate::{ApiRequest, Auth, Operation, Page, answer};

const WEBHOOKS: &str = "/1.1/account_activity/webhooks.json";
const WEBHOOK: &str = "/1.1/account_activity/webhooks/{id}.json";
const SUBSCRIPTIONS: &str = "/1.1/account_activity/webhooks/{id}/subscriptions/all.json";

/// Registers a webhook. X challenges the URL before it answers.
///
/// The URL stands in the query: encoded once there, and once more where it is signed.
pub fn create_webhook(url: &WebhookUrl) -> ApiRequest<'static, Webhook> {
    let operation = Operation::CreateWebhook;
    ApiRequest::new(operation, Method::POST, WEBHOOKS, Auth::Owner, answer::json)
        .registers(url)
        .with_query("url", url.as_str())
}

/// Lists the app's webhooks.
pub fn list_webhooks() -> ApiRequest<'static, Page<Vec<Webhook>>> {
    let operation = Operation::ListWebhooks;
    ApiRequest::new(operation, Method::GET, WEBHOOKS, Auth::Bearer, answer::webhooks)
}

/// Has X challenge a webhook again, which also enables one that became invalid.
pub fn validate_webhook(id: WebhookId) -> ApiRequest<'static, Validation> {
    let operation = Operation::ValidateWebhook;
    ApiRequest::new(operation, Method::PUT, WEBHOOK, Auth::Owner, answer::validation)
        .with("{id}", id)
}

/// Deletes a webhook, and with it all its subscriptions.
pub fn delete_webhook(id: WebhookId) -> ApiRequest<'static, ()> {
    let operation = Operation::DeleteWebhook;
    ApiRequest::new(operation, Method::DELETE, WEBHOOK, Auth::Owner, answer::deleted)
        .with("{id}", id)
}

/// Subscribes the user whose token this is.
pub fn create_subscription(
    webhook: WebhookId,
    user: &UserToken,
) -> ApiRequest<'_, SubscriptionState> {
    let (operation, auth) = (Operation::CreateSubscription, Auth::UserToken(user));
    ApiRequest::new(operation, Method::POST, SUBSCRIPTIONS, auth, answer::subscribed)
        .with("{id}", webhook)
}

/// Asks whether the user whose token this is, is subscribed.
///
/// X answers an error when they are not. Only the one that says so counts as that answer (a 404 with
/// code 34 whose words are not about the webhook); every other one stays an error.
pub fn check_subscription(
    webhook: WebhookId,
    user: &UserToken,
) -> ApiRequest<'_, SubscriptionState> {
    let (operation, auth) = (Operation::CheckSubscription, Auth::UserToken(user));
    ApiRequest::new(operation, Method::GET, SUBSCRIPTIONS, auth, answer::checked_v1_1)
        .with("{id}", webhook)
}

/// Ends the subscription of the user whose token this is. X announced the end of this route in
/// 2020 and lists it still; [`remove_subscription`] is the way that stays.
pub fn end_subscription(webhook: WebhookId, user: &UserToken) -> ApiRequest<'_, SubscriptionState> {
    let (operation, auth) = (Operation::EndSubscription, Auth::UserToken(user));
    ApiRequest::new(operation, Method::DELETE, SUBSCRIPTIONS, auth, answer::unsubscribed)
        .with("{id}", webhook)
}

/// Lists the users that are subscribed.
pub fn list_subscriptions(webhook: WebhookId) -> ApiRequest<'static, Page<Subscriptions>> {
    let operation = Operation::ListSubscriptions;
    let path = "/1.1/account_activity/webhooks/{id}/subscriptions/all/list.json";
    ApiRequest::new(operation, Method::GET, path, Auth::Bearer, answer::subscriptions)
        .with("{id}", webhook)
}

/// Ends the subscription of a user.
pub fn remove_subscription(
    webhook: WebhookId,
    user: UserId,
) -> ApiRequest<'static, SubscriptionState> {
    let operation = Operation::RemoveSubscription;
    let path = "/1.1/account_activity/webhooks/{id}/subscriptions/{user_id}/all.json";
    ApiRequest::new(operation, Method::DELETE, path, Auth::Bearer, answer::unsubscribed)
        .with("{id}", webhook)
        .with("{user_id}", user)
}

/// Counts the subscriptions of the account.
pub fn count_subscriptions() -> ApiRequest<'static, SubscriptionCount> {
    let operation = Operation::CountSubscriptions;
    let path = "/1.1/account_activity/subscriptions/count.json";
    ApiRequest::new(operation, Method::GET, path, Auth::Bearer, answer::json)
}

/// Has X deliver again what it delivered, or tried to, in the window.
pub fn create_replay(webhook: WebhookId, window: ReplayWindow) -> ApiRequest<'static, ReplayJob> {
    let operation = Operation::CreateReplay;
    let path = "/1.1/account_activity/replay/webhooks/{id}/subscriptions/all.json";
    ApiRequest::new(operation, Method::POST, path, Auth::Bearer, answer::json)
        .with("{id}", webhook)
        .with_query("from_date", window.from_date().to_string())
        .with_query("to_date", window.to_date().to_string())
}

/// Asks for the API's time. Any answer serves; nobody vouches, since 15 calls in 15 minutes are
/// all that the app has.
pub fn server_time() -> ApiRequest<'static, Timestamp> {
    let operation = Operation::ServerTime;
    ApiRequest::new(operation, Method::GET, WEBHOOKS, Auth::Nobody, answer::server_time)
}

#[cfg(test)]
mod tests;
