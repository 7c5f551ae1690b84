//! Something happens, and whoever is subscribed and concerned is to hear of it.

use aaa_types::{UserId, WebhookId, event::Body};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Outcome, Ticket, World, deliveries::Work, ledger::NewEntry};
use crate::{
    control::{Cause, Trigger, Triggered, TriggeredEvent},
    credentials,
    payload::{self, Around, Fresh, Item},
    settings::{Relations, WhileInvalid},
};

/// Events cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TriggerError {
    /// The kind is no kind.
    #[error(
        "`{0}` is not a kind of event: expected `user_event`, a name ending in `_events`, an event \
         type with a dot or `filtered_stream`"
    )]
    Kind(String),
    /// Something is generated, so members can be merged into it, but nothing else.
    #[error("the payload of `{0}` is not an object: give the members that differ")]
    Payload(String),
    /// None or too many.
    #[error("the count {0} is not between 1 and {max}", max = Trigger::MAX_COUNT)]
    Count(u32),
    /// It would be another event.
    #[error("`context` cannot have `{0}`: that is what the event is; give it as `payload`")]
    Context(String),
    /// No such webhook.
    #[error("there is no webhook {0}")]
    Webhook(WebhookId),
    /// No such user.
    #[error("there is no user {0}: users are 1 to {max}", max = credentials::MAX_USER)]
    User(UserId),
}

/// What the ledger takes down of something that happened.
pub(super) struct Happened {
    pub(super) kind: String,
    pub(super) key: String,
    pub(super) body: Bytes,
    pub(super) is_account_activity: bool,
}

impl World {
    /// Makes events and begins to deliver them.
    ///
    /// # Errors
    ///
    /// Refuses what is not a kind, a payload that does not fit it, and counts out of range.
    pub fn trigger(&mut self, ask: &Trigger, now: Timestamp) -> Result<Triggered, TriggerError> {
        self.make(ask, None, now)
    }

    /// Makes events; the ticket is answered with [`Outcome::Settled`] once each of them was
    /// delivered or has failed.
    ///
    /// # Errors
    ///
    /// As [`World::trigger`].
    pub fn trigger_and_wait(
        &mut self,
        ask: &Trigger,
        now: Timestamp,
    ) -> Result<(Triggered, Ticket), TriggerError> {
        let ticket = self.ticket();
        // One for the call itself, so that nothing is answered before everything is begun.
        self.waits.insert(ticket, 1);
        let made = self.make(ask, Some(ticket), now);
        if made.is_err() {
            self.waits.remove(&ticket);
        }
        let made = made?;
        self.settle(ticket);
        Ok((made, ticket))
    }

    /// One of the deliveries that a caller waits for has ended.
    pub(super) fn settle(&mut self, ticket: Ticket) {
        let Some(left) = self.waits.get_mut(&ticket) else {
            return;
        };
        *left -= 1;
        if *left == 0 {
            self.waits.remove(&ticket);
            self.answer(ticket, Outcome::Settled);
        }
    }

    /// Returns the ids of those events whose end somebody waits for who has asked for them.
    pub(crate) fn under_way(&self, events: &[TriggeredEvent]) -> Vec<String> {
        let is_under_way = |event: &&TriggeredEvent| {
            event.id.parse().is_ok_and(|id| self.records.is_waited_for(id))
        };
        events.iter().filter(is_under_way).map(|event| event.id.clone()).collect()
    }

    fn make(
        &mut self,
        ask: &Trigger,
        wait: Option<Ticket>,
        now: Timestamp,
    ) -> Result<Triggered, TriggerError> {
        self.observe(now);
        let count = check(ask)?;
        if let Some(webhook) = ask.webhook_id.filter(|id| !self.hooks.contains_key(id)) {
            return Err(TriggerError::Webhook(webhook));
        }
        let mut events = Vec::new();
        for _ in 0..count {
            let fresh = self.fresh(ask);
            let mut item = Item::new(&ask.kind, ask.user_id, ask.payload.as_ref(), &fresh);
            item.set_apart(ask.payload.as_ref(), |sort| self.ids.next_millis(sort, self.now));
            for (webhook, user) in self.concerned(&item, ask) {
                events.push(self.publish(webhook, user, &item, ask.context.as_ref(), wait));
            }
            if let Some((blocks, user, other)) = item.block() {
                self.blocks.note(blocks, user, other);
            }
            if ask.kind == "user_event" {
                self.revoke(&item);
            }
        }
        let webhooks: Vec<_> = self.hooks.keys().copied().collect();
        webhooks.into_iter().for_each(|webhook| self.pump(webhook));
        Ok(Triggered::new(events))
    }

    fn fresh(&mut self, ask: &Trigger) -> Fresh {
        // Who gives members of an item wants these, and around them no surprise.
        let variety = if ask.payload.is_some() { 0 } else { self.generated };
        self.generated += u64::from(ask.payload.is_none());
        let (older_id, id) = (self.next_id(), self.next_id());
        Fresh {
            now: self.now,
            id,
            older_id,
            hex: self.random.hex(),
            variety,
            stranger: payload::STRANGER,
            revoked_at: self.now,
        }
    }

    /// Returns who is to hear of an item, and where: who acts first.
    fn concerned(&self, item: &Item, ask: &Trigger) -> Vec<(WebhookId, UserId)> {
        let actor = item.names_user().then_some(ask.user_id);
        let everybody = |relations| {
            let mut users: Vec<UserId> = Vec::new();
            for user in actor.into_iter().chain(item.parties(relations)) {
                if !users.contains(&user) {
                    users.push(user);
                }
            }
            users
        };
        let hooks = self.hooks.values().filter(|h| ask.webhook_id.is_none_or(|id| h.id == id));
        let concerned = hooks.flat_map(|hook| {
            let is_sent_anyway = ask.webhook_id.is_some() && !item.is_account_activity();
            let mut users = everybody(self.settings.relations_of(hook.generation));
            users.retain(|user| is_sent_anyway || hook.subscribers.contains(user));
            users.into_iter().map(|user| (hook.id, user))
        });
        concerned.collect()
    }

    /// Writes an event into the ledger and queues its delivery.
    fn publish(
        &mut self,
        webhook: WebhookId,
        user: UserId,
        item: &Item,
        context: Option<&Map<String, Value>>,
        wait: Option<Ticket>,
    ) -> TriggeredEvent {
        let has_blocked = item.author().is_some_and(|author| self.blocks.has(user, author));
        let flag = self.settings.blocked_flag;
        let body = item.body(user, Around { flag, has_blocked, context });
        let (kind, key) = identity(&body);
        let for_user_id = item.names_user().then_some(user);
        let happened = Happened {
            kind: kind.clone(),
            key: key.clone(),
            body,
            is_account_activity: item.is_account_activity(),
        };
        let id = self.log(webhook, for_user_id, happened, wait);
        TriggeredEvent { id: id.to_string(), key, kind, for_user_id }
    }

    /// The same with what is known of it; returns the id.
    pub(super) fn log(
        &mut self,
        webhook: WebhookId,
        for_user: Option<UserId>,
        Happened { kind, key, body, is_account_activity }: Happened,
        wait: Option<Ticket>,
    ) -> u64 {
        let is_valid = self.hooks.get(&webhook).is_some_and(|hook| hook.valid);
        let id = self.next_id();
        let entry = self.records.add(NewEntry {
            id,
            key,
            kind,
            for_user,
            webhook,
            is_account_activity,
            created_at: self.now,
            body,
            wait: wait.filter(|_| is_valid),
        });
        if let Some(waiting) = wait.filter(|_| is_valid).and_then(|w| self.waits.get_mut(&w)) {
            *waiting += 1;
        }
        let now = self.now;
        if let Some(hook) = self.hooks.get_mut(&webhook) {
            if is_valid {
                hook.queue.push_back(Work::Event { entry, cause: Cause::Live, job: None });
            } else if self.settings.while_invalid == WhileInvalid::Replayable {
                hook.attempted.push((now, entry));
            }
        }
        id
    }

    /// A user took the app's permission back: the subscriptions are gone.
    fn revoke(&mut self, item: &Item) {
        let users = item.parties(Relations::ByUser);
        for hook in self.hooks.values_mut() {
            hook.subscribers.retain(|user| !users.contains(user));
        }
    }
}

fn check(ask: &Trigger) -> Result<u32, TriggerError> {
    if !payload::is_kind(&ask.kind) {
        return Err(TriggerError::Kind(ask.kind.chars().take(100).collect()));
    }
    let is_object = ask.payload.as_ref().is_none_or(Value::is_object);
    if payload::is_generated(&ask.kind) && !is_object {
        return Err(TriggerError::Payload(ask.kind.clone()));
    }
    check_context(&ask.kind, ask.context.as_ref())?;
    if !(1..=credentials::MAX_USER).contains(&ask.user_id.as_u64()) {
        return Err(TriggerError::User(ask.user_id));
    }
    let count = ask.count.unwrap_or(1);
    if (1..=Trigger::MAX_COUNT).contains(&count) {
        Ok(count)
    } else {
        Err(TriggerError::Count(count))
    }
}

/// Refuses members that would make another event of it.
pub(crate) fn check_context(
    kind: &str,
    context: Option<&Map<String, Value>>,
) -> Result<(), TriggerError> {
    let is_event = |name: &&String| {
        let known = ["for_user_id", "data", "matching_rules", "user_event", payload::JOB_STATUS];
        known.contains(&name.as_str()) || name.ends_with("_events")
    };
    let Some(context) = context else {
        return Ok(());
    };
    // Of a filtered stream the item is the whole body.
    let found = context.keys().find(|name| kind == payload::STREAMED || is_event(name));
    found.map_or(Ok(()), |name| Err(TriggerError::Context(name.clone())))
}

/// Derives kind and key from the bytes of a body, as a receiver does.
pub(crate) fn identity(body: &Bytes) -> (String, String) {
    let events = Body::parse(body).map(|body| body.events()).unwrap_or_default();
    let first = events.first().map(|event| event.identity());
    first.map(|id| (id.kind().to_owned(), id.to_string())).unwrap_or_default()
}
