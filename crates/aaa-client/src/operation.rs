use std::fmt;

/// What was to be done; errors name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// `POST /2/webhooks`.
    CreateWebhook,
    /// `GET /2/webhooks`.
    ListWebhooks,
    /// `PUT /2/webhooks/{id}`.
    ValidateWebhook,
    /// `DELETE /2/webhooks/{id}`.
    DeleteWebhook,
    /// `POST /2/account_activity/webhooks/{id}/subscriptions/all`.
    CreateSubscription,
    /// `GET /2/account_activity/webhooks/{id}/subscriptions/all`.
    CheckSubscription,
    /// `GET /2/account_activity/webhooks/{id}/subscriptions/all/list`.
    ListSubscriptions,
    /// `DELETE /2/account_activity/webhooks/{id}/subscriptions/{user_id}/all`.
    RemoveSubscription,
    /// `GET /2/account_activity/subscriptions/count`.
    CountSubscriptions,
    /// `POST /2/webhooks/replay`, or the older route under `/2/account_activity/replay`.
    CreateReplay,
    /// Any answer's `Date`.
    ServerTime,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CreateWebhook => "create the webhook",
            Self::ListWebhooks => "list the webhooks",
            Self::ValidateWebhook => "validate the webhook",
            Self::DeleteWebhook => "delete the webhook",
            Self::CreateSubscription => "subscribe the user",
            Self::CheckSubscription => "check the subscription",
            Self::ListSubscriptions => "list the subscriptions",
            Self::RemoveSubscription => "remove the subscription",
            Self::CountSubscriptions => "count the subscriptions",
            Self::CreateReplay => "create the replay job",
            Self::ServerTime => "read the API's clock",
        })
    }
}
