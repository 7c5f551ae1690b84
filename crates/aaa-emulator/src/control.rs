//! The control API: what a test or a person tells the emulator, and what it tells back.
//!
//! All of it lies under `/_emulator/`. Ids are strings; `kind` is the top-level key of a delivery;
//! `key` is the text a receiver derives for the event. What changes something is a `POST` with
//! `content-type: application/json` and without a foreign `Origin`. What is refused is answered
//! with a 4xx and an [`ErrorAnswer`].
//!
//! | Call | Body | Answer |
//! |---|---|---|
//! | `POST events`, `?wait=true`, `&patience=SECONDS` | [`Trigger`] | [`Triggered`], once logged, or once delivered or failed |
//! | `GET ledger`, `?id=A&id=B` | | [`Ledger`], or what it says of these events |
//! | `POST deliver` | [`Deliver`] | [`Delivered`] |
//! | `POST clock` | [`Advance`] | [`Clock`] |
//! | `GET state` | | [`State`] |
//! | `GET state?export=true` | | [`Snapshot`], which an emulator can begin with |
//! | `POST faults` | [`Fault`] | [`PlannedFault`] |
//! | `GET faults` | | [`Faults`] |
//! | `POST traffic` | [`Traffic`] | [`TrafficState`] |
//! | `GET traffic` | | [`TrafficState`] |
//! | `POST reset` | | [`Clock`] |
//!
//! ```text
//! curl -s localhost:7878/_emulator/events -H 'content-type: application/json' \
//!     -d '{"kind":"tweet_create_events","user_id":"7","payload":{"text":"hello"}}'
//! ```
//!
//! # Events
//!
//! Who waits with `wait=true` waits for a minute at most, or for as many seconds as `patience` says.
//! What is then still under way, or due for a retry, is named in the answer.
//!
//! `user_id` is the user who acts. The event is delivered for that user and for the others who are
//! concerned, as far as they are subscribed: who is followed, liked, mentioned, answered, written
//! to. When a subscription ends, what was still to be delivered for it is given up; the ledger says
//! so of each event (`abandoned`). Another side than a stranger is named in `payload`, which is merged deeply into the item:
//! `{"message_create":{"target":{"recipient_id":"8"}}}` writes to user 8. Without a payload, posts
//! and direct messages come in several varieties, in turn. What stands beside the item is made to
//! fit it, and `context` says what is to differ there: `{"user_has_blocked":true,"apps":null}`. A
//! post that mentions or answers somebody says whether he has blocked its author, by what
//! `block_events` there were. A kind that the emulator does not know
//! is taken when its name ends in `_events`; the payload is then the item.
//!
//! Events of the X Activity API reach the same webhook. A kind with a dot is one of those
//! (`post.create`, `dm.received`, or whatever X invents); the item is then what stands under
//! `data`, and `user_id` the one of its `filter`. `filtered_stream` is a post of a filtered stream;
//! there the item is the whole body. Both go to each webhook that the user is subscribed to, which
//! stands for the subscriptions that those have elsewhere, or to the one named in `webhook_id`.
//!
//! # Traffic
//!
//! `traffic` begins a world of users who post, reply, like, follow, write and read messages, block
//! and mute, at a rate of acts per second: `{"rate":2.5,"users":20}`. Each act concerns a user who
//! is subscribed, on either side; an act that concerns two of them makes two events. Likes and
//! replies are of posts that there are. The same seed and the same subscriptions give the same
//! story. It goes by the emulator's clock: when that is advanced, everything of the time between
//! happens at once, and a step that would bring more than 100,000 acts is refused. While time goes
//! by itself, acts are left out when deliveries pile up, and counted.
//!
//! # Time
//!
//! `clock` moves the emulator's clock on. Whatever became due on the way (checks, retries, delayed
//! deliveries) is started, in order, before the answer: each at its own time, and after what was
//! due before has been answered, so that the consequences fall due on the way too. 28 hours with a
//! webhook that fails every check take as long as its 28 answers. Deadlines of HTTP requests are
//! in real time; whoever lets one call of `clock` wait for two seconds in all is not waited for
//! any more.
//!
//! # Faults
//!
//! A [`Fault`] says when it fires ([`Match`]), what happens ([`Action`]), and how many times.
//! Faults are asked in the order in which they were planned; the first that matches fires. What
//! fired, when and on what is in the journal of [`Faults`].
//!
//! ```json
//! {"match": {"kind": "favorite_events", "user_id": "7", "cause": "live", "nth": 2},
//!  "action": {"type": "delay", "seconds": 90}, "times": 3}
//! {"match": {"operation": "create_replay"}, "action": {"type": "respond", "status": 503}}
//! {"match": {"operation": "subscribe", "user_id": "7"}, "action": {"type": "lose_answer"}}
//! {"match": {"check": "schedule"}, "action": {"type": "silent_check"}, "times": 28}
//! {"match": {"probability": 0.01}, "action": {"type": "reset"}, "times": 1000}
//! ```

mod fault;
mod probability;
mod saved_traffic;
mod snapshot;
mod traffic;

use aaa_types::{JobId, UserId, UtcMinute, WebhookId, WebhookUrl};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::{
    fault::{Action, CheckCause, ErrorForm, Fault, Faults, Firing, Match, Operation, PlannedFault},
    probability::Probability,
    saved_traffic::{SavedPost, SavedTalk, SavedTie, SavedTraffic},
    snapshot::{
        Counters, Due, SavedDecision, SavedEvent, SavedGrants, SavedJob, SavedRequest, SavedTimer,
        SavedWebhook, SavedWindow, SavedWork, Snapshot,
    },
    traffic::{Traffic, TrafficState},
};
use crate::settings::Settings;

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
    /// For whoever waited until his patience was over: the ids of those that were neither
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

/// The ground truth: what happened to every event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// The emulator's time.
    pub now: Timestamp,
    /// In the order of creation.
    pub events: Vec<LedgerEvent>,
    /// In the order of creation.
    pub jobs: Vec<LedgerJob>,
}

/// One event for one user, and every attempt to deliver it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEvent {
    /// Its id.
    pub id: String,
    /// The key that a receiver derives.
    pub key: String,
    /// The kind.
    pub kind: String,
    /// For whom; none for a revocation.
    pub for_user_id: Option<UserId>,
    /// Where it goes.
    pub webhook_id: WebhookId,
    /// When it was made.
    pub created_at: Timestamp,
    /// In the order in which they began; empty when the webhook was invalid.
    pub attempts: Vec<Attempt>,
    /// When the first 200 came.
    pub acknowledged_at: Option<Timestamp>,
    /// Why nothing more was tried, besides replays, if something was still to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abandoned: Option<Abandoned>,
}

/// Why a delivery that waited for its turn, or for its retry, was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Abandoned {
    /// The user's subscription had ended.
    Unsubscribed,
    /// The webhook had been removed.
    WebhookRemoved,
}

/// One attempt. While it is under way it has neither status nor error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it began.
    pub at: Timestamp,
    /// Why.
    pub cause: Cause,
    /// The replay job, if it is part of one.
    pub job_id: Option<JobId>,
    /// The status of the answer.
    pub status: Option<u16>,
    /// Why there is no status.
    pub error: Option<String>,
}

/// Why something is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// It just happened.
    Live,
    /// An attempt before failed.
    Retry,
    /// A replay job sends it again.
    Replay,
}

/// A replay job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerJob {
    /// Its id.
    pub id: JobId,
    /// The webhook.
    pub webhook_id: WebhookId,
    /// The first minute.
    pub from_date: UtcMinute,
    /// The minute after the last.
    pub to_date: UtcMinute,
    /// How far it is.
    pub state: JobState,
}

/// How far a replay job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobState {
    /// It is sending.
    Running,
    /// It ended, and says that everything was delivered.
    Complete,
    /// It ended, and says that something was not.
    Incomplete,
}

/// Asks for the delivery of any text, outside the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deliver {
    /// Where to.
    pub webhook_id: WebhookId,
    /// The body, sent as it is.
    pub body: String,
    /// The value of the signature header; signed if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// What the webhook answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// The status; none when nothing was answered.
    pub status: Option<u16>,
    /// The body of the answer, at most 64 KiB.
    pub body: String,
    /// Why nothing was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Asks for a later time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Advance {
    /// How much later, at most a year.
    pub advance_seconds: u64,
}

/// The emulator's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// The time.
    pub now: Timestamp,
}

/// What there is, for somebody who looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The emulator's time.
    pub now: Timestamp,
    /// How it behaves.
    pub settings: Settings,
    /// The registered webhooks.
    pub webhooks: Vec<WebhookState>,
    /// The replay jobs.
    pub jobs: Vec<JobDetail>,
    /// How much there is.
    pub counts: Counts,
}

/// A registered webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookState {
    /// Its id.
    pub id: WebhookId,
    /// Where it is.
    pub url: WebhookUrl,
    /// Whether it receives anything.
    pub valid: bool,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it last passed a check.
    pub last_check_passed_at: Timestamp,
    /// Why the last check failed, unless it passed.
    pub last_check_error: Option<String>,
    /// Who is subscribed.
    pub subscriptions: Vec<UserId>,
}

/// A replay job, and what the ledger leaves out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobDetail {
    /// What the ledger says.
    #[serde(flatten)]
    pub job: LedgerJob,
    /// When it was created.
    pub created_at: Timestamp,
    /// How many events lie in its window.
    pub events: usize,
    /// How many were not delivered.
    pub failed: usize,
    /// What became of the delivery that says how it ended.
    pub completion: Completion,
}

/// What became of the delivery that says how a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Completion {
    /// It was not sent: not yet, or never.
    NotSent,
    /// It is under way.
    Sent,
    /// It was answered 200.
    Acknowledged,
    /// It was not.
    Failed,
}

/// How much there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Events in the ledger.
    pub events: usize,
    /// Attempts to deliver them.
    pub attempts: usize,
    /// Events that were answered 200.
    pub acknowledged: usize,
    /// Requests to webhooks under way.
    pub in_flight: usize,
    /// Deliveries that wait for their turn.
    pub queued: usize,
}

/// Why a control call was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorAnswer {
    /// What was wrong, and what to do.
    pub error: String,
}

#[cfg(test)]
mod tests;
