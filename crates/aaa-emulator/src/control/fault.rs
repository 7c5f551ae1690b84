use aaa_types::{UserId, WebhookId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Cause, Probability};

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

    /// Says when it fires.
    #[must_use]
    pub fn when(mut self, when: Match) -> Self {
        self.when = when;
        self
    }

    /// Says how many times it fires.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }
}

fn once() -> u32 {
    1
}

/// When a fault fires: everything that is named must fit. What an occasion does not have (a call
/// has no kind, a revocation no user) fits nothing that is named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// The kind of a delivery; `replay_job_status` is the end of a job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// For whom a delivery is, or who makes a call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// The webhook of a delivery, a check or a job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_id: Option<WebhookId>,
    /// Why something is delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Which call of the API. With it an action works on calls, without on deliveries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// Why a webhook is checked. With it an action works on checks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckCause>,
    /// From which occasion on that fits otherwise; the first is 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nth: Option<u32>,
    /// How probably, on each occasion that fits otherwise; drawn from the seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<Probability>,
}

/// Why a webhook is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckCause {
    /// It is being registered.
    Registration,
    /// Somebody asked for it (`PUT`).
    Request,
    /// A replay was asked for.
    Replay,
    /// It was time.
    Schedule,
}

/// What goes wrong.
///
/// | `type` | On deliveries | On calls (`match.operation`) | On checks |
/// |---|---|---|---|
/// | `drop` | nothing is sent | | |
/// | `lose_answer` | sent, its answer lost | done, and the connection ends before the answer | |
/// | `reset` | the connection ends in the middle of the body | the same, and nothing is done | |
/// | `slow_body` | the second half comes later | the second half of the answer comes later | |
/// | `jump_clock` | the clock jumps as it begins | the clock jumps as it comes | |
/// | `delay`, `duplicate`, `reorder`, `corrupt`, `truncate`, `give_up` | as they say | | |
/// | `bad_signature` | signed with another secret | | with `match.check`: the same |
/// | `respond` | | refused, nothing is done | |
/// | `wrong_check`, `silent_check` | | | its answer counts as wrong, or never came |
///
/// The others work on replay jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// A delivery is attempted and lost on its way: nothing is sent.
    Drop,
    /// A delivery is sent, or a call done, and the answer lost.
    LoseAnswer,
    /// A delivery is sent later, by the emulator's clock.
    Delay {
        /// How much later.
        seconds: u64,
    },
    /// A delivery is sent twice at once.
    Duplicate,
    /// The next delivery to the same webhook overtakes this one; if none comes within ten seconds
    /// of the emulator's clock, it is sent then.
    Reorder,
    /// A delivery or a challenge is signed with another secret.
    BadSignature,
    /// One byte of a delivery changes after it was signed.
    Corrupt,
    /// The second half of a delivery is missing.
    Truncate,
    /// The second half of a body comes later, in real time.
    SlowBody {
        /// How much later.
        millis: u64,
    },
    /// The connection is closed in the middle of a body.
    Reset,
    /// X has trouble of its own and gives the delivery up: it is attempted, nothing is sent, and
    /// no retry follows.
    GiveUp,
    /// The emulator's clock jumps forward; what became due on the way happens then, but for acts
    /// of traffic, which are left out and counted. Where the clock can go no further it stays.
    JumpClock {
        /// How far, at most a year.
        seconds: u64,
    },
    /// A call of the API is answered with this status, and does nothing.
    Respond {
        /// 400 to 599.
        status: u16,
        /// How the error is written; as the called generation does, if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        form: Option<ErrorForm>,
    },
    /// A check is made, and what comes back counts as a wrong token.
    WrongCheck,
    /// A check is made, and counts as never answered.
    SilentCheck,
    /// A replay job ends `Incomplete`, whatever was delivered.
    IncompleteJob,
    /// A replay job ends `Complete`, whatever was not delivered.
    CompleteJob,
    /// A replay job ends and no delivery says so.
    MissingCompletion,
    /// A replay job ends and two deliveries say so, one after the other.
    DoubleCompletion,
}

/// How an error is written. X has been seen with all of these, also on v2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorForm {
    /// `{"errors":[{"code","message"}]}`, the form of v1.1.
    Coded,
    /// `{"errors":[{"message"}],"title","detail","type"}`, the form of v2.
    Invalid,
    /// `application/problem+json`.
    Problem,
    /// `{"code","message"}`
    Bare,
    /// A page of HTML, as a proxy on the way writes it.
    Html,
    /// No body.
    Empty,
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
    /// `DELETE …/subscriptions/all.json` of v1.1: a user ends their own subscription.
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
    /// Every firing, in order; of more than 100,000 only the latest.
    pub journal: Vec<Firing>,
}

impl Faults {
    /// Returns what was planned and never happened.
    pub fn never_fired(&self) -> impl Iterator<Item = &PlannedFault> {
        self.faults.iter().filter(|fault| fault.fired == 0)
    }

    /// Returns what was planned and happened less often than that, or never.
    pub fn unfinished(&self) -> impl Iterator<Item = &PlannedFault> {
        self.faults.iter().filter(|fault| fault.fired < fault.planned)
    }
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

impl std::fmt::Display for PlannedFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, when, action, planned, fired } = self;
        // Neither has a key that is no text, so both can always be written.
        let action = serde_json::to_string(action).unwrap_or_default();
        write!(f, "fault {id}, {action}")?;
        if *when != Match::default() {
            write!(f, " on {}", serde_json::to_string(when).unwrap_or_default())?;
        }
        write!(f, ", fired {fired} of {planned} times")
    }
}

/// A fault that happened, and on what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firing {
    /// When.
    pub at: Timestamp,
    /// The number of the fault.
    pub fault_id: String,
    /// The event that was delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// What fitted, as in [`Match`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// For whom, or who called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// The webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_id: Option<WebhookId>,
    /// Why it was delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Which call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// Why it was checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckCause>,
}
