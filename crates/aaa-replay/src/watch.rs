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
//!   named, and subscribed again where that is wanted; users who revoked access are neither.
//! * The time in between is [declared](crate::ledger::Ledger::declare) as a gap that may be
//!   unrecoverable: X replays only what it attempted to deliver.
//! * When all was well is [recorded](crate::ledger::Ledger::confirm), so that a restart declares
//!   from then on what it finds wrong, and goes on with what the run before had declared.
//! * Two looks cover the time between them when it is no longer than three times the rhythm. What
//!   went wrong and right again in a longer one nobody has seen, so that time is declared as well:
//!   something may be missing. A run that looks at once knows that nothing became right while
//!   nobody was there: X makes a webhook valid only when somebody answers its check. But the run
//!   before may have been there without being able to ask, which its last heartbeat tells.

mod subscribers;
mod validity;

use std::collections::{BTreeSet, VecDeque};

use aaa_types::{UserId, WebhookId};
use jiff::{SignedDuration, Timestamp};

use self::{subscribers::Subscribers, validity::Validity};
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
        if !self.errands.is_empty() {
            return SignedDuration::ZERO;
        }
        let webhooks = self.wait(self.looked.0, self.rhythm.webhooks, now);
        webhooks.min(self.wait(self.looked.1, self.rhythm.subscriptions, now))
    }

    /// Takes note of what happened.
    pub fn on(&mut self, report: Report, now: Moment) {
        match report {
            Report::Wanted(wanted) => self.subscribers.want(wanted),
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

/// Until when all was well, and when that was seen in this run.
#[derive(Debug, Clone, Copy)]
struct Well {
    until: Option<Timestamp>,
    /// In the time since the run started; `None` before it looked.
    looked: Option<SignedDuration>,
    /// The run before was there for long without seeing it.
    blind: bool,
}

/// How many rhythms may lie between two looks that cover the time between them.
const LOOKS: i32 = 3;

impl Well {
    /// `alive` is when the run before was there for the last time.
    fn new(until: Option<Timestamp>, alive: Option<Timestamp>, every: SignedDuration) -> Self {
        let unseen = until.zip(alive).map(|(until, alive)| alive.duration_since(until));
        let longest = every.checked_mul(LOOKS).unwrap_or(SignedDuration::MAX);
        // Where nothing is remembered, all counts as well until then.
        let until = until.or(alive);
        Self { until, looked: None, blind: unseen.is_some_and(|unseen| unseen > longest) }
    }

    /// All is well; returns since when nobody can say so, if nobody looked for too long.
    fn is(&mut self, every: SignedDuration, now: Moment) -> Option<Timestamp> {
        let seen = Self { until: Some(now.x), looked: Some(now.uptime), blind: false };
        let before = std::mem::replace(self, seen);
        // A run that looks at once has seen what is left of the time before it.
        let (since, looks) =
            before.looked.map_or((SignedDuration::ZERO, 1), |looked| (looked, LOOKS));
        let longest = every.checked_mul(looks).unwrap_or(SignedDuration::MAX);
        let unwatched = before.blind || now.uptime.saturating_sub(since) > longest;
        before.until.filter(|until| unwatched && *until < now.x)
    }
}

/// Declares that nobody could ask X since a time.
fn unwatched(webhook: WebhookId, since: Timestamp, now: Moment) -> Errand {
    let gap = Gap::new(since, now.x, Cause::Unwatched);
    Errand::Declare(Declaration { gap, webhook: Some(webhook), at: now.x })
}

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
