//! Does what the engine decides: with a real client, a real ledger and a real clock.
//!
//! [`Driver::run`] reads the gaps, asks for jobs and follows them; [`heartbeats`] writes the
//! coverage that the gaps are read from; both share an [`XClock`].

mod clock;
mod heartbeat;
mod refusal;

use std::{future::Future, time::Duration};

use aaa_client::{Client, ClientError, Transport};
use aaa_types::{WebhookId, WebhookUrl, api::Webhook, payload::ReplayJobStatus};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

pub use self::{
    clock::{XClock, offset_of},
    heartbeat::heartbeats,
    refusal::classify,
};
use crate::{
    coverage::gaps,
    engine::{Action, Engine, Health, Input, Refusal, Settings},
    ledger::{Ledger, LedgerError, Outcome},
};

/// Which webhook to replay.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// This one.
    Id(WebhookId),
    /// The one with this URL.
    Url(WebhookUrl),
    /// The app's only one.
    Only,
}

impl Target {
    /// Finds the webhook in a list.
    ///
    /// # Errors
    ///
    /// Fails when it is not there, or when it is not clear which of several is meant.
    pub fn find(&self, webhooks: &[Webhook]) -> Result<WebhookId, TargetError> {
        let found = match (self, webhooks) {
            (Self::Id(id), _) => Some(*id),
            (Self::Url(url), _) => webhooks.iter().find(|w| w.url == *url).map(|w| w.id),
            (Self::Only, [only]) => Some(only.id),
            (Self::Only, []) => None,
            (Self::Only, several) => return Err(TargetError::Several(several.len())),
        };
        found.ok_or(TargetError::None)
    }
}

/// It is not clear which webhook to replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// There is none.
    #[error("the app has no such webhook: register one, or name another")]
    None,
    /// There are several.
    #[error("the app has {0} webhooks: name the one to recover by its id or its public URL")]
    Several(usize),
}

/// How often the driver looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How long between two looks at the gaps.
    pub tick: Duration,
    /// How long between two readings of X's clock.
    pub clock: SignedDuration,
}

impl Pace {
    /// Returns the pace for an API: X's clock is read every minute, an emulator's, which may be
    /// set forward at any time, every five seconds.
    pub fn for_loopback(loopback: bool) -> Self {
        let clock = SignedDuration::from_secs(if loopback { 5 } else { 60 });
        Self { tick: Duration::from_secs(1), clock }
    }
}

/// Recovers the gaps of one receiver, unattended.
pub struct Driver<L, T> {
    ledger: L,
    client: Client<T>,
    clock: XClock,
    target: Target,
    settings: Settings,
    pace: Pace,
    engine: Option<Engine>,
    look_again: Option<Timestamp>,
    clock_tried: Option<SignedDuration>,
}

impl<L: Ledger, T: Transport> Driver<L, T> {
    /// Creates a driver.
    pub fn new(
        ledger: L,
        client: Client<T>,
        clock: XClock,
        target: Target,
        settings: Settings,
        pace: Pace,
    ) -> Self {
        Self {
            ledger,
            client,
            clock,
            target,
            settings,
            pace,
            engine: None,
            look_again: None,
            clock_tried: None,
        }
    }

    /// Reads X's clock once, so that the first heartbeat is written with a known offset.
    ///
    /// # Errors
    ///
    /// Fails when no answer with a date comes.
    pub async fn read_clock(&self) -> Result<(), ClientError> {
        let date = self.client.server_time().await?;
        self.clock.observe(date);
        Ok(())
    }

    /// Works until `shutdown` is ready. `completions` brings the `replay_job_status` events of the
    /// inbox, `health` what the receiver says of itself.
    pub async fn run(
        mut self,
        mut completions: mpsc::Receiver<ReplayJobStatus>,
        health: impl Fn() -> Health + Send,
        shutdown: impl Future<Output = ()>,
    ) {
        let mut tick = tokio::time::interval(self.pace.tick);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                Some(status) = completions.recv() => {
                    tracing::info!(job = %status.job_id, state = ?status.job_state, "replay job ended");
                    let now = self.clock.now();
                    if let Some(engine) = &mut self.engine {
                        engine.on(Input::Completed(status), now);
                    }
                }
                _ = tick.tick() => {}
            }
            self.keep_clock().await;
            if let Err(error) = self.step(&health).await {
                tracing::error!(%error, "recovery has to wait");
            }
        }
    }

    /// Reads X's clock when the last reading is old, and after a failure no sooner than that.
    async fn keep_clock(&mut self) {
        let old = |age: SignedDuration| age >= self.pace.clock;
        let tried = self.clock_tried.map(|at| self.clock.uptime().saturating_sub(at));
        if self.clock.age().is_none_or(old) && tried.is_none_or(old) {
            self.clock_tried = Some(self.clock.uptime());
            if let Err(error) = self.read_clock().await {
                tracing::warn!(%error, "X's clock could not be read");
            }
        }
    }

    /// Looks at the gaps and does everything that can be done now.
    async fn step(&mut self, health: &(impl Fn() -> Health + Send)) -> Result<(), LedgerError> {
        let gaps = gaps(&self.ledger.spans().await?, MARGIN);
        if self.engine.is_none() && !gaps.is_empty() {
            self.engine = self.resume(health()).await?;
        }
        let Some(engine) = &mut self.engine else { return Ok(()) };
        engine.on(Input::Gaps(gaps), self.clock.now());
        loop {
            let now = self.clock.now();
            engine.on(Input::Health(health()), now);
            let input = match engine.next_action(now) {
                None => return Ok(()),
                Some(Action::Intend(intent)) => {
                    tracing::info!(window = %intent.request, "asking for a replay");
                    Input::Intended(self.ledger.intend(intent).await?)
                }
                Some(Action::Create { webhook, request }) => {
                    match self.client.create_replay(webhook, request).await {
                        Ok(job) => Input::Accepted(job.job_id),
                        Err(error) => {
                            tracing::warn!(%error, "no replay job");
                            let kind = classify(&error, now);
                            Input::Refused(Refusal { kind, words: error.to_string() })
                        }
                    }
                }
                Some(Action::Settle { attempt, outcome }) => {
                    match &outcome {
                        Outcome::Recovered { job } => tracing::info!(%job, "gap recovered"),
                        Outcome::Failed { reason, .. } => tracing::warn!(reason, "not recovered"),
                        Outcome::Intended | Outcome::Running { .. } => {}
                    }
                    self.ledger.settle(attempt, outcome, now).await?;
                    Input::Settled
                }
            };
            engine.on(input, self.clock.now());
        }
    }

    /// Finds the webhook and creates its engine from the ledger.
    async fn resume(&mut self, health: Health) -> Result<Option<Engine>, LedgerError> {
        let now = self.clock.now();
        if self.look_again.is_some_and(|time| now < time) {
            return Ok(None);
        }
        let webhook = match &self.target {
            Target::Id(id) => Ok(*id),
            target => match self.client.list_webhooks().await {
                Ok(webhooks) => target.find(&webhooks).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            },
        };
        let webhook = match webhook {
            Ok(webhook) => webhook,
            Err(error) => {
                tracing::error!(error, "the webhook to recover is not known");
                self.look_again = now.saturating_add(self.settings.pause).ok();
                return Ok(None);
            }
        };
        let mut attempts = self.ledger.attempts().await?;
        attempts.retain(|attempt| attempt.intent.webhook == webhook);
        Ok(Some(Engine::new(webhook, self.settings, health, attempts)))
    }
}

/// How much a gap is widened: the request deadline, a heartbeat period and what the offset of X's
/// clock may be wrong by, rounded up generously. It costs a few copies, which are dropped.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);
