//! What goes into the engine and what comes out of it.

use aaa_types::{JobId, ReplayWindow, WebhookId, payload::ReplayJobStatus};
use jiff::{SignedDuration, Timestamp};

use crate::{
    coverage::{Gap, RunId},
    ledger::{Intent, Outcome},
    plan::Limits,
};

/// A moment on two clocks: X's, which decides what can be asked for, and a steady one, by which
/// pauses are measured, since X's clock may be corrected in either direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// X's time.
    pub x: Timestamp,
    /// The time since the run started.
    pub uptime: SignedDuration,
}

/// The webhook whose gaps are to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// When it was registered; nothing from before can be replayed to it.
    pub created_at: Option<Timestamp>,
}

/// How patient the engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// X's rules.
    pub limits: Limits,
    /// How often X may end a window's job incomplete before the window is given up.
    pub tries: usize,
    /// How long a completion may take before it counts as missed.
    pub completion_timeout: SignedDuration,
    /// How long to wait after a failure, doubled with each that follows.
    pub pause: SignedDuration,
    /// The longest such wait, and the wait after a refusal that will not pass by itself.
    pub long_pause: SignedDuration,
}

impl Settings {
    /// Returns the settings for a set of rules.
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            tries: 5,
            completion_timeout: SignedDuration::from_mins(30),
            pause: SignedDuration::from_secs(30),
            long_pause: SignedDuration::from_mins(10),
        }
    }
}

/// What the driver has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Record the intent, then tell [`Input::Intended`].
    Intend(Intent),
    /// Ask X for a job, then tell [`Input::Accepted`] or [`Input::Refused`].
    Create {
        /// The webhook.
        webhook: WebhookId,
        /// The minutes.
        request: ReplayWindow,
    },
    /// Record the outcome, then tell [`Input::Settled`].
    Settle {
        /// The attempt.
        attempt: u64,
        /// What came of it.
        outcome: Outcome,
    },
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// These are the gaps now, old ones included.
    Gaps(Vec<Gap>),
    /// The receiver's run, and how many verified deliveries it has refused. To be told before
    /// every other input.
    Health(Health),
    /// The intent is durable under this number.
    Intended(u64),
    /// X accepted the job.
    Accepted(JobId),
    /// X did not accept the job, or its answer was lost.
    Refused(Refusal),
    /// The outcome is durable.
    Settled,
    /// A job ended.
    Completed(ReplayJobStatus),
}

/// What the receiver says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Its run.
    pub run: RunId,
    /// How many verified deliveries it has refused in this run.
    pub refusals: u64,
}

/// Why there is no job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of refusal it is.
    pub kind: RefusalKind,
    /// X's own words.
    pub words: String,
}

/// Kinds of refusals, by what helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// A job is in progress: wait.
    Conflict,
    /// Too many requests: wait until then, on X's clock.
    RateLimited(Option<Timestamp>),
    /// A fault that may pass, a lost answer included: try again.
    Passing,
    /// The check that X runs first failed, or the webhook is marked invalid: have it checked.
    Invalid,
    /// X does not take this window: try others.
    Window,
    /// The webhook is gone: find it anew.
    Gone,
    /// Wrong credentials and the like: somebody has to look.
    Lasting,
}
