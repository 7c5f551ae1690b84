//! Watches what X thinks of a webhook, and who is subscribed to it; does none of it itself.
//!
//! An invalid webhook receives nothing, and nobody is told: the list of webhooks is the only sign.
//! A subscription may vanish just as silently. A [`Watcher`] says what to ask ([`Errand`]), learns
//! what came back ([`Report`]), and tells what somebody has to hear of ([`Notice`]). Like an
//! engine it knows neither clock nor network.
//!
//! # What it does
//!
//! * An invalid webhook is checked by X anew, but only after its URL passed a check of our own: an
//!   answer that is wrong again helps nobody. Whether it helped, only the list says.
//! * Who was subscribed, by what this run or an earlier one has seen, or should be, and is not, is
//!   named, and subscribed again where that is wanted; users who revoked access are neither, nor is
//!   whom somebody has [dismissed](crate::ledger::Ledger::dismiss).
//! * The time in between is [declared](crate::ledger::Ledger::declare) as a gap that may be
//!   unrecoverable: X replays only what it attempted to deliver.
//! * When all was well is [recorded](crate::ledger::Ledger::confirm), so that a restart declares
//!   from then on what it finds wrong, and goes on with what the run before had declared.
//! * Two looks cover the time between them when it is no longer than three times the rhythm. What
//!   went wrong and right again in a longer one nobody has seen, so that time is declared as well:
//!   something may be missing. A run that looks at once knows that nothing became right while
//!   nobody was there: X makes a webhook valid only when somebody answers its check. But the run
//!   before may have been there without being able to ask, which its last heartbeat tells.
//! * A machine that wakes is like a run that starts: its steady clock stood still, but all may have
//!   gone wrong meanwhile, and may be right again before that clock says that it is time to look.
//!   So it looks at once, and forgets what it was answered before.

mod subscribers;
mod validity;
mod well;

use std::collections::{BTreeSet, VecDeque};

use aaa_types::{UserId, WebhookId};
use jiff::{SignedDuration, Timestamp};

use self::{subscribers::Subscribers, validity::Validity, well::Well};
use crate::{
    coverage::{Cause, Gap},
    engine::Moment,
    ledger::{Declaration, Declared, Seen},
    notice::Notice,
};

/// How often a watcher asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    /// How long between two looks at the list of webhooks.
    pub webhooks: SignedDuration,
    /// How long between two looks at the list of subscriptions.
    pub subscriptions: SignedDuration,
    /// How long to wait before something that failed is tried again, doubled with each failure.
    pub pause: SignedDuration,
    /// The longest such wait.
    pub long_pause: SignedDuration,
}

impl Rhythm {
    /// Returns what the limits of v2 allow easily: once a minute.
    pub const fn v2() -> Self {
        Self {
            webhooks: SignedDuration::from_secs(60),
            subscriptions: SignedDuration::from_secs(60),
            pause: SignedDuration::from_secs(30),
            long_pause: SignedDuration::from_mins(10),
        }
    }

    /// Returns what v1.1 allows, whose limit for webhooks is 15 calls in 15 minutes: every two
    /// minutes.
    pub const fn v1_1() -> Self {
        let two_minutes = SignedDuration::from_mins(2);
        Self { webhooks: two_minutes, subscriptions: two_minutes, ..Self::v2() }
    }

    /// Returns the rhythm for an emulator on loopback, whose clock may be set forward.
    pub const fn loopback() -> Self {
        let second = SignedDuration::from_secs(1);
        let five = SignedDuration::from_secs(5);
        Self { webhooks: five, subscriptions: five, pause: second, long_pause: five }
    }
}

/// Something to ask, or to record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Errand {
    /// List the webhooks, then tell [`Report::Webhooks`].
    ListWebhooks,
    /// See whether the webhook's URL answers a check as X wants it, then tell [`Report::Done`].
    SelfCheck,
    /// Have X check the webhook, then tell [`Report::Done`].
    Validate(WebhookId),
    /// List the subscriptions, then tell [`Report::Subscriptions`].
    ListSubscriptions(WebhookId),
    /// Subscribe a user whose token is held, then tell [`Report::Done`].
    Subscribe {
        /// The webhook.
        webhook: WebhookId,
        /// The user.
        user: UserId,
    },
    /// Record a gap in the ledger, then tell [`Report::Declared`].
    Declare(Declaration),
    /// Move the end of a gap in the ledger, then tell [`Report::Done`].
    Prolong {
        /// The gap.
        number: u64,
        /// Its end.
        to: Timestamp,
    },
    /// Record that all is well, then tell [`Report::Done`]. Should it fail, the next look records
    /// it.
    Confirm {
        /// The webhook.
        webhook: WebhookId,
        /// What is well.
        seen: Seen,
    },
}

/// What came of an errand, or happened besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// The app's webhooks, and whether each is valid.
    Webhooks(Vec<(WebhookId, bool)>),
    /// The users who are subscribed.
    Subscriptions(BTreeSet<UserId>),
    /// The gap has this number.
    Declared(u64),
    /// It is done.
    Done,
    /// It failed, for this reason.
    Failed(String),
    /// These users should be subscribed, besides those who were.
    Wanted(BTreeSet<UserId>),
    /// A user revoked access: X deletes the subscription.
    Revoked(UserId),
}

/// The watcher of one webhook.
#[derive(Debug)]
pub struct Watcher {
    webhook: WebhookId,
    rhythm: Rhythm,
    validity: Validity,
    subscribers: Subscribers,
    errands: VecDeque<Errand>,
    notices: Vec<Notice>,
    /// When the lists were asked for last, in the time since the run started.
    looked: (Option<SignedDuration>, Option<SignedDuration>),
    /// When it was last asked or told something.
    last: Option<Moment>,
}

impl Watcher {
    /// Creates a watcher from what the ledger remembers: when all was well, and what is declared.
    /// `alive` is when the run before was there for the last time.
    pub fn new(
        webhook: WebhookId,
        rhythm: Rhythm,
        (seen, declared): (Seen, &[Declared]),
        alive: Option<Timestamp>,
    ) -> Self {
        let open = |cause| seen.open_spell(webhook, cause, declared).map(Spell::from);
        Self {
            webhook,
            rhythm,
            validity: Validity::new(
                Well::new(seen.valid, alive, rhythm.webhooks),
                open(Cause::Invalid),
            ),
            subscribers: Subscribers::new(
                Well::new(seen.complete, alive, rhythm.subscriptions),
                open(Cause::Unsubscribed),
            ),
            errands: VecDeque::new(),
            notices: Vec::new(),
            looked: (None, None),
            last: None,
        }
    }

    /// Takes over who was [subscribed](Self::subscribers) by what an earlier run has seen.
    #[must_use]
    pub fn remembering(mut self, subscribers: BTreeSet<UserId>) -> Self {
        self.subscribers.expect(subscribers);
        self
    }

    /// Names who has vanished, and subscribes nobody again.
    #[must_use]
    pub fn only_naming(mut self) -> Self {
        self.subscribers.only_name();
        self
    }

    /// Returns who is subscribed, or was and should still be. To be
    /// [recorded](crate::ledger::Ledger::remember) when no errand is left: only then it stands in
    /// the ledger who has vanished.
    pub fn subscribers(&self) -> &BTreeSet<UserId> {
        self.subscribers.expected()
    }

    /// Returns what is to be done now, or `None` when there is nothing to do but wait. The same
    /// errand is returned until its result is told.
    pub fn next_errand(&mut self, now: Moment) -> Option<Errand> {
        self.wake(now);
        if self.errands.is_empty() {
            if self.wait(self.looked.0, self.rhythm.webhooks, now).is_zero() {
                self.looked.0 = Some(now.uptime);
                self.errands.push_back(Errand::ListWebhooks);
            } else if self.wait(self.looked.1, self.rhythm.subscriptions, now).is_zero() {
                self.looked.1 = Some(now.uptime);
                self.errands.push_back(Errand::ListSubscriptions(self.webhook));
            }
        }
        self.errands.front().cloned()
    }

    /// Returns after how long to ask again although nothing happened.
    pub fn next_wakeup(&self, now: Moment) -> SignedDuration {
        if !self.errands.is_empty() || self.slept(now) {
            return SignedDuration::ZERO;
        }
        let webhooks = self.wait(self.looked.0, self.rhythm.webhooks, now);
        webhooks.min(self.wait(self.looked.1, self.rhythm.subscriptions, now))
    }

    /// Takes note of what happened.
    pub fn on(&mut self, report: Report, now: Moment) {
        let woke = self.wake(now);
        match report {
            // X said so before.
            Report::Webhooks(_) | Report::Subscriptions(_) if woke => {
                self.errands.pop_front();
            }
            Report::Wanted(wanted) => self.subscribers.want(wanted, now),
            Report::Revoked(user) => {
                let notice = self.subscribers.revoke(self.webhook, user);
                self.notices.extend(notice);
            }
            report => {
                if let Some(errand) = self.errands.pop_front() {
                    self.settle(errand, report, now);
                }
            }
        }
    }

    /// Misses a user no more whose subscription somebody ended on purpose, unless X still lists it.
    pub fn dismiss(&mut self, user: UserId) {
        self.subscribers.dismiss(user);
    }

    /// Takes out what somebody has to hear of.
    pub fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    fn settle(&mut self, errand: Errand, report: Report, now: Moment) {
        let Self { webhook, rhythm, errands, notices, .. } = self;
        match (errand, report) {
            (Errand::ListWebhooks, Report::Webhooks(all)) => {
                let valid = all.iter().find(|(id, _)| id == webhook).map(|(_, valid)| *valid);
                errands.extend(self.validity.seen(*webhook, *rhythm, valid, now, notices));
            }
            (Errand::SelfCheck, Report::Done) => errands.push_back(Errand::Validate(*webhook)),
            (Errand::SelfCheck, Report::Failed(reason)) => {
                self.validity.failed(*rhythm, now);
                let notice = Notice::SelfCheckFailed { webhook: *webhook, reason };
                notices.extend(self.validity.news(notice));
            }
            // Only the list says whether it helped.
            (Errand::Validate(_), Report::Done) => {
                self.validity.failed(*rhythm, now);
                errands.push_back(Errand::ListWebhooks);
            }
            (Errand::Validate(_), Report::Failed(reason)) => {
                self.validity.failed(*rhythm, now);
                let notice = Notice::ValidationFailed { webhook: *webhook, reason };
                notices.extend(self.validity.news(notice));
            }
            (Errand::ListSubscriptions(_), Report::Subscriptions(users)) => {
                errands.extend(self.subscribers.seen(*webhook, *rhythm, &users, now, notices));
            }
            (Errand::Subscribe { user, .. }, Report::Done) => {
                self.subscribers.subscribed(*rhythm, user, now);
                self.looked.1 = None;
            }
            (Errand::Subscribe { user, .. }, Report::Failed(reason)) => {
                notices.extend(self.subscribers.refused(*webhook, *rhythm, user, reason, now));
            }
            (Errand::Declare(declaration), Report::Declared(number)) => {
                match declaration.gap.cause {
                    Cause::Invalid => self.validity.declared(number),
                    Cause::Unsubscribed => self.subscribers.declared(number),
                    _ => {}
                }
            }
            // What could not be recorded has to be.
            (errand @ (Errand::Declare(_) | Errand::Prolong { .. }), Report::Failed(_)) => {
                errands.push_front(errand);
            }
            _ => {}
        }
    }

    /// Begins anew after a sleep; says whether there was one since the last call.
    fn wake(&mut self, now: Moment) -> bool {
        let slept = self.slept(now);
        self.last = Some(now);
        if slept {
            self.looked = (None, None);
            self.validity.wake(self.rhythm, now);
            self.subscribers.wake(self.rhythm, now);
        }
        slept
    }

    /// Says whether the machine slept since the last call. A jump of X's clock looks the same, and
    /// costs a look.
    fn slept(&self, now: Moment) -> bool {
        self.last.is_some_and(|last| {
            let passed = now.x.duration_since(last.x);
            passed.saturating_sub(now.uptime.saturating_sub(last.uptime)) > NAP
        })
    }

    fn wait(
        &self,
        looked: Option<SignedDuration>,
        every: SignedDuration,
        now: Moment,
    ) -> SignedDuration {
        let Some(looked) = looked else { return SignedDuration::ZERO };
        every.saturating_sub(now.uptime.saturating_sub(looked)).max(SignedDuration::ZERO)
    }
}

/// How much further X's clock has to be than the steady clock for a sleep: offsets are exact to a
/// second or two.
const NAP: SignedDuration = SignedDuration::from_secs(10);

/// A time in which X may not have attempted to deliver, as it stands in the ledger.
#[derive(Debug, Clone, Copy)]
struct Spell {
    from: Timestamp,
    number: Option<u64>,
    /// Up to when it is declared.
    to: Timestamp,
}

impl Spell {
    /// Begins one, and says what to record.
    fn begin(webhook: WebhookId, from: Timestamp, cause: Cause, now: Moment) -> (Self, Errand) {
        let gap = Gap::new(from, now.x, cause);
        let declaration = Declaration { gap, webhook: Some(webhook), at: now.x };
        (Self { from, number: None, to: now.x }, Errand::Declare(declaration))
    }

    /// Moves its end.
    fn prolong(&mut self, now: Moment) -> Option<Errand> {
        self.to = now.x;
        Some(Errand::Prolong { number: self.number?, to: now.x })
    }
}

impl From<Declared> for Spell {
    fn from(declared: Declared) -> Self {
        let Gap { from, to, .. } = declared.declaration.gap;
        Self { from, number: Some(declared.number), to }
    }
}

/// Pauses between tries.
#[derive(Debug, Clone, Copy, Default)]
struct Tries {
    failures: u32,
    next: Option<SignedDuration>,
}

impl Tries {
    fn failed(&mut self, rhythm: Rhythm, now: Moment) {
        let factor = 1_i32.checked_shl(self.failures.min(16)).unwrap_or(i32::MAX);
        let pause = rhythm.pause.checked_mul(factor).unwrap_or(rhythm.long_pause);
        self.next = Some(now.uptime.saturating_add(pause.min(rhythm.long_pause)));
        self.failures = self.failures.saturating_add(1);
    }

    fn are_due(&self, now: Moment) -> bool {
        self.next.is_none_or(|next| next <= now.uptime)
    }
}

#[cfg(test)]
mod tests;
