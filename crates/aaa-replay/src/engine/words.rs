//! What goes into the engine and what comes out of it.

use aaa_types::{JobId, ReplayWindow, WebhookId, payload::ReplayJobStatus};
use jiff::{SignedDuration, Timestamp};

use crate::{
    coverage::{Gap, Heartbeat, RunId, Tally},
    ledger::{Declared, Intent, Outcome},
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
#[non_exhaustive]
pub enum Input {
    /// These are the gaps now, old ones included.
    Gaps(Vec<Gap>),
    /// These are the declared gaps now, those of other webhooks included.
    Declared(Vec<Declared>),
    /// What the receiver says of itself. To be told before every other input.
    Health(Health),
    /// The intent is durable under this number.
    Intended(u64),
    /// X accepted the job.
    Accepted(JobId),
    /// X did not accept the job, or its answer was lost.
    Refused(Refusal),
    /// X said how many calls are left.
    Quota(Quota),
    /// Somebody else asked for a job with the same app.
    Called,
    /// The outcome is durable.
    Settled {
        /// How many events the attempt [found](crate::ledger::Attempt::found).
        found: u64,
    },
    /// A job ended.
    Completed(ReplayJobStatus),
    /// No more jobs are wanted. The live one is settled as failed: whether it completes is not
    /// waited for.
    Stop,
}

/// How many calls X still takes, as it said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// So many.
    pub remaining: u32,
    /// Until then, on X's clock.
    pub reset: Timestamp,
}

/// What the receiver says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Its run.
    pub run: RunId,
    /// What it has counted in this run.
    pub tally: Tally,
}

impl Health {
    /// Returns the health of a run.
    pub const fn new(run: RunId, tally: Tally) -> Self {
        Self { run, tally }
    }

    /// Says whether one run refused nothing from an earlier moment up to this one.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_replay::{coverage::{RunId, Tally}, engine::Health};
    ///
    /// let before = Health::new(RunId(1), Tally { refusals: 3, ..Tally::default() });
    /// let after = Health::new(RunId(1), Tally { refusals: 3, verified: 80, ..Tally::default() });
    /// assert!(after.took_all_since(&before));
    /// assert!(!Health::new(RunId(2), after.tally).took_all_since(&before));
    /// ```
    pub fn took_all_since(&self, earlier: &Self) -> bool {
        self.run == earlier.run && self.tally.refusals == earlier.tally.refusals
    }
}

impl From<&Heartbeat> for Health {
    fn from(heartbeat: &Heartbeat) -> Self {
        Self { run: heartbeat.run, tally: heartbeat.tally }
    }
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
