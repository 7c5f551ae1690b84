//! The ground truth: every event for every user, every attempt, every job.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use aaa_types::{JobId, ReplayWindow, UserId, WebhookId};
use bytes::Bytes;
use jiff::Timestamp;

use super::{
    Ticket, World,
    bodies::{Packed, Samples},
    replay::Scope,
};
use crate::control::{
    Abandoned, Attempt, Cause, Completion, Counts, JobDetail, JobState, Ledger, LedgerEvent,
    LedgerJob,
};

/// One event for one user.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: u64,
    pub(super) key: Box<str>,
    pub(super) kind: Arc<str>,
    pub(super) for_user: Option<UserId>,
    pub(super) webhook: WebhookId,
    /// It is no event of another product that comes to the same webhook.
    pub(super) is_account_activity: bool,
    pub(super) created_at: Timestamp,
    pub(super) attempts: Vec<Attempt>,
    pub(super) acknowledged_at: Option<Timestamp>,
    pub(super) abandoned: Option<Abandoned>,
    pub(super) body: Packed,
    /// Who waits for the end of the first delivery.
    pub(super) wait: Option<Ticket>,
}

/// An event that is new.
#[derive(Debug)]
pub(super) struct NewEntry {
    pub(super) id: u64,
    pub(super) key: String,
    pub(super) kind: String,
    pub(super) for_user: Option<UserId>,
    pub(super) webhook: WebhookId,
    pub(super) is_account_activity: bool,
    pub(super) created_at: Timestamp,
    pub(super) body: Bytes,
    pub(super) wait: Option<Ticket>,
}

impl Entry {
    pub(super) fn told(&self) -> LedgerEvent {
        LedgerEvent {
            id: self.id.to_string(),
            key: self.key.to_string(),
            kind: self.kind.to_string(),
            for_user_id: self.for_user,
            webhook_id: self.webhook,
            created_at: self.created_at,
            attempts: self.attempts.clone(),
            acknowledged_at: self.acknowledged_at,
            abandoned: self.abandoned,
        }
    }
}

/// How many bodies are kept unpacked.
const RECENT: usize = 2048;

/// Everything that is never forgotten.
#[derive(Debug, Default)]
pub(super) struct Records {
    entries: Vec<Entry>,
    samples: Samples,
    /// The bodies of the last entries as they are: they are about to be delivered.
    recent: VecDeque<Bytes>,
    jobs: Vec<JobDetail>,
    job_index: HashMap<JobId, usize>,
    attempts: usize,
    acknowledged: usize,
}

impl Records {
    /// Adds an event that nobody has tried to deliver, and returns its place.
    pub(super) fn add(&mut self, new: NewEntry) -> usize {
        let NewEntry { id, key, kind, for_user, webhook, created_at, body, .. } = new;
        let kind = self.samples.kind(&kind);
        if self.recent.len() >= RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(body.clone());
        let body = self.samples.pack(&kind, body);
        self.entries.push(Entry {
            id,
            key: key.into(),
            kind,
            for_user,
            webhook,
            is_account_activity: new.is_account_activity,
            created_at,
            attempts: Vec::new(),
            acknowledged_at: None,
            abandoned: None,
            body,
            wait: new.wait,
        });
        self.entries.len() - 1
    }

    /// Adds an event with what became of it.
    pub(super) fn add_known(
        &mut self,
        id: u64,
        is_account_activity: bool,
        event: LedgerEvent,
        body: Bytes,
    ) {
        let place = self.add(NewEntry {
            id,
            key: event.key,
            kind: event.kind,
            for_user: event.for_user_id,
            webhook: event.webhook_id,
            is_account_activity,
            created_at: event.created_at,
            body,
            wait: None,
        });
        self.attempts += event.attempts.len();
        self.acknowledged += usize::from(event.acknowledged_at.is_some());
        if let Some(entry) = self.entries.get_mut(place) {
            entry.attempts = event.attempts;
            entry.acknowledged_at = event.acknowledged_at;
            entry.abandoned = event.abandoned;
        }
    }

    pub(super) fn with_jobs(self, jobs: Vec<JobDetail>, job_index: HashMap<JobId, usize>) -> Self {
        Self { jobs, job_index, ..self }
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the body of an event.
    pub(super) fn body(&self, entry: usize) -> Bytes {
        let first_recent = self.entries.len() - self.recent.len();
        let recent = entry.checked_sub(first_recent).and_then(|place| self.recent.get(place));
        if let Some(body) = recent {
            return body.clone();
        }
        let entry = self.entries.get(entry);
        entry.map(|entry| self.samples.unpack(&entry.kind, &entry.body)).unwrap_or_default()
    }

    pub(super) fn entry(&self, entry: usize) -> Option<&Entry> {
        self.entries.get(entry)
    }

    /// Says whether a job of that scope sends an event.
    pub(super) fn is_in(&self, scope: Scope, entry: usize) -> bool {
        let is_account_activity =
            || self.entry(entry).is_some_and(|entry| entry.is_account_activity);
        scope == Scope::Everything || is_account_activity()
    }

    /// Counts those that it sends of what was attempted.
    pub(super) fn count_in(&self, scope: Scope, attempted: Option<&[(Timestamp, usize)]>) -> usize {
        let attempted = attempted.into_iter().flatten();
        attempted.filter(|(_, entry)| self.is_in(scope, *entry)).count()
    }

    /// Writes down that an attempt begins; returns its place among the attempts of the event.
    pub(super) fn attempt(
        &mut self,
        entry: usize,
        cause: Cause,
        job_id: Option<JobId>,
        at: Timestamp,
    ) -> usize {
        let Some(entry) = self.entries.get_mut(entry) else {
            return 0;
        };
        self.attempts += 1;
        // Most events have one.
        entry.attempts.reserve_exact(1);
        entry.attempts.push(Attempt { at, cause, job_id, status: None, error: None });
        entry.attempts.len() - 1
    }

    /// Writes down how an attempt ended.
    pub(super) fn attempt_ended(
        &mut self,
        (entry, attempt): (usize, usize),
        result: Result<u16, String>,
        at: Timestamp,
    ) {
        let Some(entry) = self.entries.get_mut(entry) else {
            return;
        };
        if result == Ok(200) && entry.acknowledged_at.is_none() {
            entry.acknowledged_at = Some(at);
            self.acknowledged += 1;
        }
        if let Some(attempt) = entry.attempts.get_mut(attempt) {
            match result {
                Ok(status) => attempt.status = Some(status),
                Err(error) => attempt.error = Some(error),
            }
        }
    }

    /// Writes down that nothing more is tried.
    pub(super) fn abandon(&mut self, entry: usize, why: Abandoned) {
        if let Some(entry) = self.entries.get_mut(entry) {
            entry.abandoned = Some(why);
        }
    }

    /// Returns who waits for an event, once.
    pub(super) fn take_wait(&mut self, entry: usize) -> Option<Ticket> {
        self.entries.get_mut(entry)?.wait.take()
    }

    /// Says whether somebody waits for an event.
    pub(super) fn is_waited_for(&self, id: u64) -> bool {
        // Ids rise from one event to the next.
        let found = self.entries.binary_search_by_key(&id, |entry| entry.id).ok();
        found.and_then(|place| self.entries.get(place)).is_some_and(|entry| entry.wait.is_some())
    }

    pub(super) fn add_job(
        &mut self,
        id: JobId,
        webhook: WebhookId,
        window: ReplayWindow,
        events: usize,
        created_at: Timestamp,
    ) {
        let job = LedgerJob {
            id,
            webhook_id: webhook,
            from_date: window.from_date(),
            to_date: window.to_date(),
            state: JobState::Running,
        };
        let completion = Completion::NotSent;
        self.job_index.insert(id, self.jobs.len());
        self.jobs.push(JobDetail { job, created_at, events, failed: 0, completion });
    }

    pub(super) fn end_job(&mut self, id: JobId, state: JobState) {
        if let Some(job) = self.job_mut(id) {
            job.job.state = state;
        }
    }

    pub(super) fn job_mut(&mut self, id: JobId) -> Option<&mut JobDetail> {
        self.jobs.get_mut(*self.job_index.get(&id)?)
    }

    pub(super) fn jobs(&self) -> &[JobDetail] {
        &self.jobs
    }

    /// Counts; what is under way is not known here.
    pub(super) fn counts(&self) -> Counts {
        Counts {
            events: self.entries.len(),
            attempts: self.attempts,
            acknowledged: self.acknowledged,
            in_flight: 0,
            queued: 0,
        }
    }
}

impl World {
    /// Returns the ground truth.
    pub fn ledger(&self, now: Timestamp) -> Ledger {
        let events = self.records.entries.iter().map(Entry::told);
        let jobs = self.records.jobs.iter().map(|job| job.job.clone());
        Ledger { now: self.now.max(now), events: events.collect(), jobs: jobs.collect() }
    }

    /// Returns the truth about the latest events and their bodies, the latest first.
    pub(crate) fn latest(&self, count: usize) -> Vec<(LedgerEvent, Bytes)> {
        let entries = self.records.entries.iter().enumerate().rev().take(count);
        entries.map(|(place, entry)| (entry.told(), self.records.body(place))).collect()
    }

    /// Returns the truth about some events, by their ids; what is not there is left out.
    pub fn ledger_of(&self, ids: &[u64], now: Timestamp) -> Ledger {
        let entries = &self.records.entries;
        // Ids rise from one event to the next.
        let find = |id: &u64| entries.binary_search_by_key(id, |entry| entry.id).ok();
        let events = ids.iter().filter_map(|id| entries.get(find(id)?)).map(Entry::told);
        Ledger { now: self.now.max(now), events: events.collect(), jobs: Vec::new() }
    }
}
