use http::Method;

use crate::control::Operation;

/// A call of the API, with the identifiers of its path as they were sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    CreateWebhook,
    ListWebhooks,
    ValidateWebhook(String),
    DeleteWebhook(String),
    Subscribe(String),
    CheckSubscription(String),
    ListSubscriptions(String),
    Unsubscribe(String, String),
    CountSubscriptions,
    Replay,
    ReplaySubscriptions(String),
}

/// Who may make a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    App,
    AppOrOwner,
    User,
}

/// There is no such call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoRoute {
    Path,
    /// The path has other methods.
    Method(&'static str),
}

impl Route {
    /// Finds the call.
    pub(super) fn find(method: &Method, path: &str) -> Result<Self, NoRoute> {
        let segments: Vec<_> = path.split('/').skip(1).collect();
        let id = |id: &str| id.to_owned();
        let (get, post, put, delete) = (Method::GET, Method::POST, Method::PUT, Method::DELETE);
        let found = match segments.as_slice() {
            ["2", "webhooks"] if *method == post => Self::CreateWebhook,
            ["2", "webhooks"] if *method == get => Self::ListWebhooks,
            ["2", "webhooks"] => return Err(NoRoute::Method("GET, POST")),
            ["2", "webhooks", "replay"] if *method == post => Self::Replay,
            ["2", "webhooks", "replay"] => return Err(NoRoute::Method("POST")),
            ["2", "webhooks", hook] if *method == put => Self::ValidateWebhook(id(hook)),
            ["2", "webhooks", hook] if *method == delete => Self::DeleteWebhook(id(hook)),
            ["2", "webhooks", _] => return Err(NoRoute::Method("DELETE, PUT")),
            ["2", "account_activity", rest @ ..] => match rest {
                ["subscriptions", "count"] if *method == get => Self::CountSubscriptions,
                ["webhooks", hook, "subscriptions", "all"] if *method == post => {
                    Self::Subscribe(id(hook))
                }
                ["webhooks", hook, "subscriptions", "all"] if *method == get => {
                    Self::CheckSubscription(id(hook))
                }
                ["webhooks", hook, "subscriptions", "all", "list"] if *method == get => {
                    Self::ListSubscriptions(id(hook))
                }
                ["webhooks", hook, "subscriptions", user, "all"] if *method == delete => {
                    Self::Unsubscribe(id(hook), id(user))
                }
                ["replay", "webhooks", hook, "subscriptions", "all"] if *method == post => {
                    Self::ReplaySubscriptions(id(hook))
                }
                ["webhooks", _, "subscriptions", "all"] => {
                    return Err(NoRoute::Method("GET, POST"));
                }
                ["subscriptions", "count"] | ["webhooks", _, "subscriptions", "all", "list"] => {
                    return Err(NoRoute::Method("GET"));
                }
                ["webhooks", _, "subscriptions", _, "all"] => {
                    return Err(NoRoute::Method("DELETE"));
                }
                ["replay", "webhooks", _, "subscriptions", "all"] => {
                    return Err(NoRoute::Method("POST"));
                }
                _ => return Err(NoRoute::Path),
            },
            _ => return Err(NoRoute::Path),
        };
        Ok(found)
    }

    /// Returns who may make the call.
    pub(super) fn access(&self) -> Access {
        match self {
            Self::CreateWebhook | Self::ValidateWebhook(_) | Self::DeleteWebhook(_) => {
                Access::AppOrOwner
            }
            Self::Subscribe(_) | Self::CheckSubscription(_) => Access::User,
            _ => Access::App,
        }
    }

    /// Returns the name under which the call is counted.
    pub(super) fn operation(&self) -> Operation {
        match self {
            Self::CreateWebhook => Operation::CreateWebhook,
            Self::ListWebhooks => Operation::ListWebhooks,
            Self::ValidateWebhook(_) => Operation::ValidateWebhook,
            Self::DeleteWebhook(_) => Operation::DeleteWebhook,
            Self::Subscribe(_) => Operation::Subscribe,
            Self::CheckSubscription(_) => Operation::CheckSubscription,
            Self::ListSubscriptions(_) => Operation::ListSubscriptions,
            Self::Unsubscribe(..) => Operation::Unsubscribe,
            Self::CountSubscriptions => Operation::CountSubscriptions,
            Self::Replay | Self::ReplaySubscriptions(_) => Operation::CreateReplay,
        }
    }
}
