//! What is to be done next, decided without doing any of it.

mod caution;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;

use self::caution::Caution;
use super::{
    Progress, RetryPolicy,
    storage::{Changes, Cursor, DeadLetter, Totals},
    work::{Failed, Retry},
};
use crate::inbox::StoredEvent;

/// How much a consumer does and knows at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many items are in flight: begun, and not yet noted as done in the store. After a crash
    /// at most so many come again. 32.
    pub in_flight: usize,
    /// How many unfinished events are known before no other page is read; the others wait in the
    /// store, also those of users who could go on. 4,096.
    pub window: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { in_flight: 32, window: 4096 }
    }
}

/// Whose events are handled one after another: those of a user in an app, and those of an app
/// without a user.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane(Arc<(String, Option<String>)>);

impl Lane {
    /// Returns the lane of an event.
    pub fn of(event: &StoredEvent) -> Self {
        Self::new(&event.app, event.for_user_id.as_deref())
    }

    /// Returns the lane of a user in an app.
    pub fn new(app: &str, user: Option<&str>) -> Self {
        Self(Arc::new((app.to_owned(), user.map(str::to_owned))))
    }
}

/// What is handled together: an event, or those of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Where it has to wait for its turn.
    pub lane: Lane,
    /// The events, rising.
    pub seqs: Vec<u64>,
}

/// Two clocks: one that never jumps, for pauses, and one for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// How long ago some fixed moment of this process was.
    pub steady: Duration,
    /// The time of day.
    pub wall: Timestamp,
}

/// Something to begin now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// What.
    pub item: Item,
    /// Which attempt it is, from 1.
    pub attempt: u32,
}

/// What an attempt led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is done.
    Done,
    /// It is tried again after a pause; later events of the lane wait.
    Again(Duration),
    /// It became a dead letter.
    Dead,
}

/// What a consumer has to do: which events it may begin, which it tries again and when, how far
/// its cursor may move.
///
/// It does nothing itself and knows no clock, so that every order of things can be played through.
/// Whoever drives it reads the log ([`Agenda::wants`], [`Agenda::take`]), begins what
/// [`Agenda::start`] returns, tells how that ended ([`Agenda::finish`]), and saves
/// ([`Agenda::changes`], [`Agenda::saved`]).
///
/// When the process keeps dying, what may have been in flight begins only after a save that notes
/// it, and alone; what it died of too often, [`Agenda::give_up`] makes a dead letter.
///
/// # Examples
///
/// ```
/// use aaa_webhook::consumer::{
///     Agenda, Cursor, Failed, Item, Lane, Limits, Now, Progress, RetryPolicy, Verdict,
/// };
/// use std::time::Duration;
///
/// let mut agenda = Agenda::new(Cursor::default(), Limits::default(), RetryPolicy::default());
/// let (ann, bob) = (Lane::new("main", Some("7")), Lane::new("main", Some("8")));
/// let item = |lane: &Lane, seq| Item { lane: lane.clone(), seqs: vec![seq] };
/// agenda.take(vec![item(&ann, 1), item(&ann, 2), item(&bob, 3)], 3, 0);
///
/// // The second of Ann's events waits for the first, and Bob waits for nobody.
/// let now = Now { steady: Duration::ZERO, wall: "2025-11-22T04:13:00Z".parse()? };
/// assert_eq!(agenda.start(now).map(|start| start.item.seqs), Some(vec![1]));
/// assert_eq!(agenda.start(now).map(|start| start.item.seqs), Some(vec![3]));
/// assert_eq!(agenda.start(now), None);
///
/// let verdict = agenda.finish(&ann, Err(Failed::again("no answer")), 0, now);
/// assert_eq!(verdict, Verdict::Again(Duration::from_secs(1)));
/// assert_eq!(agenda.finish(&bob, Ok(()), 0, now), Verdict::Done);
/// // The cursor cannot pass the first event, but the third need not come again.
/// assert_eq!(agenda.progress(), Progress::new(0, [3..=3]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Agenda {
    limits: Limits,
    retry: RetryPolicy,
    generation: u64,
    totals: Totals,
    /// What the runs before had finished.
    before: Progress,
    /// The last event that was read.
    read: u64,
    /// What was read and is not finished.
    open: BTreeSet<u64>,
    /// What is handled once more, until the store knows how that ended.
    redriven: BTreeSet<u64>,
    lanes: HashMap<Lane, VecDeque<Job>>,
    ready: BTreeSet<(u64, Lane)>,
    waiting: BTreeSet<(Duration, u64, Lane)>,
    running: usize,
    /// How many items ended since the last save was begun, and how many that save holds.
    ended: usize,
    saving: Option<usize>,
    changed: bool,
    caution: Caution,
    dead: Vec<DeadLetter>,
    settled: Vec<u64>,
    redrives_ended: Vec<u64>,
    redrives_saving: Vec<u64>,
}

#[derive(Debug)]
struct Job {
    seqs: Vec<u64>,
    failures: u32,
    /// Those of them that count for the bound.
    strikes: u32,
    first_failed_at: Option<Timestamp>,
    /// How often it was tried before it became a dead letter.
    earlier: Option<u32>,
    /// Whether the process may have died of it.
    doubtful: bool,
}

impl Agenda {
    /// Goes on where a cursor stands.
    pub fn new(cursor: Cursor, limits: Limits, retry: RetryPolicy) -> Self {
        let limits = Limits { in_flight: limits.in_flight.max(1), window: limits.window.max(1) };
        let caution = Caution::new(&cursor, limits.window);
        let Cursor { generation, progress, totals, .. } = cursor;
        Self {
            limits,
            retry,
            generation,
            totals,
            read: progress.cursor(),
            before: progress,
            open: BTreeSet::new(),
            redriven: BTreeSet::new(),
            lanes: HashMap::new(),
            ready: BTreeSet::new(),
            waiting: BTreeSet::new(),
            running: 0,
            ended: 0,
            saving: None,
            changed: false,
            caution,
            dead: Vec::new(),
            settled: Vec::new(),
            redrives_ended: Vec::new(),
            redrives_saving: Vec::new(),
        }
    }

    /// Returns after which event to go on reading, if there is room for more.
    pub fn wants(&self) -> Option<u64> {
        (self.open.len() < self.limits.window).then_some(self.read)
    }

    /// Says whether an event has been finished by a run before.
    pub fn is_finished(&self, seq: u64) -> bool {
        self.before.contains(seq)
    }

    /// Takes what was read up to and including `read`, in order. What is not among the items need
    /// not be handled, or is not there: `stale` counts the former.
    pub fn take(&mut self, items: Vec<Item>, read: u64, stale: u64) {
        for item in items {
            self.open.extend(&item.seqs);
            let doubtful = self.caution.doubts(item.seqs.len());
            self.push(item, None, None, doubtful);
        }
        self.changed |= read > self.read;
        self.read = self.read.max(read);
        self.totals.stale += stale;
    }

    /// Takes a dead letter to be handled once more, unless it already was taken.
    pub fn redrive(&mut self, lane: Lane, letter: &DeadLetter) {
        if self.redriven.insert(letter.seq) {
            let item = Item { lane, seqs: vec![letter.seq] };
            let doubtful = self.caution.is_careful();
            self.push(item, Some(letter.attempts), Some(letter.first_failed_at), doubtful);
        }
    }

    /// Says whether there is room for more dead letters.
    pub fn wants_redriven(&self) -> bool {
        self.redriven.len() < self.limits.window
    }

    /// Says whether a dead letter is being handled once more.
    pub fn is_redriven(&self, seq: u64) -> bool {
        self.redriven.contains(&seq)
    }

    /// Learns that everything was read that there was. What comes from now on was never handled.
    pub fn all_read(&mut self) {
        self.caution.all_read();
    }

    /// Says whether the process died so often that something is to be tried alone.
    pub fn is_careful(&self) -> bool {
        self.caution.is_careful()
    }

    /// Makes a dead letter of what the process died of too often, and returns it. To be called
    /// before [`Agenda::start`], which would try it once more.
    pub fn give_up(&mut self, now: Now) -> Option<Item> {
        let trial = self.caution.hopeless()?;
        let (seq, lane) = self.ready.iter().find(|(seq, _)| *seq == trial.seq)?.clone();
        let mut job = self.lanes.get_mut(&lane)?.pop_front()?;
        self.ready.remove(&(seq, lane.clone()));
        self.caution.gave_up();
        job.failures = job.failures.saturating_add(trial.deaths);
        let reason = format!("the process died while handling it ({} times)", trial.deaths);
        self.bury(&lane, &job, &reason, now);
        Some(Item { lane, seqs: job.seqs })
    }

    /// Returns what may begin now.
    pub fn start(&mut self, now: Now) -> Option<Start> {
        if self.in_flight() >= self.limits.in_flight || self.caution.is_alone() {
            return None;
        }
        while let Some(entry) = self.waiting.first()
            && entry.0 <= now.steady
        {
            if let Some((_, seq, lane)) = self.waiting.pop_first() {
                self.ready.insert((seq, lane));
            }
        }
        let (seq, lane) = self.ready.first()?;
        let job = self.lanes.get(lane)?.front()?;
        if job.doubtful {
            if self.running > 0 {
                return None;
            }
            if !self.caution.may_try(*seq) {
                self.changed = true;
                return None;
            }
            self.caution.begins();
        }
        let (_, lane) = self.ready.pop_first()?;
        let job = self.lanes.get(&lane)?.front()?;
        self.running += 1;
        Some(Start {
            attempt: job.failures.saturating_add(1),
            item: Item { seqs: job.seqs.clone(), lane },
        })
    }

    /// Returns how many items are in flight.
    pub fn in_flight(&self) -> usize {
        self.running + self.ended + self.saving.unwrap_or(0)
    }

    /// Returns when something may begin that cannot now.
    pub fn next_wakeup(&self) -> Option<Duration> {
        self.waiting.first().map(|(at, ..)| *at)
    }

    /// Takes how the first item of a lane, which was begun, ended.
    pub fn finish(
        &mut self,
        lane: &Lane,
        result: Result<(), Failed>,
        random: u64,
        now: Now,
    ) -> Verdict {
        let Some(mut job) = self.lanes.get_mut(lane).and_then(VecDeque::pop_front) else {
            return Verdict::Done;
        };
        self.running = self.running.saturating_sub(1);
        if job.doubtful {
            self.caution.survived(job.seqs.first().copied().unwrap_or(0));
            self.changed = true;
        }
        let failed = match result {
            Ok(()) => {
                self.totals.handled += job.seqs.len() as u64;
                if job.earlier.is_some() {
                    self.settled.extend(&job.seqs);
                }
                self.end(lane, &job);
                return Verdict::Done;
            }
            Err(failed) => failed,
        };
        job.failures = job.failures.saturating_add(1);
        job.first_failed_at.get_or_insert(now.wall);
        let alive = match failed.retry() {
            Retry::ForEver => {
                // It can take hours, and the others are not to stand aside for all of them.
                job.doubtful = false;
                true
            }
            Retry::Bounded => {
                job.strikes = job.strikes.saturating_add(1);
                job.strikes < self.retry.attempts
            }
            Retry::Never => false,
        };
        if alive {
            let pause = self.retry.pause(job.failures, random);
            let pause = pause.max(failed.after().unwrap_or_default());
            if let (Some(seq), Some(jobs)) = (job.seqs.first(), self.lanes.get_mut(lane)) {
                let at = now.steady.saturating_add(pause);
                self.waiting.insert((at, *seq, lane.clone()));
                jobs.push_front(job);
            }
            return Verdict::Again(pause);
        }
        self.bury(lane, &job, failed.reason(), now);
        Verdict::Dead
    }

    /// Returns what has to be saved, unless something is being saved already.
    pub fn changes(&mut self) -> Option<Changes> {
        if self.saving.is_some() || !self.changed {
            return None;
        }
        self.changed = false;
        self.saving = Some(std::mem::take(&mut self.ended));
        self.redrives_saving = std::mem::take(&mut self.redrives_ended);
        let progress = self.progress();
        let (deaths, trial) = self.caution.save(progress.cursor(), self.redriven.is_empty());
        Some(Changes {
            generation: self.generation,
            progress,
            totals: self.totals,
            deaths,
            trial,
            dead: std::mem::take(&mut self.dead),
            settled: std::mem::take(&mut self.settled),
        })
    }

    /// Learns that what [`Agenda::changes`] returned is durable.
    pub fn saved(&mut self) {
        self.saving = None;
        self.caution.saved();
        for seq in self.redrives_saving.drain(..) {
            self.redriven.remove(&seq);
        }
    }

    /// Says that the run ends as it should, so that it does not count as a death. What it changed
    /// has to be saved.
    pub fn close(&mut self) {
        self.caution.end();
        self.changed = true;
    }

    /// Returns what is finished, by this run and those before.
    pub fn progress(&self) -> Progress {
        let mut next = 0;
        let mut ranges = Vec::new();
        for seq in &self.open {
            if next < *seq {
                ranges.push(next..=*seq - 1);
            }
            next = seq.saturating_add(1);
        }
        if next <= self.read {
            ranges.push(next..=self.read);
        }
        // Where the last run was ahead of this one's reading.
        let beyond = self.before.ahead().iter().filter(|range| *range.end() > self.read);
        let from = self.read.saturating_add(1);
        ranges.extend(beyond.map(|range| (*range.start()).max(from)..=*range.end()));
        Progress::new(0, ranges)
    }

    fn push(
        &mut self,
        item: Item,
        earlier: Option<u32>,
        first_failed_at: Option<Timestamp>,
        doubtful: bool,
    ) {
        let Item { lane, seqs } = item;
        let Some(first) = seqs.first().copied() else { return };
        let jobs = self.lanes.entry(lane.clone()).or_default();
        if jobs.is_empty() {
            self.ready.insert((first, lane));
        }
        jobs.push_back(Job { seqs, failures: 0, strikes: 0, first_failed_at, earlier, doubtful });
    }

    /// Makes dead letters of the events of a job.
    fn bury(&mut self, lane: &Lane, job: &Job, reason: &str, now: Now) {
        self.totals.dead += job.seqs.len() as u64;
        let attempts = job.failures.saturating_add(job.earlier.unwrap_or(0));
        self.dead.extend(job.seqs.iter().map(|seq| DeadLetter {
            seq: *seq,
            key: None,
            reason: reason.to_owned(),
            attempts,
            first_failed_at: job.first_failed_at.unwrap_or(now.wall),
            last_failed_at: now.wall,
            redrive: false,
        }));
        self.end(lane, job);
    }

    /// Notes that a job needs no more attempts, and lets the next of its lane follow.
    fn end(&mut self, lane: &Lane, job: &Job) {
        for seq in &job.seqs {
            if job.earlier.is_some() {
                self.redrives_ended.push(*seq);
            } else {
                self.open.remove(seq);
            }
        }
        self.ended += 1;
        self.changed = true;
        match self.lanes.get(lane).and_then(VecDeque::front) {
            Some(next) => {
                if let Some(seq) = next.seqs.first() {
                    self.ready.insert((*seq, lane.clone()));
                }
            }
            None => {
                self.lanes.remove(lane);
            }
        }
    }
}

#[cfg(test)]
mod tests;
