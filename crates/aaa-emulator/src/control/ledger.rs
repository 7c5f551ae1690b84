use aaa_types::{JobId, UserId, UtcMinute, WebhookId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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
