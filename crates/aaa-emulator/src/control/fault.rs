use aaa_types::UserId;
use serde::{Deserialize, Serialize};

use super::Cause;

/// Something that is to go wrong.
///
/// # Examples
///
/// ```
/// use aaa_emulator::control::Fault;
///
/// let fault: Fault = serde_json::from_str(
///     r#"{"match":{"kind":"favorite_events","nth":2},"action":{"type":"drop"},"times":3}"#,
/// )?;
/// assert_eq!(fault.times, 3);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// When it fires; always, if absent.
    #[serde(rename = "match", default)]
    pub when: Match,
    /// What happens.
    pub action: Action,
    /// How many times; once, if absent.
    #[serde(default = "once")]
    pub times: u32,
}

impl Fault {
    /// Plans an action for the next occasion, once.
    pub fn new(action: Action) -> Self {
        Self { when: Match::default(), action, times: once() }
    }
}

fn once() -> u32 {
    1
}

/// When a fault fires: everything that is named must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// The kind of a delivery; `replay_job_status` is the end of a job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// For whom a delivery is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// Why something is delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Which call of the API; for `respond`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// From which occasion on that fits otherwise; the first is 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nth: Option<u32>,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// A delivery is attempted and lost on its way: nothing is sent.
    Drop,
    /// A delivery is sent and its answer lost.
    LoseAnswer,
    /// A delivery is sent later, by the emulator's clock.
    Delay {
        /// How much later.
        seconds: u64,
    },
    /// A delivery is sent twice at once.
    Duplicate,
    /// A delivery is signed with another secret.
    BadSignature,
    /// One byte of a delivery changes after it was signed.
    Corrupt,
    /// The second half of a delivery is missing.
    Truncate,
    /// A call of the API is answered with this status, and does nothing.
    Respond {
        /// 400 to 599.
        status: u16,
    },
    /// A replay job ends `Incomplete`, whatever was delivered.
    IncompleteJob,
    /// A replay job ends `Complete`, whatever was not delivered.
    CompleteJob,
    /// A replay job ends and no delivery says so.
    MissingCompletion,
}

/// A call of the API. A call that both generations have is one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// `POST /2/webhooks`, `POST /1.1/account_activity/webhooks.json`
    CreateWebhook,
    /// `GET /2/webhooks`, `GET …/webhooks.json`
    ListWebhooks,
    /// `PUT /2/webhooks/{id}`, `PUT …/webhooks/{id}.json`
    ValidateWebhook,
    /// `DELETE /2/webhooks/{id}`, `DELETE …/webhooks/{id}.json`
    DeleteWebhook,
    /// `POST …/subscriptions/all`
    Subscribe,
    /// `GET …/subscriptions/all`
    CheckSubscription,
    /// `GET …/subscriptions/all/list`
    ListSubscriptions,
    /// `DELETE …/subscriptions/{user_id}/all`
    Unsubscribe,
    /// `DELETE …/subscriptions/all.json` of v1.1: a user ends his own subscription.
    UnsubscribeSelf,
    /// `GET …/subscriptions/count`
    CountSubscriptions,
    /// All three routes that create a replay job.
    CreateReplay,
    /// `POST /2/dm_conversations/with/{participant_id}/messages`
    SendMessage,
    /// `POST /oauth/request_token`
    RequestToken,
    /// `/oauth/authorize` and `/oauth/authenticate`
    Authorize,
    /// `POST /oauth/access_token`
    AccessToken,
    /// `POST /oauth2/token`
    BearerToken,
    /// `POST /oauth2/invalidate_token`
    InvalidateBearerToken,
}

/// The planned faults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// In the order in which they were planned.
    pub faults: Vec<PlannedFault>,
}

/// A fault, and how often it fired. A run in which it did not fire proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFault {
    /// Its number.
    pub id: String,
    /// When it fires.
    #[serde(rename = "match")]
    pub when: Match,
    /// What happens.
    pub action: Action,
    /// How many times it is to fire.
    pub planned: u32,
    /// How many times it fired.
    pub fired: u32,
}
