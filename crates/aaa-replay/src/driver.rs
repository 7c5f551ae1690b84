//! Does what the engine decides: with a real client, a real ledger and a real clock.
//!
//! [`Driver::run`] reads the gaps, asks for jobs and follows them; [`heartbeats`] writes the
//! coverage that the gaps are read from; both share an [`XClock`].

mod clock;
mod heartbeat;
mod refusal;

use std::{collections::BTreeMap, future::Future, time::Duration};

use aaa_client::{Client, ClientError, RetryPolicy, Transport};
use aaa_types::{WebhookId, WebhookUrl, api::Webhook, payload::ReplayJobStatus};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

pub use self::{
    clock::{XClock, offset_of},
    heartbeat::{heartbeat, heartbeats},
    refusal::classify,
};
use crate::{
    coverage::gaps,
    engine::{self, Action, Engine, Health, Input, Refusal, RefusalKind, Settings},
    ledger::{Ledger, LedgerError, Outcome},
    plan::{Lost, LostReason},
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
    pub fn find<'a>(&self, webhooks: &'a [Webhook]) -> Result<&'a Webhook, TargetError> {
        let found = match (self, webhooks) {
            (Self::Id(id), _) => webhooks.iter().find(|webhook| webhook.id == *id),
            (Self::Url(url), _) => webhooks.iter().find(|webhook| webhook.url == *url),
            (Self::Only, [only]) => Some(only),
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
    /// When to look for the webhook again, in the time since the run started.
    look_again: Option<SignedDuration>,
    clock_tried: Option<SignedDuration>,
    /// Which stretches were named as lost: where they begin, and where they ended then.
    told: BTreeMap<Timestamp, Timestamp>,
}

impl<L: Ledger, T: Transport> Driver<L, T> {
    /// Creates a driver. It has its own patience: its calls are made once.
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
            client: client.with_retry(RetryPolicy::none()),
            clock,
            target,
            settings,
            pace,
            engine: None,
            look_again: None,
            clock_tried: None,
            told: BTreeMap::new(),
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
    ///
    /// What cannot be recovered any more is said once, as an error in the log.
    pub async fn run(
        mut self,
        mut completions: mpsc::Receiver<ReplayJobStatus>,
        health: impl Fn() -> Health + Send + Sync,
        shutdown: impl Future<Output = ()>,
    ) {
        let mut tick = tokio::time::interval(self.pace.tick);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let completed = tokio::select! {
                () = &mut shutdown => return,
                Some(status) = completions.recv() => Some(status),
                _ = tick.tick() => None,
            };
            // A call that is cut off is safe: its intent is in the ledger.
            tokio::select! {
                () = &mut shutdown => return,
                () = self.work(completed, &health) => {}
            }
        }
    }

    async fn work(
        &mut self,
        completed: Option<ReplayJobStatus>,
        health: &(impl Fn() -> Health + Sync),
    ) {
        if let Some(status) = completed {
            tracing::info!(job = %status.job_id, state = ?status.job_state, "replay job ended");
            let now = self.clock.moment();
            if let Some(engine) = &mut self.engine {
                // What the receiver refused up to now counts against this job.
                engine.on(Input::Health(health()), now);
                engine.on(Input::Completed(status), now);
            }
        }
        self.keep_clock().await;
        if let Err(error) = self.step(health).await {
            tracing::error!(%error, "recovery has to wait");
        }
        self.tell_lost();
    }

    /// Names what is lost, each stretch once, and again when it has grown by an hour.
    fn tell_lost(&mut self) {
        let Some(engine) = &self.engine else { return };
        for lost in engine.plan(self.clock.moment()).lost {
            let told = self.told.get(&lost.from);
            if told.is_none_or(|to| lost.to.duration_since(*to) >= SignedDuration::from_hours(1)) {
                self.told.insert(lost.from, lost.to);
                let Lost { from, to, reason } = lost;
                if reason == LostReason::BeforeWebhook {
                    tracing::warn!(%from, %to, %reason, "cannot be replayed");
                } else {
                    tracing::error!(%from, %to, %reason, "LOST: cannot be replayed any more");
                }
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
    async fn step(&mut self, health: &(impl Fn() -> Health + Sync)) -> Result<(), LedgerError> {
        let gaps = gaps(&self.ledger.spans().await?, MARGIN);
        if self.engine.is_none() && !gaps.is_empty() {
            self.engine = self.resume(health()).await?;
        }
        let Some(engine) = &mut self.engine else { return Ok(()) };
        engine.on(Input::Gaps(gaps), self.clock.moment());
        loop {
            let now = self.clock.moment();
            engine.on(Input::Health(health()), now);
            let input = match engine.next_action(now) {
                None => break,
                Some(Action::Intend(intent)) => {
                    tracing::info!(window = %intent.request, "asking for a replay");
                    Input::Intended(self.ledger.intend(intent).await?)
                }
                Some(Action::Create { webhook, request }) => {
                    match self.client.app().create_replay(webhook, request).await {
                        Ok(job) => Input::Accepted(job.job_id),
                        Err(error) => {
                            tracing::warn!(%error, "no replay job");
                            let kind = classify(&error, self.clock.now());
                            if kind == RefusalKind::Invalid {
                                validate(&self.client, webhook).await;
                            }
                            Input::Refused(Refusal { kind, words: error.to_string() })
                        }
                    }
                }
                Some(Action::Settle { attempt, outcome }) => {
                    match &outcome {
                        Outcome::Recovered { job } => tracing::info!(%job, "gap recovered"),
                        Outcome::Failed { reason, .. } | Outcome::Incomplete { reason, .. } => {
                            tracing::warn!(reason, "not recovered");
                        }
                        Outcome::Intended | Outcome::Running { .. } => {}
                    }
                    self.ledger.settle(attempt, outcome, now.x).await?;
                    Input::Settled
                }
            };
            engine.on(input, self.clock.moment());
        }
        if engine.is_gone() {
            tracing::warn!("the webhook is gone: looking for the one that took its place");
            self.engine = None;
            self.look_again = Some(self.clock.uptime().saturating_add(self.settings.pause));
        }
        Ok(())
    }

    /// Finds the webhook and creates its engine from the ledger.
    async fn resume(&mut self, health: Health) -> Result<Option<Engine>, LedgerError> {
        if self.look_again.is_some_and(|uptime| self.clock.uptime() < uptime) {
            return Ok(None);
        }
        let webhook = match self.client.app().list_webhooks().await {
            Ok(webhooks) => self.target.find(&webhooks).cloned().map_err(|e| e.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let webhook = match webhook {
            Ok(webhook) => engine::Webhook { id: webhook.id, created_at: webhook.created_at },
            Err(error) => {
                tracing::error!(error, "the webhook to recover is not known");
                self.look_again = Some(self.clock.uptime().saturating_add(self.settings.pause));
                return Ok(None);
            }
        };
        let mut attempts = self.ledger.attempts().await?;
        attempts.retain(|attempt| attempt.intent.webhook == webhook.id);
        Ok(Some(Engine::new(webhook, self.settings, health, attempts)))
    }
}

/// Asks X to check the webhook: while it is marked invalid, X neither delivers nor replays.
async fn validate<T: Transport>(client: &Client<T>, webhook: WebhookId) {
    match client.app().validate_webhook(webhook).await {
        Ok(_) => tracing::info!(%webhook, "the webhook was invalid: X was asked to check it"),
        Err(error) => tracing::error!(%error, "the webhook is invalid"),
    }
}

/// How much a gap is widened: the request deadline, a heartbeat period and what the offset of X's
/// clock may be wrong by, rounded up generously. It costs a few copies, which are dropped.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);
