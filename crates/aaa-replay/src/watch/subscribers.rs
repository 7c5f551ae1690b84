use std::collections::{BTreeMap, BTreeSet};

use aaa_types::{UserId, WebhookId};
use jiff::Timestamp;

use super::{
    Errand, Rhythm, Spell, Tries,
    well::{Well, unwatched},
};
use crate::{
    coverage::Cause,
    engine::Moment,
    ledger::Seen,
    notice::{Gone, Notice},
};

/// Who is subscribed, who should be, and who is not any more.
#[derive(Debug)]
pub(super) struct Subscribers {
    wanted: BTreeSet<UserId>,
    /// Since when those are wanted who were not when this run was first told of anybody.
    since: BTreeMap<UserId, Timestamp>,
    told: bool,
    /// Everybody who was seen, by this run or by an earlier one, and has not revoked access.
    expected: BTreeSet<UserId>,
    /// Whether who is missing is to be subscribed again, or only to be named.
    subscribes: bool,
    /// When this run saw them last.
    seen: BTreeMap<UserId, Timestamp>,
    missing: BTreeMap<UserId, Missing>,
    /// Until when all who are wanted were surely there.
    well: Well,
    /// Until when that was so before this run looked.
    known: Option<Timestamp>,
    /// The one gap that is declared while anybody is missing who may come back.
    spell: Option<Spell>,
}

#[derive(Debug)]
struct Missing {
    from: Timestamp,
    tries: Tries,
    told: Option<String>,
}

impl Subscribers {
    /// `open` is a spell that an earlier run has declared, and that may go on.
    pub(super) fn new(well: Well, open: Option<Spell>) -> Self {
        Self {
            wanted: BTreeSet::new(),
            since: BTreeMap::new(),
            told: false,
            expected: BTreeSet::new(),
            subscribes: true,
            seen: BTreeMap::new(),
            missing: BTreeMap::new(),
            well,
            known: well.until,
            spell: open,
        }
    }

    #[cfg(test)]
    pub(super) fn wanted(&self) -> &BTreeSet<UserId> {
        &self.wanted
    }

    /// An earlier run saw these users.
    pub(super) fn expect(&mut self, users: BTreeSet<UserId>) {
        self.expected.extend(users);
    }

    /// Returns who is subscribed, or was and should still be.
    pub(super) fn expected(&self) -> &BTreeSet<UserId> {
        &self.expected
    }

    /// Who is missing is only named from now on.
    pub(super) fn only_name(&mut self) {
        self.subscribes = false;
    }

    /// These users should be subscribed, besides those who were. Nobody waits any more for others
    /// that are missing.
    pub(super) fn want(&mut self, wanted: BTreeSet<UserId>, now: Moment) {
        let expected = &self.expected;
        self.missing.retain(|user, _| wanted.contains(user) || expected.contains(user));
        if std::mem::replace(&mut self.told, true) {
            // That all was well before says nothing of them.
            let new = wanted.difference(&self.wanted).filter(|user| !expected.contains(user));
            self.since.extend(new.map(|user| (*user, now.x)));
        }
        self.wanted = wanted;
    }

    /// A user revoked access: nobody waits for that subscription any more.
    pub(super) fn revoke(&mut self, webhook: WebhookId, user: UserId) -> Option<Notice> {
        let wanted = self.wanted.remove(&user);
        let since = self.seen.remove(&user);
        let missing = self.missing.remove(&user).is_some();
        let known = self.expected.remove(&user) || wanted || missing;
        known.then_some(Notice::SubscriptionGone { webhook, user, since, how: Gone::Revoked })
    }

    /// Somebody ended the subscription of a user on purpose: nobody misses it.
    pub(super) fn dismiss(&mut self, user: UserId) {
        self.wanted.remove(&user);
        self.expected.remove(&user);
        self.seen.remove(&user);
        self.missing.remove(&user);
    }

    /// The machine slept.
    pub(super) fn wake(&mut self, rhythm: Rhythm, now: Moment) {
        self.well.wake(rhythm.subscriptions, now);
    }

    /// These users are subscribed.
    pub(super) fn seen(
        &mut self,
        webhook: WebhookId,
        rhythm: Rhythm,
        users: &BTreeSet<UserId>,
        now: Moment,
        notices: &mut Vec<Notice>,
    ) -> Vec<Errand> {
        let mut errands = Vec::new();
        // What stands in the ledger from an earlier run may have ended for some.
        let mut back = !self.well.looked;
        for user in users {
            if let Some(missing) = self.missing.remove(user) {
                back = true;
                let from = missing.from;
                notices.push(Notice::SubscriptionBack { webhook, user: *user, from, to: now.x });
            }
        }
        let somebody = !self.wanted.is_empty() || !self.expected.is_empty();
        let expected = self.wanted.iter().chain(&self.expected);
        let gone = expected.filter(|user| !users.contains(user));
        let gone = gone.filter(|user| !self.missing.contains_key(user));
        let gone: BTreeSet<_> = gone.copied().collect();
        let mut begins: Option<Timestamp> = None;
        for user in &gone {
            let last = self.seen.remove(user);
            let since = last.or_else(|| self.since.get(user).copied()).or(self.known);
            notices.push(Notice::SubscriptionGone { webhook, user: *user, since, how: Gone::Lost });
            let from = since.unwrap_or(now.x).min(now.x);
            begins = Some(begins.map_or(from, |begins| begins.min(from)));
            self.missing.insert(*user, Missing { from, tries: Tries::default(), told: None });
        }
        self.expected.extend(users);
        self.seen.extend(users.iter().map(|user| (*user, now.x)));
        errands.extend(self.record(webhook, rhythm, (begins, somebody), now));
        if back && let Some(spell) = &mut self.spell {
            errands.extend(spell.prolong(now));
        }
        let due = self.missing.iter();
        let due = due.filter(|(_, missing)| self.subscribes && missing.tries.are_due(now));
        errands.extend(due.map(|(user, _)| Errand::Subscribe { webhook, user: *user }));
        errands
    }

    /// Records when somebody began to be missing, and when nobody is any more. Whether there was
    /// `somebody` to look for decides about the time in which nobody looked.
    fn record(
        &mut self,
        webhook: WebhookId,
        rhythm: Rhythm,
        (begins, somebody): (Option<Timestamp>, bool),
        now: Moment,
    ) -> Vec<Errand> {
        let mut errands = Vec::new();
        if self.missing.is_empty() {
            let unseen = self.well.is(rhythm.subscriptions, now);
            if let Some(mut spell) = self.spell.take() {
                errands.extend(spell.prolong(now));
            } else if let Some(since) = unseen.filter(|_| somebody) {
                errands.push(unwatched(webhook, since, now));
            }
            let seen = Seen { valid: None, complete: Some(now.x) };
            errands.push(Errand::Confirm { webhook, seen });
        } else if let Some(from) = begins
            && self.spell.is_none_or(|earlier| from < earlier.from)
        {
            let (spell, errand) = Spell::begin(webhook, from, Cause::Unsubscribed, now);
            self.spell = Some(spell);
            errands.push(errand);
        }
        errands
    }

    /// The gap of this spell has a number.
    pub(super) fn declared(&mut self, number: u64) {
        if let Some(spell) = &mut self.spell {
            spell.number = Some(number);
        }
    }

    /// X took the subscription; the next list has to show it.
    pub(super) fn subscribed(&mut self, rhythm: Rhythm, user: UserId, now: Moment) {
        if let Some(missing) = self.missing.get_mut(&user) {
            missing.tries.failed(rhythm, now);
        }
    }

    /// It could not be done; returns what to tell, once for each reason.
    pub(super) fn refused(
        &mut self,
        webhook: WebhookId,
        rhythm: Rhythm,
        user: UserId,
        reason: String,
        now: Moment,
    ) -> Option<Notice> {
        let missing = self.missing.get_mut(&user)?;
        missing.tries.failed(rhythm, now);
        if missing.told.as_ref() == Some(&reason) {
            return None;
        }
        missing.told = Some(reason.clone());
        Some(Notice::SubscribeFailed { webhook, user, reason })
    }
}
