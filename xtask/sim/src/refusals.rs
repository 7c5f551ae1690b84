//! What X was asked for and did not replay, though the receiver took what came.

use std::collections::HashMap;

use aaa_emulator::control::{JobDetail, JobState, Ledger};
use aaa_types::{JobId, UtcMinute, WebhookId};
use jiff::SignedDuration;

use crate::{fired::Fired, sim::Sim};

/// How old the beginning of a window may be when it begins earlier than it would have to, since X
/// takes no younger one: X's 31 minutes, and up to three for whole minutes and the way of the call.
const YOUNGEST: SignedDuration = SignedDuration::from_mins(34);

/// Jobs that ended incomplete, and not because of the receiver alone.
#[derive(Debug)]
pub(crate) struct Refusals(Vec<JobDetail>);

impl Refusals {
    pub(crate) fn new(sim: &Sim, ledger: &Ledger, fired: &Fired) -> Self {
        let jobs = sim.world.state(sim.clocks.x()).jobs;
        Self::among(jobs, ledger, fired)
    }

    fn among(jobs: Vec<JobDetail>, ledger: &Ledger, fired: &Fired) -> Self {
        // By job: how much of it the receiver did not take, without any fault on the way.
        let mut ours: HashMap<JobId, usize> = HashMap::new();
        for event in &ledger.events {
            let failed = event.attempts.iter().filter(|it| it.status != Some(200));
            for attempt in failed.filter(|it| !fired.has_spoilt(&event.id, it.at)) {
                if let Some(job) = attempt.job_id {
                    *ours.entry(job).or_default() += 1;
                }
            }
        }
        let of_x = |it: &JobDetail| {
            let ours = ours.get(&it.job.id).copied().unwrap_or_default();
            it.job.state == JobState::Incomplete && (ours == 0 || it.failed > ours)
        };
        Self(jobs.into_iter().filter(of_x).collect())
    }

    /// Says whether X was asked for a minute so often, without others but the one that windows
    /// overlap by and those that are too young to be asked for by themselves, and at least once
    /// without that one, too.
    pub(crate) fn of(&self, webhook: WebhookId, minute: UtcMinute, tries: usize) -> bool {
        let narrow = |it: &&JobDetail| {
            let age = it.created_at.duration_since(it.job.from_date.start());
            let begins =
                it.job.from_date == minute || (it.job.from_date < minute && age <= YOUNGEST);
            it.job.webhook_id == webhook
                && begins
                && (minute.plus(1)..=minute.plus(2)).contains(&it.job.to_date)
        };
        let narrow = self.0.iter().filter(narrow);
        let alone = narrow.clone().filter(|it| it.job.to_date == minute.plus(1));
        narrow.count() >= tries && alone.count() > 0
    }
}

#[cfg(test)]
mod tests {
    use aaa_emulator::control::{Attempt, Cause, Completion, LedgerEvent, LedgerJob};
    use jiff::Timestamp;

    use super::*;

    const NOW: &str = "2025-11-22T12:00:00Z";

    /// Jobs for minutes since midnight, of which some delivered one thing less.
    fn refusals(jobs: &[(i64, i64)], ours: bool) -> Refusals {
        let (webhook_id, start) = ("12".parse().unwrap(), minute(0));
        let now: Timestamp = NOW.parse().unwrap();
        let detail = |(index, (from, to)): (usize, &(i64, i64))| JobDetail {
            job: LedgerJob {
                id: (index + 1).to_string().parse().unwrap(),
                webhook_id,
                from_date: start.plus(*from),
                to_date: start.plus(*to),
                state: JobState::Incomplete,
            },
            created_at: now,
            events: 1,
            failed: usize::from(ours),
            completion: Completion::Acknowledged,
        };
        let jobs: Vec<_> = jobs.iter().enumerate().map(detail).collect();
        let attempts = jobs.iter().map(|it| Attempt {
            at: now,
            cause: Cause::Replay,
            job_id: Some(it.job.id),
            status: Some(if ours { 503 } else { 200 }),
            error: None,
        });
        let event = LedgerEvent {
            id: "1".to_owned(),
            key: "k".to_owned(),
            kind: "follow_events".to_owned(),
            for_user_id: None,
            webhook_id,
            created_at: now,
            attempts: attempts.collect(),
            acknowledged_at: None,
            abandoned: None,
        };
        let ledger = Ledger { now, events: vec![event], jobs: Vec::new() };
        Refusals::among(jobs, &ledger, &Fired::default())
    }

    fn minute(n: i64) -> UtcMinute {
        "202511220000".parse::<UtcMinute>().unwrap().plus(n)
    }

    #[test]
    fn a_minute_is_refused_when_it_was_asked_for_alone() {
        let of = |jobs: &[(i64, i64)], ours| {
            refusals(jobs, ours).of("12".parse().unwrap(), minute(5), 3)
        };
        assert!(of(&[(5, 7), (5, 7), (5, 6)], false));
        // Wider, not alone in the end, too seldom, another minute.
        assert!(!of(&[(0, 9), (0, 9), (5, 6)], false));
        assert!(!of(&[(5, 7), (5, 7), (5, 7)], false));
        assert!(!of(&[(5, 7), (5, 6)], false));
        assert!(!of(&[(6, 8), (6, 8), (6, 7)], false));
        // The receiver did not take it.
        assert!(!of(&[(5, 7), (5, 7), (5, 6)], true));
    }
}
