//! Does what the engine decides: with a real client, a real ledger and a real clock.
//!
//! [`Driver::run`] reads the gaps, asks for jobs and follows them; [`heartbeats`] writes the
//! coverage that the gaps are read from; both share an [`XClock`].

mod acts;
mod clock;
mod desk;
mod heartbeat;
mod refusal;
mod target;
mod told;
mod watching;

use std::{future::Future, pin::Pin, time::Duration};

use aaa_client::{Client, ClientError, RetryPolicy, Transport};
use aaa_types::{WebhookId, payload::ReplayJobStatus};
use jiff::SignedDuration;
use tokio::sync::{mpsc, watch};

pub use self::{
    clock::{XClock, is_shaken, offset_of},
    heartbeat::{heartbeat, heartbeats},
    refusal::classify,
    target::{Target, TargetError},
    watching::{Aid, Watch},
};
use self::{desk::Desk, told::Told};
use crate::{
    engine::{Figures, Fleet, Health, Input, Settings},
    ledger::{Holder, Ledger, LedgerError},
    notice::Notice,
};

/// How long the lease may take to be given back at the end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How long between two tries to read X's clock once the wall clock was set.
const SHAKEN: SignedDuration = SignedDuration::from_secs(5);

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

/// Sees whether the URL of a webhook answers a check as X wants it.
type Check = Box<
    dyn Fn(WebhookId) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync,
>;

/// Recovers the gaps of one receiver, unattended, for one or several webhooks that lead to it.
pub struct Driver<L, T> {
    client: Client<T>,
    clock: XClock,
    desk: Desk<L>,
    /// Which webhooks to recover, and which ones they were found to be: two may be the same.
    targets: Vec<(Target, Option<WebhookId>)>,
    settings: Settings,
    pace: Pace,
    fleet: Fleet,
    /// Whether the ledger has more attempts, gaps or declared gaps than the engines know of.
    fresh: bool,
    /// When to look for webhooks again, in the time since the run started.
    look_again: Option<SignedDuration>,
    clock_tried: Option<SignedDuration>,
    check: Option<Check>,
    told: Told,
    figures: watch::Sender<Figures>,
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
            targets: vec![(target, None)],
            settings,
            pace,
            fleet: Fleet::default(),
            fresh: true,
            look_again: None,
            clock_tried: None,
            check: None,
            told: Told::default(),
            figures: watch::Sender::default(),
        }
    }

    /// Recovers one more webhook.
    #[must_use]
    pub fn and(mut self, target: Target) -> Self {
        if !self.targets.iter().any(|(other, _)| *other == target) {
            self.targets.push((target, None));
        }
        self
    }

    /// Says who holds the lease of the ledger: by default `aaa listen`, a listener, whose run is
    /// the receiver's.
    #[must_use]
    pub fn held_by(mut self, holder: Holder) -> Self {
        self.desk.held_by(holder);
        self
    }

    /// Looks by itself whether a webhook's URL answers as X wants it, before X is asked to check an
    /// invalid webhook: an answer that is wrong again helps nobody. Without such a look X is asked at
    /// once.
    #[must_use]
    pub fn checking<F>(mut self, check: impl Fn(WebhookId) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.check = Some(Box::new(move |webhook| Box::pin(check(webhook))));
        self
    }

    /// Tells what is [unrecoverable](Notice::Unrecoverable) and what a
    /// [sweep](Notice::FoundBySweep) found, besides logging it. What finds no room
    /// is only logged.
    #[must_use]
    pub fn telling(mut self, notices: mpsc::Sender<Notice>) -> Self {
        self.told.tell_to(notices);
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
                self.start_over();
            }
            self.desk.tell(&error);
        }
        let now = self.clock.moment();
        let figures = self.fleet.figures(now);
        self.told.look(&mut self.fleet, figures, now);
        self.figures.send_replace(figures);
    }

    /// Reads X's clock when the last reading is old, or the wall clock was set since; after a
    /// failure no sooner than that.
    async fn keep_clock(&mut self) {
        let shaken = self.clock.is_shaken();
        let pace = if shaken { SHAKEN.min(self.pace.clock) } else { self.pace.clock };
        let old = |age: SignedDuration| age >= pace;
        let tried = self.clock_tried.map(|at| self.clock.uptime().saturating_sub(at));
        if (shaken || self.clock.age().is_none_or(old)) && tried.is_none_or(old) {
            self.clock_tried = Some(self.clock.uptime());
            if let Err(error) = self.read_clock().await {
                tracing::warn!(%error, "X's clock could not be read");
            }
        }
    }

    /// Looks at the gaps and does everything that can be done now.
    async fn step(&mut self, health: &(impl Fn() -> Health + Sync)) -> Result<(), LedgerError> {
        self.desk.trim().await?;
        if self.desk.hold(health().run).await? {
            // What the engines knew may be old by now.
            self.start_over();
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

    /// Forgets the engines, so that they are made anew from the ledger.
    fn start_over(&mut self) {
        self.fleet = Fleet::default();
        self.told.recount();
    }
}
