//! What the watcher of a process wants done: its questions are answered at once, since nothing
//! depends on how long that takes.

use std::collections::BTreeSet;

use aaa_replay::watch::{Errand, Report, Rhythm, Watcher};
use aaa_types::{UserId, WebhookId};
use jiff::{SignedDuration, Timestamp};

use super::Sim;
use crate::{
    clock::{MINUTE, Millis, SECOND},
    fault::Kind,
};

/// How often the lists are looked at. The real rhythm is a minute; this costs less, and makes
/// spells longer.
const RHYTHM: Rhythm = Rhythm {
    webhooks: SignedDuration::from_mins(5),
    subscriptions: SignedDuration::from_mins(5),
    ..Rhythm::v2()
};

/// Until when before a spell all was surely seen to be well, at the earliest.
const BEFORE: Millis = 7 * MINUTE;

impl Sim {
    /// Makes the watcher of a process. `known` is the last heartbeat of the run before.
    pub(super) fn watch_from(&mut self, known: Option<Timestamp>) {
        let Some(webhook) = self.webhook else { return };
        let wanted = self.wanted.clone();
        let clocks = &self.clocks;
        if let Some(process) = &mut self.process {
            let mut watcher = Watcher::new(webhook, RHYTHM, known);
            watcher.on(Report::Wanted(wanted), process.moment(clocks));
            process.watcher = Some(watcher);
        }
        self.watch();
    }

    /// Lets the watcher look.
    pub(super) fn watch(&mut self) {
        loop {
            let Some(process) = &mut self.process else { return };
            if process.still.is_some() {
                return;
            }
            let moment = process.moment(&self.clocks);
            let Some(watcher) = &mut process.watcher else { return };
            let Some(errand) = watcher.next_errand(moment) else {
                let wait = i64::try_from(watcher.next_wakeup(moment).as_millis());
                let next = self.clocks.now() + wait.unwrap_or(0).max(SECOND);
                self.watch_at = (next < self.scenario.end + 60 * MINUTE).then_some(next);
                return;
            };
            let records = matches!(errand, Errand::Declare(_) | Errand::Prolong { .. });
            let report = self.run_errand(errand);
            let failed = matches!(report, Report::Failed(_));
            self.tell_watcher(report);
            if records && failed {
                // The ledger will be there again.
                self.watch_at = Some(self.clocks.now() + 5 * SECOND);
                return;
            }
        }
    }

    pub(super) fn tell_watcher(&mut self, report: Report) {
        let clocks = &self.clocks;
        if let Some(process) = &mut self.process {
            let moment = process.moment(clocks);
            if let Some(watcher) = &mut process.watcher {
                watcher.on(report, moment);
                watcher.notices();
            }
        }
    }

    fn run_errand(&mut self, errand: Errand) -> Report {
        let failed = |why: &dyn std::fmt::Display| Report::Failed(why.to_string());
        let now = self.clocks.x();
        match errand {
            Errand::Declare(declaration) => match self.disk.declare(declaration) {
                Ok(number) => {
                    let gap = declaration.gap;
                    self.say(|| {
                        format!("declared: {:.3} to {:.3}, {}", gap.from, gap.to, gap.cause)
                    });
                    self.look_in(1);
                    Report::Declared(number)
                }
                Err(error) => failed(&error),
            },
            Errand::Prolong { number, to } => match self.disk.prolong(number, to) {
                Ok(_) => {
                    self.look_in(1);
                    Report::Done
                }
                Err(error) => failed(&error),
            },
            _ if self.api_down => Report::Failed("refused".to_owned()),
            Errand::ListWebhooks => {
                let all = self.world.webhooks();
                Report::Webhooks(all.iter().map(|it| (it.id, it.valid)).collect())
            }
            Errand::SelfCheck => Report::Done,
            Errand::Validate(webhook) => {
                self.say(|| "the watcher has the webhook checked".to_owned());
                let asked = self.world.validate(webhook, self.scenario.generation, now);
                self.carry_out();
                asked.map_or_else(|error| failed(&error), |_| Report::Done)
            }
            Errand::ListSubscriptions(webhook) => match self.world.subscription_list(webhook) {
                Ok(list) => Report::Subscriptions(list.users.into_iter().collect()),
                Err(error) => failed(&error),
            },
            Errand::Subscribe { webhook, user } => {
                self.say(|| format!("the watcher subscribes user {user} again"));
                let asked = self.world.subscribe(webhook, user, now);
                self.note_spell();
                asked.map_or_else(|error| failed(&error), |()| Report::Done)
            }
        }
    }

    /// X forgets a subscription.
    pub(super) fn lose_subscription(&mut self, user: UserId) {
        if let Some(webhook) = self.webhook
            && self.world.unsubscribe(webhook, user, self.clocks.x()).is_ok()
        {
            self.say(|| format!("X forgets the subscription of user {user}"));
            self.tally.fire(Kind::Unsubscribed);
        }
        self.note_spell();
    }

    /// Notes whether X may attempt nothing for somebody, and when that is over.
    pub(super) fn note_spell(&mut self) {
        let Some(webhook) = self.webhook else { return };
        let x = self.clocks.x_at(self.clocks.now());
        let valid = self.world.webhooks().iter().all(|webhook| webhook.valid);
        let all = self.all_subscribed(webhook);
        match (valid && all, self.spell_since) {
            (false, None) => self.spell_since = Some(x),
            (true, Some(since)) => {
                self.spell_since = None;
                self.truth.disturb(since - BEFORE, x + BEFORE);
                self.truth.silent(self.clocks.true_of(since), self.clocks.now());
            }
            _ => {}
        }
    }

    fn all_subscribed(&self, webhook: WebhookId) -> bool {
        let list = self.world.subscription_list(webhook);
        let users: BTreeSet<UserId> =
            list.map(|list| list.users).unwrap_or_default().into_iter().collect();
        self.wanted.is_subset(&users)
    }
}
