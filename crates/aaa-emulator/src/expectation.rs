//! What a run is expected to have been, looked at when an emulator ends.

use crate::{
    control::{Faults, JobState, Ledger},
    world::World,
};

/// What must be true when an [`Emulator`](crate::Emulator) ends. One that is not makes
/// [`shutdown`](crate::Emulator::shutdown), or dropping it, panic with what was seen: that is for
/// tests, and only for who asked with [`Builder::expect`](crate::Builder::expect).
///
/// # Examples
///
/// ```should_panic
/// use aaa_emulator::{Emulator, Expectation, control::{Action, Fault}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let emulator =
///     Emulator::builder().expect(Expectation::EveryFaultFired).start().await.unwrap();
/// emulator.plan_fault(Fault::new(Action::Drop)).unwrap();
/// // Nothing was ever delivered, so nothing was dropped: this panics.
/// emulator.shutdown().await;
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Expectation {
    /// Every planned fault fired as often as was planned: otherwise the test tested nothing.
    EveryFaultFired,
    /// Every event was answered 200 in the end.
    EveryEventAcknowledged,
    /// No delivery was answered with anything else than 200; that one failed is no refusal.
    NothingRefused,
    /// Every replay job ended, `Complete`.
    EveryJobComplete,
    /// No webhook is invalid.
    EveryWebhookValid,
}

/// How many of what was not as expected are told.
const TOLD: usize = 5;

impl Expectation {
    /// Returns what is not as expected, in words.
    pub(crate) fn unmet(self, world: &World) -> Option<String> {
        let now = world.state(jiff::Timestamp::MIN).now;
        match self {
            Self::EveryFaultFired => list("did not fire as planned", faults(&world.faults())),
            Self::EveryEventAcknowledged => {
                list("was never acknowledged", unacknowledged(&world.ledger(now)))
            }
            Self::NothingRefused => list("was refused", refused(&world.ledger(now))),
            Self::EveryJobComplete => list("is not complete", jobs(&world.ledger(now))),
            Self::EveryWebhookValid => {
                let state = world.state(now);
                let invalid = state.webhooks.iter().filter(|webhook| !webhook.valid);
                let told = invalid.map(|webhook| {
                    let why = webhook.last_check_error.as_deref().unwrap_or("no reason");
                    format!("webhook {} at {}: {why}", webhook.id, webhook.url)
                });
                list("is invalid", told.collect())
            }
        }
    }
}

fn list(what: &str, told: Vec<String>) -> Option<String> {
    let more = told.len().checked_sub(TOLD).filter(|more| *more > 0);
    let mut lines: Vec<_> = told.into_iter().take(TOLD).map(|line| format!("  {line}")).collect();
    if lines.is_empty() {
        return None;
    }
    lines.extend(more.map(|more| format!("  and {more} more")));
    Some(format!("{what}:\n{}", lines.join("\n")))
}

fn faults(faults: &Faults) -> Vec<String> {
    faults.unfinished().map(ToString::to_string).collect()
}

fn unacknowledged(ledger: &Ledger) -> Vec<String> {
    let events = ledger.events.iter().filter(|event| event.acknowledged_at.is_none());
    let told = events.map(|event| {
        let last = event.attempts.last().map(|attempt| match (&attempt.error, attempt.status) {
            (Some(error), _) => error.clone(),
            (None, Some(status)) => format!("answered {status}"),
            (None, None) => "still under way".to_owned(),
        });
        let last = last.unwrap_or_else(|| "never attempted".to_owned());
        format!("{} (attempts: {}; {last})", event.key, event.attempts.len())
    });
    told.collect()
}

fn refused(ledger: &Ledger) -> Vec<String> {
    let all = ledger.events.iter().flat_map(|event| {
        let statuses = event.attempts.iter().filter_map(|attempt| attempt.status);
        statuses.filter(|s| *s != 200).map(|status| format!("{} with {status}", event.key))
    });
    all.collect()
}

fn jobs(ledger: &Ledger) -> Vec<String> {
    let jobs = ledger.jobs.iter().filter(|job| job.state != JobState::Complete);
    jobs.map(|job| format!("job {} of webhook {}: {:?}", job.id, job.webhook_id, job.state))
        .collect()
}
