use http::Method;

use crate::{control::Operation, settings::Generation};

/// A call of the API, with the identifiers of its path as they were sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) generation: Generation,
    pub(crate) call: Call,
}

/// What is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    CreateWebhook,
    ListWebhooks,
    ValidateWebhook(String),
    DeleteWebhook(String),
    Subscribe(String),
    CheckSubscription(String),
    ListSubscriptions(String),
    Unsubscribe(String, String),
    /// Only v1.1.
    UnsubscribeSelf(String),
    CountSubscriptions,
    /// Only v2.
    Replay,
    ReplaySubscriptions(String),
    /// Only v2, and no part of the product.
    SendMessage(String),
}

/// Who may make a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    App,
    AppOrOwner,
    Owner,
    User,
}

/// There is no such call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoRoute {
    Path,
    /// The path has other methods.
    Method(String),
}

impl Route {
    /// Finds the call.
    pub(super) fn find(method: &Method, path: &str) -> Result<Self, NoRoute> {
        let segments: Vec<_> = path.split('/').skip(1).collect();
        let (generation, call) = match segments.as_slice() {
            ["2", rest @ ..] => (Generation::V2, v2(method, rest)?),
            ["1.1", "account_activity", rest @ .., last] => {
                let last = last.strip_suffix(".json").ok_or(NoRoute::Path)?;
                let rest: Vec<_> = rest.iter().copied().chain([last]).collect();
                (Generation::V1_1, v1_1(method, &rest)?)
            }
            _ => return Err(NoRoute::Path),
        };
        Ok(Self { generation, call })
    }

    /// Returns who may make the call.
    pub(super) fn access(&self) -> Access {
        match (&self.call, self.generation) {
            (
                Call::CreateWebhook | Call::ValidateWebhook(_) | Call::DeleteWebhook(_),
                generation,
            ) => match generation {
                Generation::V2 => Access::AppOrOwner,
                Generation::V1_1 => Access::Owner,
            },
            (Call::Subscribe(_) | Call::CheckSubscription(_) | Call::UnsubscribeSelf(_), _)
            | (Call::SendMessage(_), _) => Access::User,
            _ => Access::App,
        }
    }

    /// Returns the name under which the call is counted.
    pub(super) fn operation(&self) -> Operation {
        match self.call {
            Call::CreateWebhook => Operation::CreateWebhook,
            Call::ListWebhooks => Operation::ListWebhooks,
            Call::ValidateWebhook(_) => Operation::ValidateWebhook,
            Call::DeleteWebhook(_) => Operation::DeleteWebhook,
            Call::Subscribe(_) => Operation::Subscribe,
            Call::CheckSubscription(_) => Operation::CheckSubscription,
            Call::ListSubscriptions(_) => Operation::ListSubscriptions,
            Call::Unsubscribe(..) => Operation::Unsubscribe,
            Call::UnsubscribeSelf(_) => Operation::UnsubscribeSelf,
            Call::CountSubscriptions => Operation::CountSubscriptions,
            Call::Replay | Call::ReplaySubscriptions(_) => Operation::CreateReplay,
            Call::SendMessage(_) => Operation::SendMessage,
        }
    }
}

/// The generation that a path would belong to, for an error in its form.
pub(super) fn generation_of(path: &str) -> Generation {
    if path.starts_with("/1.1/") { Generation::V1_1 } else { Generation::V2 }
}

fn v2(method: &Method, path: &[&str]) -> Result<Call, NoRoute> {
    match path {
        ["webhooks"] => {
            pick(method, [(Method::GET, Call::ListWebhooks), (Method::POST, Call::CreateWebhook)])
        }
        ["webhooks", "replay"] => pick(method, [(Method::POST, Call::Replay)]),
        ["webhooks", hook] => pick(
            method,
            [
                (Method::DELETE, Call::DeleteWebhook(id(hook))),
                (Method::PUT, Call::ValidateWebhook(id(hook))),
            ],
        ),
        ["account_activity", "webhooks", hook, "subscriptions", "all"] => pick(
            method,
            [
                (Method::GET, Call::CheckSubscription(id(hook))),
                (Method::POST, Call::Subscribe(id(hook))),
            ],
        ),
        ["account_activity", rest @ ..] => both(method, rest),
        ["dm_conversations", "with", user, "messages"] => {
            pick(method, [(Method::POST, Call::SendMessage(id(user)))])
        }
        _ => Err(NoRoute::Path),
    }
}

fn v1_1(method: &Method, path: &[&str]) -> Result<Call, NoRoute> {
    match path {
        ["webhooks"] => {
            pick(method, [(Method::GET, Call::ListWebhooks), (Method::POST, Call::CreateWebhook)])
        }
        ["webhooks", hook] => pick(
            method,
            [
                (Method::DELETE, Call::DeleteWebhook(id(hook))),
                (Method::PUT, Call::ValidateWebhook(id(hook))),
            ],
        ),
        ["webhooks", hook, "subscriptions", "all"] => pick(
            method,
            [
                (Method::DELETE, Call::UnsubscribeSelf(id(hook))),
                (Method::GET, Call::CheckSubscription(id(hook))),
                (Method::POST, Call::Subscribe(id(hook))),
            ],
        ),
        rest => both(method, rest),
    }
}

/// What both have under `account_activity`, apart from the `.json`.
fn both(method: &Method, path: &[&str]) -> Result<Call, NoRoute> {
    match path {
        ["subscriptions", "count"] => pick(method, [(Method::GET, Call::CountSubscriptions)]),
        ["webhooks", hook, "subscriptions", "all", "list"] => {
            pick(method, [(Method::GET, Call::ListSubscriptions(id(hook)))])
        }
        ["webhooks", hook, "subscriptions", user, "all"] => {
            pick(method, [(Method::DELETE, Call::Unsubscribe(id(hook), id(user)))])
        }
        ["replay", "webhooks", hook, "subscriptions", "all"] => {
            pick(method, [(Method::POST, Call::ReplaySubscriptions(id(hook)))])
        }
        _ => Err(NoRoute::Path),
    }
}

/// Picks the call of a method; the methods are in alphabetical order.
fn pick<const N: usize>(method: &Method, calls: [(Method, Call); N]) -> Result<Call, NoRoute> {
    let allow = calls.each_ref().map(|(method, _)| method.as_str()).join(", ");
    let found = calls.into_iter().find(|(of, _)| of == method);
    found.map(|(_, call)| call).ok_or(NoRoute::Method(allow))
}

fn id(id: &str) -> String {
    id.to_owned()
}
