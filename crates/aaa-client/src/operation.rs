use std::fmt;

/// What was to be done; errors name it. The paths are those of v2, of v1.1 and of the sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// `POST /2/webhooks`, `POST webhooks.json`.
    CreateWebhook,
    /// `GET /2/webhooks`, `GET webhooks.json`.
    ListWebhooks,
    /// `PUT /2/webhooks/{id}`, `PUT webhooks/{id}.json`.
    ValidateWebhook,
    /// `DELETE /2/webhooks/{id}`, `DELETE webhooks/{id}.json`.
    DeleteWebhook,
    /// `POST` of `…/webhooks/{id}/subscriptions/all`.
    CreateSubscription,
    /// `GET` of `…/webhooks/{id}/subscriptions/all`.
    CheckSubscription,
    /// `DELETE` of `webhooks/{id}/subscriptions/all.json`: the user ends their own subscription.
    EndSubscription,
    /// `GET` of `…/webhooks/{id}/subscriptions/all/list`.
    ListSubscriptions,
    /// `DELETE` of `…/webhooks/{id}/subscriptions/{user_id}/all`.
    RemoveSubscription,
    /// `GET` of `…/subscriptions/count`.
    CountSubscriptions,
    /// `POST /2/webhooks/replay`, or `…/replay/webhooks/{id}/subscriptions/all`.
    CreateReplay,
    /// `POST /2/dm_conversations/with/{participant_id}/messages`.
    SendDirectMessage,
    /// Any answer's `Date`.
    ServerTime,
    /// `POST /oauth/request_token`.
    RequestToken,
    /// `POST /oauth/access_token`.
    AccessToken,
    /// `POST /oauth2/token`.
    BearerToken,
    /// `POST /oauth2/invalidate_token`.
    InvalidateBearerToken,
}

impl Operation {
    /// Says whether asking twice does no more than asking once, so that a call whose fate nobody
    /// knows may be repeated.
    ///
    /// A second webhook or subscription is refused as a duplicate, which would hide that the first
    /// was made; a second replay job or message would be one too many; a verifier works once.
    pub fn is_repeatable(self) -> bool {
        !matches!(
            self,
            Self::CreateWebhook
                | Self::CreateSubscription
                | Self::CreateReplay
                | Self::SendDirectMessage
                | Self::AccessToken
        )
    }
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
            Self::EndSubscription => "unsubscribe the user",
            Self::ListSubscriptions => "list the subscriptions",
            Self::RemoveSubscription => "remove the subscription",
            Self::CountSubscriptions => "count the subscriptions",
            Self::CreateReplay => "create the replay job",
            Self::SendDirectMessage => "send the direct message",
            Self::ServerTime => "read the API's clock",
            Self::RequestToken => "get a request token",
            Self::AccessToken => "get the user's access token",
            Self::BearerToken => "get the app's bearer token",
            Self::InvalidateBearerToken => "invalidate the bearer token",
        })
    }
}
