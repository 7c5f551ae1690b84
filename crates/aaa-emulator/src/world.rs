//! The emulated service as a state machine: no socket, no clock, no randomness but its own seed.
//!
//! Whoever drives a [`World`] calls its methods with the time, takes the [`Effect`]s that pile up,
//! carries them out, and reports what was heard with [`World::check_ended`] and
//! [`World::delivery_ended`]. [`World::next_wakeup`] says when to call [`World::wake`] at the
//! latest. What cannot be answered at once is answered by an [`Effect::Answer`] with the same
//! [`Ticket`].
//!
//! ```
//! use aaa_emulator::{
//!     settings::{Generation, Settings},
//!     world::{Answer, Effect, Outcome, World},
//! };
//!
//! let now = "2025-11-22T04:00:00Z".parse()?;
//! let mut world = World::new(Settings::default(), now);
//! world.register("http://127.0.0.1:8080/webhooks/twitter", Generation::V2, now)?;
//!
//! // The webhook is asked first, and this one answers nonsense.
//! let Some(Effect::Check(check)) = world.take_effects().pop() else { panic!("no check") };
//! assert!(check.uri.starts_with("http://127.0.0.1:8080/webhooks/twitter?crc_token="));
//! world.check_ended(check.id, Ok(Answer::new(200, "{}")), now);
//!
//! let Some(Effect::Answer(_, Outcome::Registered(Err(refusal)))) = world.take_effects().pop()
//! else { panic!("registered") };
//! assert_eq!(refusal.name(), "CrcValidationFailed");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod blocks;
mod bodies;
mod checks;
mod deliveries;
mod effect;
pub(crate) mod events;
mod faults;
mod grants;
mod ledger;
mod limits;
mod messages;
pub(crate) mod random;
mod refusal;
mod replay;
mod snapshot;
mod state;
mod subscriptions;
mod traffic;
mod webhooks;

use std::collections::{BTreeMap, HashMap};

use aaa_types::{ConsumerSecret, WebhookId};
use jiff::{SignedDuration, Timestamp};

use self::{
    blocks::Blocks,
    checks::PendingCheck,
    deliveries::{InFlight, Work},
    faults::Planned,
    grants::Grants,
    ledger::Records,
    limits::Limits,
    random::{Ids, Random},
    webhooks::Hook,
};
pub use self::{
    effect::{
        Answer, Check, CheckId, DeliveryId, Effect, Heard, Outcome, Post, Silence, Ticket, Wire,
    },
    events::TriggerError,
    grants::{Consent, Decided, Decision, GrantError, RequestGrant},
    limits::RateLimit,
    messages::{MessageError, NewMessage, SentMessage},
    refusal::Refusal,
    snapshot::SnapshotError,
    subscriptions::SubscriptionList,
};
pub(crate) use self::{grants::OUT_OF_BAND, refusal::Reason};
use crate::{credentials, settings::Settings};

/// The emulated service: one app, its webhooks, and everything that was ever delivered.
#[derive(Debug)]
pub struct World {
    settings: Settings,
    secret: Option<ConsumerSecret>,
    now: Timestamp,
    random: Random,
    ids: Ids,
    hooks: BTreeMap<WebhookId, Hook>,
    records: Records,
    timers: BTreeMap<(Timestamp, u64), Timer>,
    checks: HashMap<CheckId, PendingCheck>,
    deliveries: HashMap<DeliveryId, InFlight>,
    /// How many deliveries each waiting caller still waits for.
    waits: HashMap<Ticket, usize>,
    faults: Planned,
    /// What happens by itself.
    traffic: Option<traffic::Running>,
    blocks: Blocks,
    limits: Limits,
    grants: Grants,
    effects: Vec<Effect>,
    /// Counts everything that needs a number of its own, timers and tickets alike.
    serial: u64,
    /// Counts generated events, for the varieties.
    generated: u64,
}

/// What is to happen later.
#[derive(Debug)]
enum Timer {
    /// A webhook is due for a check.
    Check(WebhookId),
    /// A delayed delivery begins.
    Begin(WebhookId, Work),
    /// Nothing has overtaken a delivery that waits to be overtaken.
    Release(WebhookId, u64),
    /// A failed delivery is due again.
    Retry(WebhookId, Work),
    /// A replay job may go on.
    Pace(WebhookId),
}

impl World {
    /// Creates a world without webhooks.
    pub fn new(settings: Settings, now: Timestamp) -> Self {
        Self {
            random: Random::new(settings.seed),
            secret: credentials::consumer_secret(),
            now,
            ids: Ids::new(),
            hooks: BTreeMap::new(),
            records: Records::default(),
            timers: BTreeMap::new(),
            checks: HashMap::new(),
            deliveries: HashMap::new(),
            waits: HashMap::new(),
            faults: Planned::new(settings.seed),
            settings,
            blocks: Blocks::default(),
            limits: Limits::default(),
            grants: Grants::new(),
            traffic: None,
            effects: Vec::new(),
            serial: 0,
            generated: 0,
        }
    }

    /// Forgets everything but the settings. What was under way is not listened to any more.
    pub fn reset(&mut self, now: Timestamp) {
        let serial = self.serial;
        *self = Self::new(self.settings.clone(), now);
        // What the world before sent out may still come back; its numbers must mean nothing here.
        self.serial = serial;
    }

    /// Returns how the world behaves.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns what is to be carried out, in order.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Returns the time of the next thing that happens by itself.
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        let timer = self.timers.first_key_value().map(|((at, _), _)| *at);
        timer.into_iter().chain(self.next_act()).min()
    }

    /// Lets everything happen that is due, in order, each at its own time.
    pub fn wake(&mut self, now: Timestamp) {
        while let Some(due) = self.next_wakeup().filter(|due| *due <= now) {
            self.observe(due);
            if self.act(due) {
                continue;
            }
            let Some(timer) = self.timers.pop_first().map(|(_, timer)| timer) else {
                break;
            };
            match timer {
                Timer::Check(webhook) => self.check_on_schedule(webhook),
                Timer::Begin(webhook, work) => self.begin_late(webhook, work),
                Timer::Release(webhook, held) => self.release(webhook, held),
                Timer::Retry(webhook, work) => self.retry(webhook, work),
                Timer::Pace(webhook) => self.pace(webhook),
            }
        }
        self.observe(now);
    }

    /// Time never goes back, whatever a caller's clock says.
    fn observe(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    fn later(&mut self, delay: SignedDuration, timer: Timer) {
        let at = self.now.checked_add(delay).unwrap_or(Timestamp::MAX);
        let serial = self.next_serial();
        self.timers.insert((at, serial), timer);
    }

    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    fn ticket(&mut self) -> Ticket {
        Ticket(self.next_serial())
    }

    fn next_id(&mut self) -> u64 {
        self.ids.next(&mut self.random, self.now)
    }

    /// Says whether no webhook is being asked for anything.
    pub fn is_idle(&self) -> bool {
        self.checks.is_empty() && self.deliveries.is_empty()
    }

    fn answer(&mut self, ticket: Ticket, outcome: Outcome) {
        self.effects.push(Effect::Answer(ticket, outcome));
    }
}

#[cfg(test)]
mod tests;
