use aaa_types::{JobId, UserId, WebhookId, WebhookUrl};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Cause, JobDetail, LedgerEvent, Operation, SavedTraffic};
use crate::settings::Generation;

/// Everything that an emulator has to know to go on from later: what `GET state?export=true`
/// answers and [`Builder::state`](crate::Builder::state) takes.
///
/// What was under way counts as ended by a failed connection; retries follow, where X's schedule
/// has one. Settings and planned faults are not in it: they belong to a run. Who waits for an
/// answer waits in vain, and a check that was under way is made again when it is due.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// The version of this format, [`Snapshot::VERSION`] or one before.
    pub version: u32,
    /// The emulator's time.
    pub now: Timestamp,
    /// How far that was ahead of the real time, in milliseconds; without meaning where time stands
    /// still.
    pub ahead_millis: i64,
    /// From where ids and tokens go on.
    pub counters: Counters,
    /// The registered webhooks.
    pub webhooks: Vec<SavedWebhook>,
    /// The event log, in the order of creation. Events are named by their place in it.
    pub events: Vec<SavedEvent>,
    /// The replay jobs, in the order of creation.
    pub jobs: Vec<JobDetail>,
    /// What is due, in order.
    pub timers: Vec<SavedTimer>,
    /// The permissions that are being given.
    pub grants: SavedGrants,
    /// The windows of the rate limits.
    pub limits: Vec<SavedWindow>,
    /// Who has blocked whom; since version 2.
    #[serde(default)]
    pub blocks: Vec<(UserId, UserId)>,
    /// What happens by itself; since version 2.
    #[serde(default)]
    pub traffic: Option<SavedTraffic>,
}

impl Snapshot {
    /// The version that is written. Version 1, which is read too, had no traffic.
    pub const VERSION: u32 = 2;
}

/// From where ids and tokens go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counters {
    /// The state of the seeded generator.
    pub random: u64,
    /// The last snowflake id.
    pub last_id: u64,
    /// The last millisecond that was given to an event without an id.
    pub last_millis: i64,
    /// How many events were generated in varieties.
    pub generated: u64,
}

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedWebhook {
    /// Its id.
    pub id: WebhookId,
    /// Where it is.
    pub url: WebhookUrl,
    /// Through which it was registered.
    pub generation: Generation,
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
    /// What waits for its turn.
    pub queue: Vec<SavedWork>,
    /// What a replay can send again: when it was first attempted, and which event.
    pub attempted: Vec<(Timestamp, usize)>,
    /// The replay job that is under way.
    pub job: Option<SavedJob>,
}

/// A replay job that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedJob {
    /// Its id.
    pub id: JobId,
    /// The next of `attempted` that it sends.
    pub next: usize,
    /// The first that it does not send any more.
    pub end: usize,
    /// When it began.
    pub started: Timestamp,
    /// How many it has sent.
    pub sent: i64,
    /// It leaves out what is of other products.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub account_activity_only: bool,
}

/// Something to deliver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum SavedWork {
    /// An event.
    Event {
        /// Which.
        event: usize,
        /// Why.
        cause: Cause,
        /// For which job.
        job: Option<JobId>,
    },
    /// The end of a replay job.
    Completion {
        /// Which.
        job: JobId,
        /// The words.
        body: String,
    },
}

/// An event of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedEvent {
    /// What the ledger says of it.
    pub event: LedgerEvent,
    /// The body, as it is sent.
    pub body: String,
    /// It is not of the Account Activity API, so not every replay has it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub other_product: bool,
}

/// Something that is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedTimer {
    /// When.
    pub at: Timestamp,
    /// For which webhook.
    pub webhook_id: WebhookId,
    /// What.
    pub due: Due,
}

/// What is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Due {
    /// A check.
    Check,
    /// A delivery that was put off.
    Begin(SavedWork),
    /// A delivery that failed.
    Retry(SavedWork),
}

/// Who is giving permission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedGrants {
    /// Request tokens.
    pub requests: Vec<SavedRequest>,
    /// The number of the app's bearer token; none after it was invalidated.
    pub bearer: Option<u64>,
    /// How many bearer tokens there were.
    pub bearers: u64,
}

/// A request token. None of this protects anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedRequest {
    /// The token.
    pub token: String,
    /// Its secret.
    pub secret: String,
    /// Where the user goes from the page.
    pub callback: String,
    /// What the page's form brings back.
    pub form_token: String,
    /// When it ends.
    pub expires: Timestamp,
    /// What the user decided, if they did.
    pub decision: Option<SavedDecision>,
}

/// What a user decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SavedDecision {
    /// He agreed.
    Granted {
        /// Who.
        user_id: UserId,
        /// The proof.
        verifier: String,
    },
    /// He did not.
    Denied,
}

/// A window of a rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedWindow {
    /// Of which API.
    pub generation: Generation,
    /// Of which call.
    pub operation: Operation,
    /// Of which user, where X counts so.
    pub user_id: Option<UserId>,
    /// By the deprecated route of v2, which is counted apart.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deprecated: bool,
    /// How long it is.
    pub seconds: i64,
    /// When it ends.
    pub ends: Timestamp,
    /// How many calls were made.
    pub used: u32,
}
