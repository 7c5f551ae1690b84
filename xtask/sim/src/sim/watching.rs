//! What the watchers of a process want done: their questions are answered at once, since nothing
//! depends on how long that takes.

use aaa_replay::{
    engine::Flaw,
    ledger::Seen,
    watch::{Errand, Report, Rhythm, Watcher},
};
use aaa_types::WebhookId;
use jiff::SignedDuration;

use super::Sim;
use crate::clock::{MINUTE, Millis, SECOND};

/// How often the lists are looked at. The real rhythm is a minute; this costs less, and makes
/// spells longer.
pub(crate) const RHYTHM: Millis = 5 * MINUTE;

impl Sim {
    /// Makes the watchers of a process that are not there yet, from what the ledger remembers.
    pub(super) fn watch_from(&mut self) {
        let rhythm = SignedDuration::from_millis(RHYTHM);
        let rhythm = Rhythm { webhooks: rhythm, subscriptions: rhythm, ..Rhythm::v2() };
        let clocks = &self.clocks;
        let Some(process) = &mut self.process else { return };
        for hook in &self.hooks {
            let Some(webhook) = hook.id.filter(|id| !process.watchers.contains_key(id)) else {
                continue;
            };
            let (Ok(seen), Ok(declared)) = (self.disk.confirmed(webhook), self.disk.declared())
            else {
                continue;
            };
            let before = process.before;
            let (memory, alive) = match self.settings.flaw {
                Some(Flaw::ForgetfulWatcher) => {
                    ((Seen { valid: before, complete: before }, [].as_slice()), None)
                }
                _ => ((seen, declared.as_slice()), before),
            };
            let mut watcher = Watcher::new(webhook, rhythm, memory, alive);
            watcher.on(Report::Wanted(hook.wanted.clone()), process.moment(clocks));
            process.watchers.insert(webhook, watcher);
        }
        self.watch();
    }

    /// Lets the watchers look.
    pub(super) fn watch(&mut self) {
        self.keep_clock();
        let Some(process) = &self.process else { return };
        if process.still.is_some() {
            return;
        }
        let ids: Vec<_> = process.watchers.keys().copied().collect();
        // As long as a history goes on: a run that begins in its last hours takes it that the one
        // before it has watched to its end.
        let mut next = Millis::MAX;
        for id in ids {
            let wait = self.watch_one(id);
            next = next.min(self.clocks.now() + wait.max(SECOND));
        }
        self.watch_at = (next < Millis::MAX / 4).then_some(next);
    }

    /// Lets a watcher look; returns how long to wait then.
    fn watch_one(&mut self, id: WebhookId) -> Millis {
        loop {
            let clocks = &self.clocks;
            let Some(process) = &mut self.process else { return Millis::MAX / 4 };
            let moment = process.moment(clocks);
            let Some(watcher) = process.watchers.get_mut(&id) else { return Millis::MAX / 4 };
            let Some(errand) = watcher.next_errand(moment) else {
                let wait = watcher.next_wakeup(moment).as_millis();
                return i64::try_from(wait).unwrap_or(0);
            };
            let records = matches!(errand, Errand::Declare(_) | Errand::Prolong { .. });
            let report = self.run_errand(errand);
            let failed = matches!(report, Report::Failed(_));
            self.tell_watcher(id, report);
            if records && failed {
                // The ledger will be there again.
                return 5 * SECOND;
            }
        }
    }

    pub(super) fn tell_watcher(&mut self, id: WebhookId, report: Report) {
        let clocks = &self.clocks;
        if let Some(process) = &mut self.process {
            let moment = process.moment(clocks);
            if let Some(watcher) = process.watchers.get_mut(&id) {
                watcher.on(report, moment);
                watcher.notices();
            }
        }
    }

    /// Tells a watcher who should be subscribed.
    pub(super) fn tell_wanted(&mut self, id: WebhookId) {
        let hook = self.hooks.iter().find(|hook| hook.id == Some(id));
        if let Some(wanted) = hook.map(|hook| hook.wanted.clone()) {
            self.tell_watcher(id, Report::Wanted(wanted));
        }
    }

    /// Records something in the ledger.
    pub(super) fn record(&mut self, errand: Errand) -> Report {
        let failed = |why: &dyn std::fmt::Display| Report::Failed(why.to_string());
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
            Errand::Confirm { webhook, seen } => match self.disk.confirm(webhook, seen) {
                Ok(()) => Report::Done,
                Err(error) => failed(&error),
            },
            _ => Report::Failed("nothing to record".to_owned()),
        }
    }

    fn run_errand(&mut self, errand: Errand) -> Report {
        let failed = |why: &dyn std::fmt::Display| Report::Failed(why.to_string());
        let now = self.clocks.x();
        match errand {
            Errand::Declare(_) | Errand::Prolong { .. } | Errand::Confirm { .. } => {
                self.record(errand)
            }
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
                self.note_spells();
                asked.map_or_else(|error| failed(&error), |()| Report::Done)
            }
        }
    }
}
