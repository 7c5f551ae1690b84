use aaa_types::{UserId, WebhookId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Asks for events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// X's name of the kind, such as `tweet_create_events`.
    pub kind: String,
    /// Who acts.
    pub user_id: UserId,
    /// How many; one if absent, at most [`Trigger::MAX_COUNT`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Merged deeply into each item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
    /// Merged deeply into the other top-level members of the body, such as `user_has_blocked`,
    /// `users` or `apps`; `null` leaves one out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Map<String, Value>>,
    /// Only through this webhook. What is not of the Account Activity API is then sent there also
    /// for a user who is not subscribed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_id: Option<WebhookId>,
}

impl Trigger {
    /// The most events of one call.
    pub const MAX_COUNT: u32 = 100_000;

    /// Asks for one generated event.
    pub fn new(kind: &str, user: UserId) -> Self {
        Self {
            kind: kind.to_owned(),
            user_id: user,
            count: None,
            payload: None,
            context: None,
            webhook_id: None,
        }
    }

    /// Asks for several.
    #[must_use]
    pub fn with_count(mut self, count: u32) -> Self {
        self.count = Some(count);
        self
    }

    /// Sends them only through one webhook.
    #[must_use]
    pub fn with_webhook(mut self, webhook: WebhookId) -> Self {
        self.webhook_id = Some(webhook);
        self
    }

    /// Gives members of the body beside the item.
    #[must_use]
    pub fn with_context(mut self, context: Map<String, Value>) -> Self {
        self.context = Some(context);
        self
    }

    /// Gives members of the item.
    #[must_use]
    pub fn with_payload(mut self, payload: Value) -> Self {
        self.payload = Some(payload);
        self
    }
}

/// The events that were made, one for each subscribed user concerned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Triggered {
    /// In the order in which they are delivered.
    pub events: Vec<TriggeredEvent>,
    /// For whoever waited until patience was over: the ids of those that were neither
    /// delivered nor have failed for good by then. Retries and delays can take longer than anybody
    /// waits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub under_way: Vec<String>,
}

impl Triggered {
    /// Says that events were made.
    pub fn new(events: Vec<TriggeredEvent>) -> Self {
        Self { events, under_way: Vec::new() }
    }
}

/// One event for one user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggeredEvent {
    /// Its id in the ledger.
    pub id: String,
    /// The key that a receiver derives.
    pub key: String,
    /// The kind.
    pub kind: String,
    /// For whom; none for a revocation.
    pub for_user_id: Option<UserId>,
}
