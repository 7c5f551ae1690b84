//! Registered webhooks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use aaa_types::{UserId, WebhookId, WebhookUrl, api::Webhook};
use jiff::Timestamp;

use super::{
    Refusal, Ticket, Timer, World,
    checks::Purpose,
    deliveries::Work,
    refusal::Reason,
    replay::{Job, Replaying},
};
use crate::{
    control::Abandoned,
    settings::{Generation, UrlRule},
};

/// A webhook.
#[derive(Debug)]
pub(super) struct Hook {
    pub(super) id: WebhookId,
    pub(super) url: WebhookUrl,
    /// Through which it was registered.
    pub(super) generation: Generation,
    pub(super) valid: bool,
    pub(super) created_at: Timestamp,
    pub(super) last_passed: Timestamp,
    pub(super) last_error: Option<String>,
    /// A scheduled check is under way.
    pub(super) checking: bool,
    pub(super) subscribers: BTreeSet<UserId>,
    /// What waits for its turn, apart from replays.
    pub(super) queue: VecDeque<Work>,
    /// How much of that is under way.
    pub(super) in_flight: usize,
    /// What waits to be overtaken.
    pub(super) held: BTreeMap<u64, Work>,
    /// What a replay can send again, by the time of its first attempt; times only rise.
    pub(super) attempted: Vec<(Timestamp, usize)>,
    pub(super) replaying: Replaying,
}

impl Hook {
    pub(super) fn job_mut(&mut self) -> Option<&mut Job> {
        match &mut self.replaying {
            Replaying::Running(job) => Some(job),
            Replaying::No | Replaying::Reserved => None,
        }
    }

    fn as_seen(&self) -> Webhook {
        Webhook {
            id: self.id,
            url: self.url.clone().into(),
            valid: self.valid,
            created_at: Some(self.created_at),
        }
    }
}

impl World {
    /// Registers a webhook, if it passes a check: [`Outcome::Registered`](super::Outcome).
    ///
    /// # Errors
    ///
    /// Refuses URLs that do not meet the requirements or are there already, and when there are as
    /// many webhooks as there may be.
    pub fn register(
        &mut self,
        url: &str,
        generation: Generation,
        now: Timestamp,
    ) -> Result<Ticket, Refusal> {
        self.observe(now);
        let url: WebhookUrl = url
            .parse()
            .map_err(|_| Reason::Url("Webhook URL does not meet the requirements.".into()))?;
        let public = url.check_public();
        if self.settings.urls == UrlRule::Strict || !url.is_loopback() {
            public.map_err(|error| Reason::Url(error.to_string()))?;
        }
        self.check_room(&url)?;
        let ticket = self.ticket();
        self.check(&url.clone(), generation, Purpose::Register { ticket, url });
        Ok(ticket)
    }

    /// Returns the registered webhooks, oldest first.
    pub fn webhooks(&self) -> Vec<Webhook> {
        self.hooks.values().map(Hook::as_seen).collect()
    }

    /// Checks a webhook, which makes it valid again: [`Outcome::Validated`](super::Outcome). What
    /// is told of a check that fails is a matter of
    /// [`ValidationAnswer`](crate::settings::ValidationAnswer).
    ///
    /// # Errors
    ///
    /// Refuses unknown webhooks.
    pub fn validate(
        &mut self,
        webhook: WebhookId,
        generation: Generation,
        now: Timestamp,
    ) -> Result<Ticket, Refusal> {
        self.observe(now);
        let url = self.hook(webhook)?.url.clone();
        let ticket = self.ticket();
        self.check(&url, generation, Purpose::Validate { ticket, webhook });
        Ok(ticket)
    }

    /// Removes a webhook with its subscriptions; a replay job of it ends.
    ///
    /// # Errors
    ///
    /// Refuses unknown webhooks.
    pub fn remove(&mut self, webhook: WebhookId, now: Timestamp) -> Result<(), Refusal> {
        self.observe(now);
        let mut hook = self.hooks.remove(&webhook).ok_or_else(unknown_webhook)?;
        if let Some(job) = hook.job_mut() {
            let id = job.id;
            self.records.end_job(id, crate::control::JobState::Incomplete);
        }
        for work in hook.queue.into_iter().chain(hook.held.into_values()) {
            self.abandon(work, Some(Abandoned::WebhookRemoved));
        }
        Ok(())
    }

    pub(super) fn hook(&self, webhook: WebhookId) -> Result<&Hook, Refusal> {
        self.hooks.get(&webhook).ok_or_else(unknown_webhook)
    }

    /// The second half of a registration, after the check. Another may have come first meanwhile.
    pub(super) fn registered(
        &mut self,
        url: WebhookUrl,
        generation: Generation,
    ) -> Result<Webhook, Refusal> {
        self.check_room(&url)?;
        let id = WebhookId::try_from(self.next_id()).map_err(|_| unknown_webhook())?;
        let hook = Hook {
            id,
            url,
            generation,
            valid: true,
            created_at: self.now,
            last_passed: self.now,
            last_error: None,
            checking: false,
            subscribers: BTreeSet::new(),
            queue: VecDeque::new(),
            in_flight: 0,
            held: BTreeMap::new(),
            attempted: Vec::new(),
            replaying: Replaying::No,
        };
        let seen = hook.as_seen();
        self.hooks.insert(id, hook);
        self.later(self.settings.checks.period, Timer::Check(id));
        Ok(seen)
    }

    fn check_room(&self, url: &WebhookUrl) -> Result<(), Refusal> {
        if self.hooks.values().any(|hook| hook.url == *url) {
            return Err(Reason::UrlTaken.into());
        }
        if self.hooks.len() >= self.settings.quota.webhooks {
            return Err(Reason::TooManyWebhooks.into());
        }
        Ok(())
    }
}

pub(super) fn unknown_webhook() -> Refusal {
    Reason::UnknownWebhook.into()
}
