//! Does what the engine decides: with a real client, a real ledger and a real clock.
//!
//! [`Driver::run`] reads the gaps, asks for jobs and follows them; [`heartbeats`] writes the
//! coverage that the gaps are read from; both share an [`XClock`].

mod clock;
mod desk;
mod heartbeat;
mod refusal;
mod target;
mod watching;

use std::{collections::BTreeMap, future::Future, time::Duration};

use aaa_client::{Client, ClientError, Operation, RetryPolicy, Transport};
use aaa_types::{UtcMinute, WebhookId, payload::ReplayJobStatus};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, watch};

use self::desk::Desk;
pub use self::{
    clock::{XClock, offset_of},
    heartbeat::{heartbeat, heartbeats},
    refusal::classify,
    target::{Target, TargetError},
    watching::{Aid, Watch},
};
use crate::{
    engine::{
        self, Action, Engine, Figures, Fleet, Health, Input, Quota, Refusal, RefusalKind, Settings,
    },
    ledger::{Ledger, LedgerError, Outcome, Role},
    notice::Notice,
    plan::Lost,
};

/// How long the lease may take to be given back at the end.
const LAST_WORDS: Duration = Duration::from_secs(2);

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

/// Recovers the gaps of one receiver, unattended, for one or several webhooks that lead to it.
pub struct Driver<L, T> {
    client: Client<T>,
    clock: XClock,
    desk: Desk<L>,
    targets: Vec<Target>,
    settings: Settings,
    pace: Pace,
    fleet: Fleet,
    /// Whether the ledger has more attempts, gaps or declared gaps than the engines know of.
    fresh: bool,
    /// When to look for webhooks again, in the time since the run started.
    look_again: Option<SignedDuration>,
    clock_tried: Option<SignedDuration>,
    /// Which stretches were named as lost: where they begin, and where they ended then.
    told: BTreeMap<(WebhookId, Timestamp), Timestamp>,
    /// What there was to tell of that at the last look, which was in this minute.
    lost: Option<(usize, usize, UtcMinute)>,
    figures: watch::Sender<Figures>,
    notices: Option<mpsc::Sender<Notice>>,
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
            client: client.with_retry(RetryPolicy::none()),
            desk: Desk::new(ledger, clock.clone(), settings),
            clock,
            targets: vec![target],
            settings,
            pace,
            fleet: Fleet::default(),
            fresh: true,
            look_again: None,
            clock_tried: None,
            told: BTreeMap::new(),
            lost: None,
            figures: watch::Sender::default(),
            notices: None,
        }
    }

    /// Recovers one more webhook.
    #[must_use]
    pub fn and(mut self, target: Target) -> Self {
        if !self.targets.contains(&target) {
            self.targets.push(target);
        }
        self
    }

    /// Says who holds the lease of the ledger: by default `aaa listen`, a listener.
    #[must_use]
    pub fn held_by(mut self, name: &str, role: Role) -> Self {
        self.desk.held_by(name, role);
        self
    }

    /// Tells what is [unrecoverable](Notice::Unrecoverable), besides logging it. What finds no room
    /// is only logged.
    #[must_use]
    pub fn telling(mut self, notices: mpsc::Sender<Notice>) -> Self {
        self.notices = Some(notices);
        self
    }

    /// Watches figures about what is done, as of the last look.
    pub fn figures(&self) -> watch::Receiver<Figures> {
        self.figures.subscribe()
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
    /// Jobs are only asked for while the lease of the ledger is held; while somebody else holds
    /// it, the driver waits for its end. What cannot be recovered any more is said once, as an
    /// error in the log.
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
                () = &mut shutdown => break,
                Some(status) = completions.recv() => Some(status),
                _ = tick.tick() => None,
            };
            // A call that is cut off is safe: its intent is in the ledger.
            tokio::select! {
                () = &mut shutdown => break,
                () = self.work(completed, &health) => {}
            }
        }
        // A store that does not answer must not keep us.
        let _ = tokio::time::timeout(LAST_WORDS, self.desk.leave()).await;
    }

    async fn work(
        &mut self,
        completed: Option<ReplayJobStatus>,
        health: &(impl Fn() -> Health + Sync),
    ) {
        if let Some(status) = completed {
            tracing::info!(job = %status.job_id, state = ?status.job_state, "replay job ended");
            let now = self.clock.moment();
            // What the receiver refused up to now counts against this job.
            self.fleet.on_all(&Input::Health(health()), now);
            self.fleet.on_all(&Input::Completed(status), now);
        }
        self.keep_clock().await;
        if let Err(error) = self.step(health).await {
            if matches!(error, LedgerError::NotHeld | LedgerError::Held(_)) {
                // Whoever has it now knows more than these engines.
                self.fleet = Fleet::default();
            }
            self.desk.tell(&error);
        }
        let now = self.clock.moment();
        let figures = self.fleet.figures(now);
        let lost = (figures.lost, figures.maybe_lost, UtcMinute::floor(now.x));
        if self.lost.replace(lost) != Some(lost) {
            self.tell_lost();
        }
        self.figures.send_replace(figures);
    }

    /// Names what is lost, each stretch once, and again when it has grown by an hour.
    fn tell_lost(&mut self) {
        let now = self.clock.moment();
        let mut all = Vec::new();
        for engine in self.fleet.engines() {
            let webhook = engine.webhook().id;
            all.extend(engine.plan(now).lost.iter().map(|lost| (webhook, lost.clone())));
        }
        for (webhook, Lost { from, to, reason }) in all {
            let told = self.told.get(&(webhook, from));
            if told.is_some_and(|told| to.duration_since(*told) < SignedDuration::from_hours(1)) {
                continue;
            }
            self.told.insert((webhook, from), to);
            let certain = reason.is_certain();
            if certain {
                tracing::error!(%from, %to, %reason, "LOST: cannot be replayed any more");
            } else {
                tracing::warn!(%from, %to, %reason, "perhaps it cannot be replayed");
            }
            let reason = reason.to_string();
            let notice = Notice::Unrecoverable { webhook, from, to, reason, certain };
            if self.notices.as_ref().is_some_and(|notices| notices.try_send(notice).is_err()) {
                tracing::warn!("nobody takes the notices");
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
        if self.desk.hold(health().run).await? {
            // What the engines knew may be old by now.
            self.fleet = Fleet::default();
        }
        self.fresh |= self.desk.look().await?;
        if !self.desk.is_idle() {
            self.fresh |= self.resume(health()).await?;
        }
        if std::mem::take(&mut self.fresh) {
            let now = self.clock.moment();
            self.fleet.on_all(&Input::Gaps(self.desk.gaps().to_vec()), now);
            self.fleet.on_all(&Input::Declared(self.desk.declared().to_vec()), now);
        }
        loop {
            let now = self.clock.moment();
            self.fleet.on_all(&Input::Health(health()), now);
            let Some((webhook, action)) = self.fleet.next_action(now) else { break };
            let input = self.perform(action, now).await?;
            let now = self.clock.moment();
            let quota = matches!(input, Input::Accepted(_) | Input::Refused(_));
            self.fleet.on(webhook, input, now);
            if let Some(quota) = self.quota().filter(|_| quota) {
                self.fleet.on_all(&Input::Quota(quota), now);
            }
        }
        for webhook in self.fleet.drain_gone() {
            tracing::warn!(%webhook, "the webhook is gone: looking for one that took its place");
            self.look_again = Some(self.clock.uptime().saturating_add(self.settings.pause));
        }
        Ok(())
    }

    /// Does one thing.
    async fn perform(&mut self, action: Action, now: engine::Moment) -> Result<Input, LedgerError> {
        Ok(match action {
            Action::Intend(intent) => {
                tracing::info!(window = %intent.request, "asking for a replay");
                Input::Intended(self.desk.intend(intent).await?)
            }
            Action::Create { webhook, request } => {
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
            Action::Settle { attempt, outcome } => {
                let found = self.desk.settle(attempt, outcome.clone(), now.x).await?;
                match &outcome {
                    Outcome::Recovered { job } => tracing::info!(%job, found, "minutes recovered"),
                    Outcome::Failed { reason, .. } | Outcome::Incomplete { reason, .. } => {
                        tracing::warn!(reason, "not recovered");
                    }
                    Outcome::Intended | Outcome::Running { .. } => {}
                }
                Input::Settled { found }
            }
        })
    }

    /// Returns what X said of its rate limit, as far as it said both parts.
    fn quota(&self) -> Option<Quota> {
        let limit = self.client.rate_limit(Operation::CreateReplay)?;
        Some(Quota { remaining: limit.remaining?, reset: limit.reset? })
    }

    /// Finds the webhooks that have no engine, and creates their engines from the ledger; says
    /// whether there were any.
    async fn resume(&mut self, health: Health) -> Result<bool, LedgerError> {
        let all = self.fleet.engines().count() >= self.targets.len();
        if all || self.look_again.is_some_and(|uptime| self.clock.uptime() < uptime) {
            return Ok(false);
        }
        let webhooks = match self.client.app().list_webhooks().await {
            Ok(webhooks) => webhooks,
            Err(error) => {
                self.not_known(&error.to_string());
                return Ok(false);
            }
        };
        let mut attempts = None;
        let mut found = false;
        for target in self.targets.clone() {
            let webhook = match target.find(&webhooks) {
                Ok(webhook) => engine::Webhook { id: webhook.id, created_at: webhook.created_at },
                Err(error) => {
                    self.not_known(&error.to_string());
                    continue;
                }
            };
            if self.fleet.engine(webhook.id).is_some() {
                continue;
            }
            let attempts = match &attempts {
                Some(attempts) => attempts,
                None => attempts.insert(self.desk.attempts().await?),
            };
            self.fleet.add(Engine::new(webhook, self.settings, health, attempts.clone()));
            found = true;
        }
        Ok(found)
    }

    fn not_known(&mut self, error: &str) {
        tracing::error!(error, "the webhook to recover is not known");
        self.look_again = Some(self.clock.uptime().saturating_add(self.settings.pause));
    }
}

/// Asks X to check the webhook: while it is marked invalid, X neither delivers nor replays.
async fn validate<T: Transport>(client: &Client<T>, webhook: WebhookId) {
    match client.app().validate_webhook(webhook).await {
        Ok(_) => tracing::info!(%webhook, "the webhook was invalid: X was asked to check it"),
        Err(error) => tracing::error!(%error, "the webhook is invalid"),
    }
}
