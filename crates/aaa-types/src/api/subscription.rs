use serde::{Deserialize, Serialize};

use crate::{AppId, UserId, WebhookId};

/// Whether a user is subscribed: the answer to creating, checking and removing a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionState {
    /// True when the user's activity goes to the webhook.
    pub subscribed: bool,
}

/// The subscriptions of one webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscriptions {
    /// The app that owns the webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_id: Option<AppId>,
    /// The webhook.
    pub webhook_id: WebhookId,
    /// Its address, as X writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<String>,
    /// The subscribed users.
    #[serde(default)]
    pub subscriptions: Vec<Subscription>,
}

/// One subscribed user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// The user.
    pub user_id: UserId,
}

/// How many subscriptions the account has and may have. X writes all numbers as strings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionCount {
    /// The name of the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_name: Option<String>,
    /// How many are allowed.
    pub provisioned_count: String,
    /// How many exist.
    pub subscriptions_count_all: String,
    /// Always `"0"`; a remnant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscriptions_count_direct_messages: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Answer;

    #[test]
    fn list() {
        let body = br#"{"data":{"application_id":"100","webhook_id":"12","webhook_url":
            "https://example.com/hook","subscriptions":[{"user_id":"7"},{"user_id":"8"}]}}"#;
        insta::assert_json_snapshot!(Answer::<Subscriptions>::parse(body).unwrap(), @r#"
        {
          "application_id": "100",
          "webhook_id": "12",
          "webhook_url": "https://example.com/hook",
          "subscriptions": [
            {
              "user_id": "7"
            },
            {
              "user_id": "8"
            }
          ]
        }
        "#);
    }

    #[test]
    fn count_and_state() {
        let body = br#"{"data":{"account_name":"test","provisioned_count":"50",
            "subscriptions_count_all":"2","subscriptions_count_direct_messages":"0"}}"#;
        insta::assert_json_snapshot!(Answer::<SubscriptionCount>::parse(body).unwrap(), @r#"
        {
          "account_name": "test",
          "provisioned_count": "50",
          "subscriptions_count_all": "2",
          "subscriptions_count_direct_messages": "0"
        }
        "#);
        let state = Answer::<SubscriptionState>::parse(br#"{"data":{"subscribed":true}}"#).unwrap();
        insta::assert_snapshot!(
            serde_json::to_string(&state).unwrap(), @r#"{"subscribed":true}"#
        );
    }
}
