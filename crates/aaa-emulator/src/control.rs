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
//! so of each event (`abandoned`). Another side than a stranger is named in `payload`, which is
//! merged deeply into the item: `{"message_create":{"target":{"recipient_id":"8"}}}` writes to user
//! 8. Without a payload, posts and direct messages come in several varieties, in turn. What stands
//! beside the item is made to fit it, and `context` says what is to differ there:
//! `{"user_has_blocked":true,"apps":null}`. A post that mentions or answers somebody says whether
//! they have blocked its author, by what `block_events` there were. A kind that the emulator does
//! not know is taken when its name ends in `_events`; the payload is then the item.
//!
//! Events of the X Activity API reach the same webhook. A kind with a dot is one of those
//! (`post.create`, `dm.received`, or whatever X invents); the item is then what stands under
//! `data`, and `user_id` the one of its `filter`, where that names one. Who mentions, answers,
//! quotes or reposts them, or writes to them, is a stranger. `filtered_stream` is a post of a
//! filtered stream; there the item is the whole body. Both go to each webhook that the user is
//! subscribed to, which stands for the subscriptions that those have elsewhere, or to the one named
//! in `webhook_id`. A replay brings them back too, by the route `/2/webhooks/replay`.
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
mod ledger;
mod probability;
mod saved_traffic;
mod snapshot;
mod traffic;
mod trigger;

use aaa_types::{UserId, WebhookId, WebhookUrl};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::{
    fault::{Action, CheckCause, ErrorForm, Fault, Faults, Firing, Match, Operation, PlannedFault},
    ledger::{Abandoned, Attempt, Cause, JobState, Ledger, LedgerEvent, LedgerJob},
    probability::Probability,
    saved_traffic::{SavedPost, SavedTalk, SavedTie, SavedTraffic},
    snapshot::{
        Counters, Due, SavedDecision, SavedEvent, SavedGrants, SavedJob, SavedRequest, SavedTimer,
        SavedWebhook, SavedWindow, SavedWork, Snapshot,
    },
    traffic::{Traffic, TrafficState},
    trigger::{Trigger, Triggered, TriggeredEvent},
};
use crate::settings::Settings;

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
