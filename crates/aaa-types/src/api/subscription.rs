use serde::{Deserialize, Serialize};

use crate::{AppId, UserId, WebhookId, id};

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

/// How many subscriptions the account has and may have. X writes all numbers as strings; real
/// numbers are understood too.
///
/// # Examples
///
/// ```
/// use aaa_types::api::{Answer, SubscriptionCount};
///
/// let body = br#"{"data":{"account_name":"test","provisioned_count":"50",
///     "subscriptions_count_all":"2","subscriptions_count_direct_messages":"0"}}"#;
/// let count = Answer::<SubscriptionCount>::parse(body)?;
/// assert_eq!((count.provisioned(), count.used()), (Some(50), Some(2)));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionCount {
    /// The name of the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_name: Option<String>,
    /// How many are allowed.
    #[serde(deserialize_with = "id::text_or_number")]
    pub provisioned_count: String,
    /// How many exist.
    #[serde(deserialize_with = "id::text_or_number")]
    pub subscriptions_count_all: String,
    /// Always `"0"`; a remnant.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "id::maybe_text_or_number"
    )]
    pub subscriptions_count_direct_messages: Option<String>,
}

impl SubscriptionCount {
    /// Returns how many are allowed, if that is a number.
    pub fn provisioned(&self) -> Option<u64> {
        self.provisioned_count.trim().parse().ok()
    }

    /// Returns how many exist, if that is a number.
    pub fn used(&self) -> Option<u64> {
        self.subscriptions_count_all.trim().parse().ok()
    }
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

    /// v1.1 has no envelope, and whoever reads its numbers as such must not be alone.
    #[test]
    fn flat_and_with_real_numbers() {
        let body = br#"{"account_name":null,"provisioned_count":500,"subscriptions_count_all":0,
            "subscriptions_count_direct_messages":0}"#;
        let count = Answer::<SubscriptionCount>::parse(body).unwrap();
        assert_eq!((count.provisioned(), count.used()), (Some(500), Some(0)));
        assert_eq!(count.subscriptions_count_direct_messages.as_deref(), Some("0"));
        let odd = br#"{"provisioned_count":"unlimited","subscriptions_count_all":"-1"}"#;
        let count = Answer::<SubscriptionCount>::parse(odd).unwrap();
        assert_eq!((count.provisioned(), count.used()), (None, None));
        assert_eq!(count.provisioned_count, "unlimited");
        assert!(Answer::<SubscriptionCount>::parse(b"{}").is_err());
    }

    #[test]
    fn a_list_without_an_envelope() {
        let body = br#"{"webhook_id":"1234577122340233217","webhook_url":"https://example.com/",
            "application_id":"100","subscriptions":[{"user_id":"3001969357"}]}"#;
        let list = Answer::<Subscriptions>::parse(body).unwrap();
        assert_eq!(list.subscriptions[0].user_id.as_u64(), 3_001_969_357);
        let bare = Answer::<Subscriptions>::parse(br#"{"data":{"webhook_id":"1"}}"#).unwrap();
        assert!(bare.subscriptions.is_empty() && bare.application_id.is_none());
    }
}
