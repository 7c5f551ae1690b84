//! The webhooks of the app, and what is really so with them: whether they are valid, and who is
//! subscribed.

use std::collections::{BTreeMap, BTreeSet};

use aaa_types::{UserId, WebhookId, api::Webhook};

use super::Sim;
use crate::{
    clock::{Millis, SECOND},
    fault::Kind,
    scenario::{Happening, USERS},
    truth::Spell,
};

/// Where the receiver is; one URL for each webhook.
const URLS: [&str; 3] = [
    "http://127.0.0.1:8080/webhooks/twitter",
    "http://127.0.0.1:8080/webhooks/second",
    "http://127.0.0.1:8080/webhooks/third",
];

/// How many webhooks there may be.
pub(crate) const MOST: usize = URLS.len();

/// A webhook.
#[derive(Debug)]
pub(super) struct Hook {
    url: &'static str,
    /// None until it is registered.
    pub(super) id: Option<WebhookId>,
    /// Who should be subscribed.
    pub(super) wanted: BTreeSet<UserId>,
    invalid: Option<Began>,
    missing: BTreeMap<UserId, Began>,
}

/// When something began, on X's clock and in true time.
#[derive(Debug, Clone, Copy)]
struct Began {
    x: Millis,
    at: Millis,
}

impl Hook {
    pub(super) fn all(count: usize) -> Vec<Self> {
        let hook = |url| Self {
            url,
            id: None,
            wanted: BTreeSet::new(),
            invalid: None,
            missing: BTreeMap::new(),
        };
        URLS.iter().take(count.max(1)).copied().map(hook).collect()
    }
}

impl Sim {
    /// Returns the webhook that a user subscribes to.
    pub(super) fn hook_of(&mut self, user: u64) -> Option<&mut Hook> {
        let index = usize::try_from(user).unwrap_or(0) % self.hooks.len().max(1);
        self.hooks.get_mut(index)
    }

    /// Returns the webhooks that are registered.
    pub(super) fn webhooks(&self) -> Vec<WebhookId> {
        self.hooks.iter().filter_map(|hook| hook.id).collect()
    }

    /// Draws one of the webhooks that are registered.
    pub(super) fn some_webhook(&mut self) -> Option<WebhookId> {
        let all = self.webhooks();
        self.rng.choice(all)
    }

    /// Registers the webhooks, as somebody does once.
    pub(super) fn register(&mut self) {
        let urls: Vec<_> =
            self.hooks.iter().filter(|hook| hook.id.is_none()).map(|h| h.url).collect();
        for url in urls {
            let _ = self.world.register(url, self.scenario.generation, self.clocks.x());
        }
        self.carry_out();
    }

    /// A webhook is registered: its users subscribe.
    pub(super) fn registered(&mut self, webhook: &Webhook) {
        let (url, id) = (webhook.url.as_str(), webhook.id);
        if let Some(hook) = self.hooks.iter_mut().find(|hook| hook.url == url) {
            hook.id = Some(id);
        }
        self.watch_from();
        for user in USERS {
            if self.hook_of(user).is_some_and(|hook| hook.id == Some(id)) {
                self.later(SECOND, super::Event::Happening(Happening::Subscribe { user }));
            }
        }
    }

    pub(super) fn subscribe(&mut self, user: u64) -> Result<(), crate::disk::Failure> {
        let id = super::user_id(user)?;
        let Some(webhook) = self.hook_of(user).and_then(|hook| hook.id) else { return Ok(()) };
        if self.world.subscribe(webhook, id, self.clocks.x()).is_ok() {
            self.say(|| format!("user {user} subscribes"));
            if let Some(hook) = self.hook_of(user) {
                hook.wanted.insert(id);
            }
            self.tell_wanted(webhook);
            self.note_spells();
            if !USERS.contains(&user) {
                self.tally.fire(Kind::LateSubscription);
            }
        }
        Ok(())
    }

    /// X forgets a subscription.
    pub(super) fn lose_subscription(&mut self, user: u64) -> Result<(), crate::disk::Failure> {
        let id = super::user_id(user)?;
        if let Some(webhook) = self.hook_of(user).and_then(|hook| hook.id)
            && self.world.unsubscribe(webhook, id, self.clocks.x()).is_ok()
        {
            self.say(|| format!("X forgets the subscription of user {user}"));
            self.tally.fire(Kind::Unsubscribed);
        }
        self.note_spells();
        Ok(())
    }

    /// Nobody wants a user who has revoked access to be subscribed.
    pub(super) fn unwanted(&mut self, user: u64, id: UserId) {
        if let Some(hook) = self.hook_of(user) {
            hook.wanted.remove(&id);
            hook.missing.remove(&id);
        }
    }

    /// Notes since when X may attempt nothing for somebody, and when that is over.
    pub(super) fn note_spells(&mut self) {
        let now = self.clocks.now();
        let began = Began { x: self.clocks.x_at(now), at: now };
        let listed = self.world.webhooks();
        let mut spells = Vec::new();
        for hook in &mut self.hooks {
            let Some(webhook) = hook.id else { continue };
            let mut over = |since: Began, what| {
                let length = now - since.at;
                let (from, to) = (since.x, began.x);
                spells.push(Spell { webhook, from, to, length, what, is_forgotten: false });
            };
            let valid = listed.iter().any(|listed| listed.id == webhook && listed.valid);
            match (valid, hook.invalid) {
                (false, None) => hook.invalid = Some(began),
                (true, Some(since)) => {
                    hook.invalid = None;
                    over(since, "invalid");
                }
                _ => {}
            }
            for user in &hook.wanted {
                let there = self.world.is_subscribed(webhook, *user).unwrap_or(false);
                match (there, hook.missing.get(user).copied()) {
                    (false, None) => {
                        hook.missing.insert(*user, began);
                    }
                    (true, Some(since)) => {
                        hook.missing.remove(user);
                        over(since, "unsubscribed");
                    }
                    _ => {}
                }
            }
        }
        spells.into_iter().for_each(|spell| self.truth.silent(spell));
    }
}
