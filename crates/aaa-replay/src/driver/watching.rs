mod finding;

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    time::Duration,
};

use aaa_client::{Client, RetryPolicy, Transport};
use aaa_types::{UserId, WebhookId};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

use super::{Target, XClock};
use crate::{
    ledger::Ledger,
    notice::Notice,
    watch::{Errand, Report, Rhythm, Watcher},
};

/// How long a watch waits at most before it looks at the clocks: timers stand still while the
/// machine sleeps, and what went wrong meanwhile has to be seen soon after.
const WAKEFUL: Duration = Duration::from_secs(5);

/// What a watch needs from elsewhere.
pub trait Aid: Send + Sync {
    /// Sees whether the webhook's URL answers a check as X wants it; says what is wrong.
    fn self_check(&self, webhook: WebhookId) -> impl Future<Output = Result<(), String>> + Send;

    /// Subscribes a user whose token is held; says why not.
    fn subscribe(
        &self,
        webhook: WebhookId,
        user: UserId,
    ) -> impl Future<Output = Result<(), String>> + Send;

    /// Says whether users who vanished are to be subscribed again, and not only named.
    fn subscribes(&self) -> bool {
        true
    }
}

/// Watches webhooks and their subscriptions, unattended.
pub struct Watch<L, T, A> {
    ledger: L,
    client: Client<T>,
    clock: XClock,
    targets: Vec<Target>,
    rhythm: Rhythm,
    aid: A,
    alive: Option<Timestamp>,
    watchers: BTreeMap<WebhookId, Watcher>,
    /// When X listed a webhook last, on its clock.
    listed: BTreeMap<WebhookId, Timestamp>,
    /// Who is recorded as a subscriber.
    recorded: BTreeMap<WebhookId, BTreeSet<UserId>>,
    /// When users revoked access.
    revoked: BTreeMap<UserId, Timestamp>,
    wanted: Option<Report>,
    /// When to look for webhooks again, in the time since the run started.
    look_again: SignedDuration,
    notices: Option<mpsc::Sender<Notice>>,
}

impl<L: Ledger, T: Transport, A: Aid> Watch<L, T, A> {
    /// Creates a watch of one webhook. `alive` is the last heartbeat of the run before, if there was
    /// one.
    pub fn new(
        ledger: L,
        client: Client<T>,
        clock: XClock,
        target: Target,
        rhythm: Rhythm,
        aid: A,
        alive: Option<Timestamp>,
    ) -> Self {
        Self {
            ledger,
            client: client.with_retry(RetryPolicy::none()),
            clock,
            targets: vec![target],
            rhythm,
            aid,
            alive,
            watchers: BTreeMap::new(),
            listed: BTreeMap::new(),
            recorded: BTreeMap::new(),
            revoked: BTreeMap::new(),
            wanted: None,
            look_again: SignedDuration::MIN,
            notices: None,
        }
    }

    /// Watches one more webhook.
    #[must_use]
    pub fn and(mut self, target: Target) -> Self {
        if !self.targets.contains(&target) {
            self.targets.push(target);
        }
        self
    }

    /// Takes over who revoked access and when, as far as somebody knows: an earlier run may have
    /// ended before it heard of it.
    #[must_use]
    pub fn revoked(mut self, revoked: BTreeMap<UserId, Timestamp>) -> Self {
        self.revoked = revoked;
        self
    }

    /// Tells what somebody has to hear of, besides logging it. What finds no room is only logged.
    #[must_use]
    pub fn telling(mut self, notices: mpsc::Sender<Notice>) -> Self {
        self.notices = Some(notices);
        self
    }

    /// Works until `shutdown` is ready. `news` brings who is wanted and who revoked access
    /// ([`Report::Wanted`], [`Report::Revoked`]).
    pub async fn run(
        mut self,
        mut news: mpsc::Receiver<Report>,
        shutdown: impl Future<Output = ()>,
    ) {
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let round = async {
                self.resume().await;
                self.look().await
            };
            let wait = tokio::select! {
                () = &mut shutdown => return,
                wait = round => wait,
            };
            tokio::select! {
                () = &mut shutdown => return,
                Some(report) = news.recv() => self.hear(&report),
                () = tokio::time::sleep(wait.min(WAKEFUL)) => {}
            }
        }
    }

    fn hear(&mut self, report: &Report) {
        let now = self.clock.moment();
        for watcher in self.watchers.values_mut() {
            watcher.on(report.clone(), now);
        }
        if matches!(report, Report::Wanted(_)) {
            self.wanted = Some(report.clone());
        } else if let (Report::Revoked(user), Some(Report::Wanted(wanted))) =
            (report, &mut self.wanted)
        {
            wanted.remove(user);
        }
        self.tell();
    }

    /// Does what is to be done; returns how long to wait then.
    async fn look(&mut self) -> Duration {
        let mut wait = self.rhythm.webhooks;
        let ids: Vec<_> = self.watchers.keys().copied().collect();
        for id in ids {
            let mut gone = false;
            while let Some(errand) = self.next(id) {
                let recorded = matches!(errand, Errand::Declare(_) | Errand::Prolong { .. });
                let report = self.perform(id, errand).await;
                let report = self.heed_dismissed(id, report).await;
                let failed = recorded && matches!(report, Report::Failed(_));
                let now = self.clock.moment();
                if let Report::Webhooks(all) = &report {
                    gone = !all.iter().any(|(listed, _)| *listed == id);
                    if !gone {
                        self.listed.insert(id, now.x);
                    }
                }
                if let Some(watcher) = self.watchers.get_mut(&id) {
                    watcher.on(report, now);
                }
                self.tell();
                if failed {
                    // The ledger will be there again later; until then nothing is forgotten.
                    gone = false;
                    break;
                }
            }
            self.keep(id).await;
            if gone {
                self.leave(id);
            }
            if let Some(watcher) = self.watchers.get(&id) {
                wait = wait.min(watcher.next_wakeup(self.clock.moment()));
            }
        }
        if self.watchers.len() < self.targets.len() {
            wait = wait.min(self.rhythm.pause);
        }
        // A little rest even when the ledger does not take anything.
        Duration::try_from(wait).unwrap_or_default().max(Duration::from_millis(100))
    }

    fn next(&mut self, id: WebhookId) -> Option<Errand> {
        let now = self.clock.moment();
        self.watchers.get_mut(&id)?.next_errand(now)
    }

    async fn perform(&self, id: WebhookId, errand: Errand) -> Report {
        let app = self.client.app();
        let done = |result: Result<(), String>| match result {
            Ok(()) => Report::Done,
            Err(reason) => Report::Failed(reason),
        };
        let report = match errand {
            Errand::ListWebhooks => match app.list_webhooks().await {
                Ok(all) => Report::Webhooks(all.iter().map(|w| (w.id, w.valid)).collect()),
                Err(error) => Report::Failed(error.to_string()),
            },
            Errand::SelfCheck => done(self.aid.self_check(id).await),
            Errand::Validate(webhook) => {
                let validated = app.validate_webhook(webhook).await;
                done(validated.map(drop).map_err(|error| error.to_string()))
            }
            Errand::ListSubscriptions(webhook) => match app.list_subscriptions(webhook).await {
                Ok(all) => {
                    let users = all.subscriptions.iter().map(|subscription| subscription.user_id);
                    Report::Subscriptions(users.collect())
                }
                Err(error) => Report::Failed(error.to_string()),
            },
            Errand::Subscribe { webhook, user } => done(self.aid.subscribe(webhook, user).await),
            Errand::Declare(declaration) => match self.ledger.declare(declaration).await {
                Ok(number) => Report::Declared(number),
                Err(error) => Report::Failed(error.to_string()),
            },
            Errand::Prolong { number, to } => {
                let prolonged = self.ledger.prolong(number, to).await;
                done(prolonged.map(drop).map_err(|error| error.to_string()))
            }
            Errand::Confirm { webhook, seen } => {
                let confirmed = self.ledger.confirm(webhook, seen).await;
                done(confirmed.map_err(|error| error.to_string()))
            }
        };
        if let Report::Failed(reason) = &report {
            tracing::debug!(%reason, "an errand of the watch failed");
        }
        report
    }

    fn tell(&mut self) {
        for notice in self.watchers.values_mut().flat_map(Watcher::notices) {
            if notice.is_bad() {
                tracing::error!(event = notice.event(), "{notice}");
            } else {
                tracing::info!(event = notice.event(), "{notice}");
            }
            if let Some(notices) = &self.notices
                && notices.try_send(notice).is_err()
            {
                tracing::warn!("nobody takes the notices");
            }
        }
    }
}
