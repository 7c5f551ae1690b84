//! Deliveries: queued, begun, and ended one way or another.

mod wire;

use std::sync::Arc;

use aaa_types::{JobId, WebhookId};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use super::{
    DeliveryId, Heard, Outcome, Refusal, Ticket, Timer, World,
    faults::{Class, Occasion},
};
use crate::{
    control::{Abandoned, Action, Cause, Completion, Deliver, Delivered},
    settings::{TimeMode, WhileInvalid},
};

/// How long a delivery waits to be overtaken.
const UNOVERTAKEN: SignedDuration = SignedDuration::from_secs(10);

/// Something to deliver.
#[derive(Debug)]
pub(super) enum Work {
    /// An event of the ledger.
    Event { entry: usize, cause: Cause, job: Option<JobId> },
    /// The end of a replay job.
    Completion { job: JobId, body: Bytes },
    /// What somebody gave to the control API.
    Raw { ticket: Ticket, body: Bytes, signature: Option<String> },
}

/// A delivery that is under way.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) webhook: WebhookId,
    pub(super) what: What,
    /// The answer will be lost.
    lossy: bool,
}

#[derive(Debug)]
pub(super) enum What {
    Event(Attempted),
    Completion(JobId),
    Raw(Ticket),
}

/// An attempt to deliver an event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempted {
    pub(super) entry: usize,
    pub(super) attempt: usize,
    pub(super) job: Option<JobId>,
}

impl World {
    /// Delivers any text to a webhook, valid or not: [`Outcome::Delivered`].
    ///
    /// # Errors
    ///
    /// Refuses unknown webhooks.
    pub fn deliver(&mut self, ask: Deliver, now: Timestamp) -> Result<Ticket, Refusal> {
        self.observe(now);
        self.hook(ask.webhook_id)?;
        let ticket = self.ticket();
        let work = Work::Raw { ticket, body: ask.body.into(), signature: ask.signature };
        self.enqueue(ask.webhook_id, work);
        Ok(ticket)
    }

    /// Reports what a webhook answered to a delivery.
    pub fn delivery_ended(&mut self, delivery: DeliveryId, heard: Heard, now: Timestamp) {
        self.observe(now);
        let Some(InFlight { webhook, what, lossy }) = self.deliveries.remove(&delivery) else {
            return;
        };
        if let Some(hook) = self.hooks.get_mut(&webhook) {
            match &what {
                What::Event(Attempted { job: Some(id), .. }) => {
                    let job = hook.job_mut().filter(|job| job.id == *id);
                    job.into_iter().for_each(|job| job.in_flight -= 1);
                }
                _ => hook.in_flight -= 1,
            }
        }
        let result = match &heard {
            _ if lossy => Err("the answer was lost by a planned fault".to_owned()),
            Ok(answer) => Ok(answer.status),
            Err(silence) => Err(silence.to_string()),
        };
        match what {
            What::Event(attempted) => self.attempt_ended(webhook, attempted, result, true),
            What::Completion(id) => {
                let acknowledged = result == Ok(200);
                if let Some(job) = self.records.job_mut(id) {
                    job.completion =
                        if acknowledged { Completion::Acknowledged } else { Completion::Failed };
                }
            }
            What::Raw(ticket) => self.answer(ticket, Outcome::Delivered(delivered(heard))),
        }
        self.pump(webhook);
        self.resume_replay(webhook);
    }

    /// Starts what waits, as far as there is room.
    pub(super) fn pump(&mut self, webhook: WebhookId) {
        let room = self.settings.concurrency.max(1);
        while let Some(hook) = self.hooks.get_mut(&webhook)
            && hook.in_flight < room
            && let Some(work) = hook.queue.pop_front()
        {
            self.begin(webhook, work);
        }
    }

    pub(super) fn enqueue(&mut self, webhook: WebhookId, work: Work) {
        if let Some(hook) = self.hooks.get_mut(&webhook) {
            hook.queue.push_back(work);
            self.pump(webhook);
        }
    }

    pub(super) fn retry(&mut self, webhook: WebhookId, work: Work) {
        if self.hooks.contains_key(&webhook) {
            self.enqueue(webhook, work);
        } else {
            self.abandon(work, Some(Abandoned::WebhookRemoved));
        }
    }

    /// Begins a delivery, unless a fault delays it.
    pub(super) fn begin(&mut self, webhook: WebhookId, work: Work) {
        if self.is_unsubscribed(webhook, &work) {
            return self.abandon(work, Some(Abandoned::Unsubscribed));
        }
        let fault = self.fault_of(webhook, &work);
        match fault {
            Some(Action::Delay { seconds: seconds @ 1.. }) => {
                self.put_off(webhook, &work);
                let delay = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
                self.later(delay, Timer::Begin(webhook, work));
            }
            Some(Action::Reorder) => {
                self.put_off(webhook, &work);
                let held = self.next_serial();
                if let Some(hook) = self.hooks.get_mut(&webhook) {
                    hook.held.insert(held, work);
                }
                self.later(UNOVERTAKEN, Timer::Release(webhook, held));
            }
            _ => {
                let is_live = !matches!(work, Work::Event { job: Some(_), .. });
                self.start(webhook, work, fault);
                let any = self.release_overtaken(webhook);
                // Whoever begins what a job sends goes on with the job too.
                if any && is_live {
                    self.resume_replay(webhook);
                }
            }
        }
    }

    /// A job does not end before what was put off has its turn.
    pub(super) fn put_off(&mut self, webhook: WebhookId, work: &Work) {
        if let Some(job) = self.job_of(webhook, work) {
            job.delayed += 1;
        }
    }

    /// What waited to be overtaken has been.
    fn release_overtaken(&mut self, webhook: WebhookId) -> bool {
        let mut any = false;
        while let Some(hook) = self.hooks.get_mut(&webhook)
            && let Some((_, work)) = hook.held.pop_first()
        {
            any = true;
            self.start_late(webhook, work);
        }
        any
    }

    /// Nothing has come that could overtake it.
    pub(super) fn release(&mut self, webhook: WebhookId, held: u64) {
        let hook = self.hooks.get_mut(&webhook);
        if let Some(work) = hook.and_then(|hook| hook.held.remove(&held)) {
            self.begin_late(webhook, work);
        }
    }

    /// Begins a delivery that was delayed; its fault has fired.
    pub(super) fn begin_late(&mut self, webhook: WebhookId, work: Work) {
        if !self.hooks.contains_key(&webhook) {
            return self.abandon(work, Some(Abandoned::WebhookRemoved));
        }
        self.start_late(webhook, work);
        self.resume_replay(webhook);
    }

    fn start_late(&mut self, webhook: WebhookId, work: Work) {
        if let Some(job) = self.job_of(webhook, &work) {
            job.delayed -= 1;
        }
        if self.is_unsubscribed(webhook, &work) {
            return self.abandon(work, Some(Abandoned::Unsubscribed));
        }
        self.start(webhook, work, None);
    }

    /// Says whether something is for a user whose subscription has ended since it happened. What
    /// was attempted before, a replay sends all the same.
    fn is_unsubscribed(&self, webhook: WebhookId, work: &Work) -> bool {
        let Work::Event { entry, job: None, .. } = work else {
            return false;
        };
        let user = self.records.entry(*entry).and_then(|entry| entry.for_user);
        let hook = self.hooks.get(&webhook);
        user.zip(hook).is_some_and(|(user, hook)| !hook.subscribers.contains(&user))
    }

    /// What will not be delivered any more is waited for no longer. The ledger says why, where it
    /// is not the webhook that is invalid.
    pub(super) fn abandon(&mut self, work: Work, why: Option<Abandoned>) {
        match work {
            Work::Event { entry, job, .. } => {
                if let (Some(why), None) = (why, job) {
                    self.records.abandon(entry, why);
                }
                if let Some(ticket) = self.records.take_wait(entry) {
                    self.settle(ticket);
                }
            }
            Work::Raw { ticket, .. } => {
                let error = Some("the webhook was removed".to_owned());
                let outcome = Delivered { status: None, body: String::new(), error };
                self.answer(ticket, Outcome::Delivered(outcome));
            }
            Work::Completion { .. } => {}
        }
    }

    fn start(&mut self, webhook: WebhookId, work: Work, fault: Option<Action>) {
        let is_valid = self.hooks.get(&webhook).is_some_and(|hook| hook.valid);
        match work {
            Work::Event { entry, job, .. } if !is_valid => {
                self.skip(webhook, entry, job);
                self.abandon(work, None);
            }
            Work::Event { entry, cause, job } => {
                let attempted = self.attempt(webhook, entry, cause, job);
                let lost = match fault {
                    Some(Action::Drop) => Some("lost on its way by a planned fault"),
                    Some(Action::GiveUp) => Some("given up by a planned fault"),
                    _ => None,
                };
                if let Some(error) = lost {
                    let may_retry = fault != Some(Action::GiveUp);
                    let result = Err(error.to_owned());
                    return self.attempt_ended(webhook, attempted, result, may_retry);
                }
                let body = self.records.body(entry);
                if fault == Some(Action::Duplicate) {
                    let copy = self.attempt(webhook, entry, cause, job);
                    self.post(webhook, What::Event(copy), body.clone(), None, fault);
                }
                self.post(webhook, What::Event(attempted), body, None, fault);
            }
            Work::Completion { job, body }
                if is_valid && !matches!(fault, Some(Action::Drop | Action::GiveUp)) =>
            {
                if let Some(job) = self.records.job_mut(job) {
                    job.completion = Completion::Sent;
                }
                if fault == Some(Action::Duplicate) {
                    self.post(webhook, What::Completion(job), body.clone(), None, fault);
                }
                self.post(webhook, What::Completion(job), body, None, fault);
            }
            Work::Completion { .. } => {}
            Work::Raw { ticket, body, signature } => {
                self.post(webhook, What::Raw(ticket), body, signature, None);
            }
        }
    }

    /// An event whose turn comes while its webhook is invalid is not attempted.
    fn skip(&mut self, webhook: WebhookId, entry: usize, job: Option<JobId>) {
        let is_new = self.records.entry(entry).is_some_and(|entry| entry.attempts.is_empty());
        let now = self.now;
        match job.and_then(|job| self.records.job_mut(job)) {
            Some(job) => job.failed += 1,
            None if is_new && self.settings.while_invalid == WhileInvalid::Replayable => {
                if let Some(hook) = self.hooks.get_mut(&webhook) {
                    hook.attempted.push((now, entry));
                }
            }
            None => {}
        }
    }

    /// Writes an attempt into the ledger; from the first on, a replay has the event.
    fn attempt(
        &mut self,
        webhook: WebhookId,
        entry: usize,
        cause: Cause,
        job: Option<JobId>,
    ) -> Attempted {
        let attempt = self.records.attempt(entry, cause, job, self.now);
        if attempt == 0
            && cause == Cause::Live
            && let Some(hook) = self.hooks.get_mut(&webhook)
        {
            hook.attempted.push((self.now, entry));
        }
        Attempted { entry, attempt, job }
    }

    fn attempt_ended(
        &mut self,
        webhook: WebhookId,
        attempted: Attempted,
        result: Result<u16, String>,
        may_retry: bool,
    ) {
        let Attempted { entry, attempt, job } = attempted;
        let is_delivered = result == Ok(200);
        self.records.attempt_ended((entry, attempt), result, self.now);
        if !is_delivered {
            if let Some(job) = job.and_then(|id| self.records.job_mut(id)) {
                job.failed += 1;
            }
            // What a job sends is not retried.
            let is_retried = may_retry && job.is_none() && self.retry_later(webhook, entry);
            // On a clock that stands still no retry comes while somebody waits.
            if is_retried && self.settings.time == TimeMode::Running {
                return;
            }
        }
        if let Some(ticket) = self.records.take_wait(entry) {
            self.settle(ticket);
        }
    }

    /// Plans another attempt, if there is one left.
    fn retry_later(&mut self, webhook: WebhookId, entry: usize) -> bool {
        let Some(record) = self.records.entry(entry) else {
            return false;
        };
        let retries = record.attempts.iter().filter(|a| a.cause == Cause::Retry).count();
        let generation = self.hooks.get(&webhook).map(|hook| hook.generation);
        let schedule = generation.map(|generation| self.settings.retries_of(generation));
        let Some(delay) = schedule.and_then(|schedule| schedule.get(retries)).copied() else {
            return false;
        };
        let work = Work::Event { entry, cause: Cause::Retry, job: None };
        self.later(delay, Timer::Retry(webhook, work));
        true
    }

    fn fault_of(&mut self, webhook: WebhookId, work: &Work) -> Option<Action> {
        let kind;
        let occasion = match work {
            Work::Event { entry, cause, .. } => {
                let entry = self.records.entry(*entry)?;
                kind = Arc::clone(&entry.kind);
                Occasion {
                    kind: Some(&kind),
                    user: entry.for_user,
                    webhook: Some(webhook),
                    cause: Some(*cause),
                    event: Some(entry.id),
                    ..Occasion::default()
                }
            }
            Work::Completion { .. } => Occasion::completion(webhook),
            Work::Raw { .. } => return None,
        };
        self.fire(Class::Delivery, &occasion)
    }
}

fn delivered(heard: Heard) -> Delivered {
    match heard {
        Ok(answer) => Delivered {
            status: Some(answer.status),
            body: String::from_utf8_lossy(&answer.body).into_owned(),
            error: None,
        },
        Err(silence) => {
            Delivered { status: None, body: String::new(), error: Some(silence.to_string()) }
        }
    }
}
