//! Whether to ask again, and when. Nothing here waits, reads a clock or rolls dice.

use std::time::Duration;

use jiff::Timestamp;

use crate::{ClientError, Operation};

/// When a failed call is made again.
///
/// Only what is safe is repeated. A call that [may be made
/// twice](Operation::is_repeatable) is repeated after every passing failure: no connection, no
/// answer, a fault of X's, a rate limit. Any other (a webhook, a subscription, a replay job, a
/// message) only if it surely was not carried out: there was no connection, or the rate limit
/// turned it away.
///
/// Pauses grow exponentially and are drawn at random between nothing and that ("full jitter").
/// Where X says when to come back (`x-rate-limit-reset`, `Retry-After`), the pause is at least
/// that long, by X's clock. What would take longer than allowed is not waited for at all: the call
/// fails at once, and [`ClientError::retry_after`] says how long it would have taken.
///
/// By default there are 4 attempts; pauses grow from half a second to 30 seconds; all pauses of
/// one call take 16 minutes at most, which is a window of X's rate limits and a little.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use aaa_client::{FailedAttempt, Operation, RetryDecision, RetryPolicy, v2};
/// use bytes::Bytes;
///
/// let policy = RetryPolicy::default().with_max_wait(Duration::from_secs(60));
/// let answer = http::Response::builder()
///     .status(429)
///     .header("x-rate-limit-reset", "1763784040")
///     .body(Bytes::new())?;
/// let error = v2::list_webhooks().answer(&answer).unwrap_err();
///
/// // 40 seconds before the reset.
/// let now = "2025-11-22T04:00:00Z".parse()?;
/// let failed = FailedAttempt::of(&error, Operation::ListWebhooks.is_repeatable(), now);
/// assert_eq!(
///     policy.decide(1, &failed, Duration::ZERO, 0),
///     RetryDecision::Retry { after: Duration::from_secs(40) },
/// );
/// let waited = Duration::from_secs(30);
/// assert_eq!(policy.decide(2, &failed, waited, 0), RetryDecision::GiveUp);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    max_attempts: u32,
    base: Duration,
    cap: Duration,
    max_wait: Duration,
}

impl RetryPolicy {
    /// Repeats nothing.
    pub const fn none() -> Self {
        Self { max_attempts: 1, ..Self::DEFAULT }
    }

    const DEFAULT: Self = Self {
        max_attempts: 4,
        base: Duration::from_millis(500),
        cap: Duration::from_secs(30),
        max_wait: Duration::from_secs(16 * 60),
    };

    /// Bounds how often a call is made, the first time included.
    #[must_use]
    pub const fn with_max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Changes between which bounds the pauses grow.
    #[must_use]
    pub const fn with_pauses(mut self, first: Duration, longest: Duration) -> Self {
        (self.base, self.cap) = (first, longest);
        self
    }

    /// Bounds how long all pauses of one call take together.
    #[must_use]
    pub const fn with_max_wait(mut self, wait: Duration) -> Self {
        self.max_wait = wait;
        self
    }

    /// Bounds it further, where it is not bounded so already.
    #[must_use]
    pub fn waiting_at_most(self, wait: Duration) -> Self {
        let wait = self.max_wait.min(wait);
        self.with_max_wait(wait)
    }

    /// Decides after the `attempt`th attempt (the first is 1) has failed; `waited` is how long the
    /// pauses took up to now, and `random` is drawn anew for each decision.
    pub fn decide(
        &self,
        attempt: u32,
        failed: &FailedAttempt,
        waited: Duration,
        random: u64,
    ) -> RetryDecision {
        let left = self.max_wait.saturating_sub(waited);
        let wait = failed.wait.unwrap_or_default();
        let hopeless = attempt >= self.max_attempts || wait > left || left.is_zero();
        if hopeless || !failed.may_be_repeated() {
            return RetryDecision::GiveUp;
        }
        // Everybody comes back at the reset; not all in the same instant, then.
        let after = wait.saturating_add(self.jitter(attempt, random));
        RetryDecision::Retry { after: after.min(left) }
    }

    /// Says whether it waits so long, if nothing has been waited for.
    pub(crate) fn waits_for(&self, wait: Duration) -> bool {
        self.max_attempts > 1 && wait <= self.max_wait
    }

    /// Says whether a call may be made once more after the `attempt`th attempt.
    pub(crate) fn allows_another(&self, attempt: u32) -> bool {
        attempt < self.max_attempts
    }

    fn jitter(&self, attempt: u32, random: u64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let longest = self.base.saturating_mul(1 << doublings).min(self.cap);
        let nanos = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(nanos.checked_add(1).map_or(random, |above| random % above))
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What a [`RetryPolicy`] needs to know of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailedAttempt {
    /// Whether asking twice does no more than asking once.
    pub repeatable: bool,
    /// Whether what was asked for may have been done nevertheless.
    pub maybe_done: bool,
    /// Whether the failure may pass.
    pub passing: bool,
    /// How long to wait at least, where X said it.
    pub wait: Option<Duration>,
}

impl FailedAttempt {
    /// Takes what counts from an error. `now` is X's time.
    pub fn of(error: &ClientError, repeatable: bool, now: Timestamp) -> Self {
        let wait = error.retry_after(now);
        Self {
            repeatable,
            maybe_done: error.maybe_done(),
            passing: error.is_retryable(),
            wait: wait.and_then(|wait| Duration::try_from(wait).ok()),
        }
    }

    fn may_be_repeated(&self) -> bool {
        self.passing && (self.repeatable || !self.maybe_done)
    }
}

/// What a [`RetryPolicy`] decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryDecision {
    /// Asks again after a pause.
    Retry {
        /// The pause.
        after: Duration,
    },
    /// The failure is the result.
    GiveUp,
}

/// A call is about to pause before it is made, mostly again; told to whoever
/// [listens](crate::ClientBuilder::on_wait).
#[derive(Debug)]
#[non_exhaustive]
pub struct Wait<'a> {
    /// What is to be done.
    pub operation: Operation,
    /// How many attempts of this call have failed.
    pub attempt: u32,
    /// How long the pause takes.
    pub after: Duration,
    /// When it ends, on the local clock.
    pub until: Timestamp,
    /// Why. `None` when nothing failed: the last answer said that no call is left.
    pub error: Option<&'a ClientError>,
}

impl Wait<'_> {
    /// Says whether it is a rate limit that is waited for.
    pub fn is_rate_limit(&self) -> bool {
        self.error.is_none_or(ClientError::is_rate_limited)
    }
}

#[cfg(test)]
mod tests;
