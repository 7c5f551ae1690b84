//! What a world has to know to go on from later: saved, and taken up again.

use std::collections::{BTreeMap, HashMap, VecDeque};

use aaa_types::WebhookId;
use bytes::Bytes;
use jiff::Timestamp;

use super::{
    Timer, World,
    blocks::Blocks,
    deliveries::{InFlight, What, Work},
    grants::Grants,
    ledger::Records,
    limits::Limits,
    random::{Ids, Random},
    replay::{Job, Replaying, Scope},
    webhooks::Hook,
};
use crate::{
    control::{
        Cause, Completion, Counters, Due, JobDetail, SavedEvent, SavedJob, SavedTimer,
        SavedWebhook, SavedWork, Snapshot,
    },
    settings::Settings,
};

/// A snapshot cannot be taken up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the state cannot be taken up: {0}; begin without it, or with one that an emulator wrote")]
pub struct SnapshotError(String);

/// What an attempt that is under way ends with.
const INTERRUPTED: &str = "the emulator ended before the answer";

impl World {
    /// Saves everything. What is under way counts as failed.
    pub fn snapshot(&self, now: Timestamp) -> Snapshot {
        let now = self.now.max(now);
        let mut events = self.records.saved();
        let mut jobs = self.records.jobs().to_vec();
        let mut timers = Vec::new();
        for ((at, _), timer) in &self.timers {
            timers.extend(self.saved_timer(*at, timer));
        }
        let mut under_way: Vec<_> = self.deliveries.iter().collect();
        under_way.sort_unstable_by_key(|(id, _)| **id);
        for (_, InFlight { webhook, what, .. }) in under_way {
            match what {
                What::Event(attempted) => {
                    let Some(event) = events.get_mut(attempted.entry) else { continue };
                    if let Some(attempt) = event.event.attempts.get_mut(attempted.attempt) {
                        attempt.error = Some(INTERRUPTED.to_owned());
                    }
                    match attempted.job {
                        Some(id) => {
                            let job = jobs.iter_mut().find(|job| job.job.id == id);
                            job.into_iter().for_each(|job| job.failed += 1);
                        }
                        None => timers.extend(self.retry_of(*webhook, event, attempted.entry, now)),
                    }
                }
                What::Completion(id) => {
                    let job = jobs.iter_mut().find(|job| job.job.id == *id);
                    job.into_iter().for_each(|job| job.completion = Completion::Failed);
                }
                What::Raw(_) => {}
            }
        }
        timers.sort_by_key(|timer| timer.at);
        Snapshot {
            version: Snapshot::VERSION,
            now,
            ahead_millis: 0,
            counters: Counters {
                random: self.random.state(),
                last_id: self.ids.last(),
                last_millis: self.ids.last_millis(),
                generated: self.generated,
            },
            webhooks: self.hooks.values().map(saved_webhook).collect(),
            events,
            jobs,
            timers,
            grants: self.grants.saved(),
            limits: self.limits.saved(),
            blocks: self.blocks.saved(),
            traffic: self.saved_traffic(),
        }
    }

    /// Takes up what was saved. Nothing happens before [`World::resume`].
    ///
    /// # Errors
    ///
    /// Refuses what no world can have saved.
    pub fn restore(settings: Settings, snapshot: Snapshot) -> Result<Self, SnapshotError> {
        let refuse = |what: &str| SnapshotError(what.to_owned());
        if !(1..=Snapshot::VERSION).contains(&snapshot.version) {
            let version = snapshot.version;
            return Err(SnapshotError(format!("its version is {version}, expected 1 or 2")));
        }
        if !(Settings::EARLIEST..=Settings::LATEST).contains(&snapshot.now) {
            return Err(refuse("its time is not between 2011 and 2080"));
        }
        let count = snapshot.events.len();
        let mut world = Self::new(settings, snapshot.now);
        let Counters { random, last_id, last_millis, generated } = snapshot.counters;
        world.random = Random::new(random);
        world.ids = Ids::resumed(last_id, last_millis);
        world.generated = generated;
        world.grants = Grants::restored(snapshot.grants);
        world.limits = Limits::restored(snapshot.limits);
        world.blocks = Blocks::restored(snapshot.blocks);
        if let Some(traffic) = snapshot.traffic {
            world.take_up_traffic(traffic).map_err(refuse)?;
        }
        world.records = Records::restored(snapshot.events, snapshot.jobs)
            .ok_or_else(|| refuse("the ids of its events do not rise"))?;
        for saved in snapshot.webhooks {
            let id = saved.id;
            let hook = restored_webhook(saved, count)
                .ok_or_else(|| refuse("a webhook names events that are not there"))?;
            if world.hooks.insert(id, hook).is_some() {
                return Err(refuse("two webhooks have one id"));
            }
        }
        for SavedTimer { at, webhook_id, due } in snapshot.timers {
            let timer = match due {
                Due::Check => Some(Timer::Check(webhook_id)),
                Due::Begin(work) => work_of(work, count).map(|work| {
                    world.put_off(webhook_id, &work);
                    Timer::Begin(webhook_id, work)
                }),
                Due::Retry(work) => work_of(work, count).map(|work| Timer::Retry(webhook_id, work)),
            };
            let timer = timer.ok_or_else(|| refuse("what is due is an event that is not there"))?;
            let serial = world.next_serial();
            world.timers.insert((at, serial), timer);
        }
        Ok(world)
    }

    /// Goes on after [`World::restore`]: what waits begins, and what became due meanwhile happens.
    pub fn resume(&mut self, now: Timestamp) {
        let webhooks: Vec<_> = self.hooks.keys().copied().collect();
        for webhook in webhooks {
            self.pump(webhook);
            self.resume_replay(webhook);
        }
        self.wake(now);
    }

    fn saved_timer(&self, at: Timestamp, timer: &Timer) -> Option<SavedTimer> {
        let (webhook_id, due) = match timer {
            Timer::Check(webhook) => (*webhook, Due::Check),
            Timer::Begin(webhook, work) => (*webhook, Due::Begin(saved_work(work)?)),
            Timer::Retry(webhook, work) => (*webhook, Due::Retry(saved_work(work)?)),
            Timer::Release(webhook, held) => {
                // What was overtaken leaves its timer behind.
                let work = self.hooks.get(webhook)?.held.get(held)?;
                (*webhook, Due::Begin(saved_work(work)?))
            }
            // Whoever goes on with a job looks at its pace again.
            Timer::Pace(_) => return None,
        };
        self.hooks.contains_key(&webhook_id).then_some(SavedTimer { at, webhook_id, due })
    }

    /// The retry of an attempt that counts as failed, if one is left.
    fn retry_of(
        &self,
        webhook: WebhookId,
        event: &SavedEvent,
        entry: usize,
        now: Timestamp,
    ) -> Option<SavedTimer> {
        let retries = event.event.attempts.iter().filter(|a| a.cause == Cause::Retry).count();
        let generation = self.hooks.get(&webhook)?.generation;
        let delay = self.settings.retries_of(generation).get(retries)?;
        let at = now.checked_add(*delay).unwrap_or(Timestamp::MAX);
        let work = SavedWork::Event { event: entry, cause: Cause::Retry, job: None };
        Some(SavedTimer { at, webhook_id: webhook, due: Due::Retry(work) })
    }
}

fn saved_webhook(hook: &Hook) -> SavedWebhook {
    let job = match &hook.replaying {
        Replaying::Running(job) => Some(SavedJob {
            id: job.id,
            next: job.next,
            end: job.end,
            started: job.started,
            sent: job.sent,
            account_activity_only: job.scope == Scope::AccountActivity,
        }),
        Replaying::No | Replaying::Reserved => None,
    };
    SavedWebhook {
        id: hook.id,
        url: hook.url.clone(),
        generation: hook.generation,
        valid: hook.valid,
        created_at: hook.created_at,
        last_check_passed_at: hook.last_passed,
        last_check_error: hook.last_error.clone(),
        subscriptions: hook.subscribers.iter().copied().collect(),
        queue: hook.queue.iter().filter_map(saved_work).collect(),
        attempted: hook.attempted.clone(),
        job,
    }
}

fn restored_webhook(saved: SavedWebhook, events: usize) -> Option<Hook> {
    let is_known = |(_, event): &(Timestamp, usize)| *event < events;
    let attempted = saved.attempted;
    if !attempted.iter().all(is_known) || !attempted.is_sorted_by_key(|(at, _)| *at) {
        return None;
    }
    let replaying = match saved.job {
        None => Replaying::No,
        Some(job) if job.next > job.end || job.end > attempted.len() => return None,
        Some(SavedJob { id, next, end, started, sent, account_activity_only }) => {
            Replaying::Running(Job {
                id,
                scope: if account_activity_only {
                    Scope::AccountActivity
                } else {
                    Scope::Everything
                },
                next,
                end,
                in_flight: 0,
                delayed: 0,
                started,
                sent,
                pacing: false,
            })
        }
    };
    let queue: Option<VecDeque<_>> =
        saved.queue.into_iter().map(|work| work_of(work, events)).collect();
    Some(Hook {
        id: saved.id,
        url: saved.url,
        generation: saved.generation,
        valid: saved.valid,
        created_at: saved.created_at,
        last_passed: saved.last_check_passed_at,
        last_error: saved.last_check_error,
        checking: false,
        subscribers: saved.subscriptions.into_iter().collect(),
        queue: queue?,
        in_flight: 0,
        held: BTreeMap::new(),
        attempted,
        replaying,
    })
}

/// Nobody waits any more for what somebody gave to the control API.
fn saved_work(work: &Work) -> Option<SavedWork> {
    match work {
        Work::Event { entry, cause, job } => {
            Some(SavedWork::Event { event: *entry, cause: *cause, job: *job })
        }
        Work::Completion { job, body } => {
            let body = String::from_utf8_lossy(body).into_owned();
            Some(SavedWork::Completion { job: *job, body })
        }
        Work::Raw { .. } => None,
    }
}

fn work_of(saved: SavedWork, events: usize) -> Option<Work> {
    match saved {
        SavedWork::Event { event, .. } if event >= events => None,
        SavedWork::Event { event, cause, job } => Some(Work::Event { entry: event, cause, job }),
        SavedWork::Completion { job, body } => {
            Some(Work::Completion { job, body: Bytes::from(body) })
        }
    }
}

impl Records {
    fn saved(&self) -> Vec<SavedEvent> {
        let saved = self.entries().iter().enumerate().map(|(place, entry)| SavedEvent {
            event: entry.told(),
            body: String::from_utf8_lossy(&self.body(place)).into_owned(),
            other_product: !entry.is_account_activity,
        });
        saved.collect()
    }

    /// Takes up events whose ids rise; a job that was running goes on.
    fn restored(events: Vec<SavedEvent>, jobs: Vec<JobDetail>) -> Option<Self> {
        let mut records = Self::default();
        let mut last = 0;
        for SavedEvent { event, body, other_product } in events {
            let id: u64 = event.id.parse().ok()?;
            if id <= last {
                return None;
            }
            last = id;
            records.add_known(id, !other_product, event, body.into());
        }
        let places: HashMap<_, _> =
            jobs.iter().enumerate().map(|(place, job)| (job.job.id, place)).collect();
        (places.len() == jobs.len()).then(|| records.with_jobs(jobs, places))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_world_saved_is_refused() {
        let now = "2025-11-22T04:00:00Z".parse().unwrap();
        let good = World::new(Settings::default(), now).snapshot(now);
        let take = |change: &dyn Fn(&mut Snapshot)| {
            let mut snapshot = good.clone();
            change(&mut snapshot);
            World::restore(Settings::default(), snapshot).map(|_| ()).unwrap_err().to_string()
        };
        assert!(World::restore(Settings::default(), good.clone()).is_ok());
        assert!(take(&|s| s.now = Timestamp::MAX).contains("not between 2011 and 2080"));
        for version in [0, 3] {
            let told = format!("its version is {version}");
            assert!(take(&|s| s.version = version).contains(&told));
        }
        let work = SavedWork::Event { event: 3, cause: Cause::Live, job: None };
        let webhook_id = "5".parse().unwrap();
        let timer = SavedTimer { at: now, webhook_id, due: Due::Retry(work) };
        assert!(take(&|s| s.timers.push(timer.clone())).contains("not there"));
    }
}
