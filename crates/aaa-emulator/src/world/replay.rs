//! Replay jobs.

use aaa_types::{JobId, ReplayWindow, UtcMinute, WebhookId, api::ReplayJob};
use jiff::{SignedDuration, Timestamp};

use super::{
    Outcome, Refusal, Ticket, Timer, World,
    checks::Purpose,
    deliveries::Work,
    faults::{Class, Occasion},
    refusal::Reason,
};
use crate::{
    control::{Action, Cause, JobState},
    payload,
    settings::{Generation, ReplayScope, TimeMode, WindowEnd},
};

/// How old `from_date` must be.
const FROM_AGE: SignedDuration = SignedDuration::from_mins(31);

/// How old `to_date` must be.
const TO_AGE: SignedDuration = SignedDuration::from_mins(10);

/// How long a job waits when it was too fast. A job begins with as much as it may send in that
/// time.
const PACE: SignedDuration = SignedDuration::from_millis(100);

/// What a webhook's replay is doing. There is one job at a time.
#[derive(Debug)]
pub(super) enum Replaying {
    No,
    /// A job was asked for, and the webhook is being checked.
    Reserved,
    Running(Job),
}

/// Which of what was attempted a job sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Everything,
    /// Not what is of other products.
    AccountActivity,
}

/// By which route a job is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    /// `/2/webhooks/replay`
    Webhooks,
    /// Those under `account_activity`.
    AccountActivity,
}

/// A job that is under way. It walks through a range of what was attempted.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: JobId,
    pub(super) scope: Scope,
    pub(super) next: usize,
    pub(super) end: usize,
    pub(super) in_flight: usize,
    pub(super) delayed: usize,
    pub(super) started: Timestamp,
    pub(super) sent: i64,
    pub(super) pacing: bool,
}

impl World {
    /// Creates a replay job, if the webhook passes a check: [`Outcome::Replaying`]. It is asked for
    /// by the route for all that reaches a webhook; v1.1 has none but that of
    /// [`World::replay_subscriptions`].
    ///
    /// Minutes are as they were sent, `yyyymmddhhmm`.
    ///
    /// # Errors
    ///
    /// Refuses unknown webhooks, windows that are malformed, empty, too old or too young, a second
    /// job at a time, and webhooks that are invalid.
    pub fn replay(
        &mut self,
        webhook: WebhookId,
        from_date: &str,
        to_date: &str,
        generation: Generation,
        now: Timestamp,
    ) -> Result<Ticket, Refusal> {
        let route = match generation {
            Generation::V2 => Route::Webhooks,
            Generation::V1_1 => Route::AccountActivity,
        };
        self.ask_for_job(webhook, route, (from_date, to_date), generation, now)
    }

    /// The same by the route under `account_activity`, which knows only what is of the Account
    /// Activity API.
    ///
    /// # Errors
    ///
    /// As [`World::replay`].
    pub fn replay_subscriptions(
        &mut self,
        webhook: WebhookId,
        from_date: &str,
        to_date: &str,
        generation: Generation,
        now: Timestamp,
    ) -> Result<Ticket, Refusal> {
        let dates = (from_date, to_date);
        self.ask_for_job(webhook, Route::AccountActivity, dates, generation, now)
    }

    fn ask_for_job(
        &mut self,
        webhook: WebhookId,
        route: Route,
        (from_date, to_date): (&str, &str),
        generation: Generation,
        now: Timestamp,
    ) -> Result<Ticket, Refusal> {
        self.observe(now);
        let hook = self.hook(webhook)?;
        let window = self.window(from_date, to_date, generation)?;
        if !matches!(hook.replaying, Replaying::No) {
            return Err(Reason::InProgress.into());
        }
        if !hook.valid {
            return Err(Reason::Invalid.into());
        }
        let url = hook.url.clone();
        let scope = self.scope(route);
        let ticket = self.ticket();
        if let Some(hook) = self.hooks.get_mut(&webhook) {
            hook.replaying = Replaying::Reserved;
        }
        self.check(&url, generation, Purpose::Replay { ticket, webhook, window, scope });
        Ok(ticket)
    }

    fn scope(&self, route: Route) -> Scope {
        match (self.settings.replay_scope, route) {
            (ReplayScope::Everything, _) => Scope::Everything,
            (ReplayScope::AccountActivity, _) => Scope::AccountActivity,
            (ReplayScope::OfRoute, Route::Webhooks) => Scope::Everything,
            (ReplayScope::OfRoute, Route::AccountActivity) => Scope::AccountActivity,
        }
    }

    /// The second half of a creation, after the check.
    pub(super) fn replay_checked(
        &mut self,
        ticket: Ticket,
        webhook: WebhookId,
        (window, scope): (ReplayWindow, Scope),
        refusal: Option<Refusal>,
    ) {
        let result = match refusal {
            Some(refusal) => {
                if let Some(hook) = self.hooks.get_mut(&webhook) {
                    hook.replaying = Replaying::No;
                }
                Err(refusal)
            }
            None => self.start_job(webhook, window, scope),
        };
        self.answer(ticket, Outcome::Replaying(result));
        self.resume_replay(webhook);
    }

    /// Sends on, as far as the job may, and ends it when nothing is left.
    pub(super) fn resume_replay(&mut self, webhook: WebhookId) {
        let room = self.settings.concurrency.max(1);
        let is_paced = self.settings.time == TimeMode::Running;
        let rate = i64::from(self.settings.replay_rate.max(1));
        let now = self.now;
        loop {
            let Some(hook) = self.hooks.get_mut(&webhook) else {
                return;
            };
            let attempted = &hook.attempted;
            let Replaying::Running(job) = &mut hook.replaying else {
                return;
            };
            let id = job.id;
            if job.next >= job.end {
                if job.in_flight == 0 && job.delayed == 0 {
                    self.end_replay(webhook, id);
                }
                return;
            }
            if job.in_flight >= room {
                return;
            }
            if is_paced && job.is_too_fast(rate, now) {
                if !job.pacing {
                    job.pacing = true;
                    self.later(PACE, Timer::Pace(webhook));
                }
                return;
            }
            let entry = attempted.get(job.next).map(|(_, entry)| *entry);
            job.next += 1;
            if let Some(entry) = entry.filter(|entry| self.records.is_in(job.scope, *entry)) {
                job.sent += 1;
                let work = Work::Event { entry, cause: Cause::Replay, job: Some(id) };
                self.begin(webhook, work);
            }
        }
    }

    /// A job that was too fast may go on.
    pub(super) fn pace(&mut self, webhook: WebhookId) {
        if let Some(job) = self.hooks.get_mut(&webhook).and_then(|hook| hook.job_mut()) {
            job.pacing = false;
        }
        self.resume_replay(webhook);
    }

    /// An invalid webhook receives nothing: the rest of its job fails.
    pub(super) fn stop_replay(&mut self, webhook: WebhookId) {
        let Some(hook) = self.hooks.get_mut(&webhook) else {
            return;
        };
        let Replaying::Running(job) = &mut hook.replaying else {
            return;
        };
        let rest = self.records.count_in(job.scope, hook.attempted.get(job.next..job.end));
        let id = job.id;
        job.next = job.end;
        if let Some(record) = self.records.job_mut(id) {
            record.failed += rest;
        }
        self.resume_replay(webhook);
    }

    /// Returns the job that a piece of work belongs to, while it runs.
    pub(super) fn job_of(&mut self, webhook: WebhookId, work: &Work) -> Option<&mut Job> {
        let Work::Event { job: Some(id), .. } = work else {
            return None;
        };
        self.hooks.get_mut(&webhook)?.job_mut().filter(|job| job.id == *id)
    }

    fn start_job(
        &mut self,
        webhook: WebhookId,
        window: ReplayWindow,
        scope: Scope,
    ) -> Result<ReplayJob, Refusal> {
        let id = JobId::try_from(self.next_id()).map_err(|_| super::webhooks::unknown_webhook())?;
        let end = match self.settings.window_end {
            WindowEnd::Exclusive => window.to_date(),
            WindowEnd::Inclusive => window.to_date().plus(1),
        };
        let now = self.now;
        let hook = self.hooks.get_mut(&webhook).ok_or_else(super::webhooks::unknown_webhook)?;
        let before = |time: UtcMinute| hook.attempted.partition_point(|(at, _)| *at < time.start());
        let (next, end) = (before(window.from_date()), before(end));
        let events = self.records.count_in(scope, hook.attempted.get(next..end));
        hook.replaying = Replaying::Running(Job {
            id,
            scope,
            next,
            end,
            in_flight: 0,
            delayed: 0,
            started: now,
            sent: 0,
            pacing: false,
        });
        self.records.add_job(id, webhook, window, events, now);
        Ok(ReplayJob { job_id: id, created_at: Some(now) })
    }

    fn end_replay(&mut self, webhook: WebhookId, id: JobId) {
        if let Some(hook) = self.hooks.get_mut(&webhook) {
            hook.replaying = Replaying::No;
        }
        let has_failed = self.records.job_mut(id).is_some_and(|job| job.failed > 0);
        let occasion = Occasion::completion(webhook);
        let state = match self.fire(Class::JobState, &occasion) {
            Some(Action::IncompleteJob) => JobState::Incomplete,
            Some(Action::CompleteJob) => JobState::Complete,
            _ if has_failed => JobState::Incomplete,
            _ => JobState::Complete,
        };
        self.records.end_job(id, state);
        let copies = match self.fire(Class::JobEnd, &occasion) {
            Some(Action::MissingCompletion) => 0,
            Some(Action::DoubleCompletion) => 2,
            _ => 1,
        };
        let (name, words) = match state {
            JobState::Complete | JobState::Running => ("Complete", "Job completed successfully"),
            JobState::Incomplete => {
                ("Incomplete", "Job failed to deliver all events, please retry your replay job")
            }
        };
        let body = payload::replay_job_status(&webhook.to_string(), &id.to_string(), name, words);
        for _ in 0..copies {
            self.enqueue(webhook, Work::Completion { job: id, body: body.clone() });
        }
    }

    /// Checks a window against what can be asked for now. X names no failure for a minute that is
    /// past and still too young.
    fn window(
        &self,
        from_date: &str,
        to_date: &str,
        generation: Generation,
    ) -> Result<ReplayWindow, Reason> {
        let minute = |name: &'static str, text: &str| {
            if text.is_empty() {
                return Err(Reason::Missing(name));
            }
            let malformed = |_| Reason::Malformed(name, "in the format yyyymmddhhmm");
            text.parse::<UtcMinute>().map_err(malformed)
        };
        let from = minute("from_date", from_date)?;
        let to = minute("to_date", to_date)?;
        let window = ReplayWindow::new(from, to).map_err(|_| Reason::Backwards)?;
        let age = |minute: UtcMinute| self.now.duration_since(minute.start());
        let look_back = self.settings.look_back_of(generation);
        if age(from) > look_back {
            return Err(Reason::TooOld(look_back));
        }
        for (name, minute, needed) in [("from_date", from, FROM_AGE), ("to_date", to, TO_AGE)] {
            let value = minute.to_string();
            if age(minute) < SignedDuration::ZERO {
                return Err(Reason::NotPast { name, value });
            }
            if age(minute) < needed {
                return Err(Reason::TooYoung { name, value, needed });
            }
        }
        Ok(window)
    }
}

impl Job {
    fn is_too_fast(&self, rate: i64, now: Timestamp) -> bool {
        let elapsed = now.duration_since(self.started).saturating_add(PACE).as_millis();
        i128::from(self.sent) * 1000 >= i128::from(rate) * elapsed
    }
}
