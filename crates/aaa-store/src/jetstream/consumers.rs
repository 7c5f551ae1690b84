//! Cursors and dead letters: a document for each consumer.

use std::{
    collections::BTreeMap,
    ops::{
        Bound::{Excluded, Unbounded},
        RangeInclusive,
    },
    time::Duration,
};

use aaa_webhook::consumer::{
    Changes, ConsumerName, Cursor, CursorError, Cursors, DeadLetter, DeadLetterQuery, DeadLetters,
    Progress, Totals, Trial, WhichLetters,
};
use async_nats::jetstream::message::StreamMessage;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{JetStreamInbox, bucket::Room, error::JetStreamError, message};

/// What keys of consumers begin with.
pub(super) const PREFIX: &str = "consumer.";

/// What is kept of a consumer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    generation: u64,
    cursor: u64,
    /// What is finished beyond the cursor, as text.
    ahead: String,
    handled: u64,
    stale: u64,
    dead: u64,
    deaths: u32,
    /// What is tried alone, and how often the process died of it.
    trial: Option<(u64, u32)>,
    letters: BTreeMap<u64, Letter>,
    /// How often workers gave an event back because somebody was away.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    excused: BTreeMap<u64, u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Letter {
    reason: String,
    attempts: u32,
    first_failed_at: Timestamp,
    last_failed_at: Timestamp,
    redrive: bool,
    /// Which worker handles it once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claim: Option<Claim>,
}

/// Keeps a letter from all workers but one. It stays asked for until it is known how that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Claim {
    by: String,
    /// When it is anybody's again, by the servers' clock: whoever had it is gone.
    until: Timestamp,
}

impl Kept {
    fn at(start: u64) -> Self {
        Self { cursor: start, ..Self::default() }
    }

    /// Says whether a consumer has opened it. Workers, whose place the server keeps, never do.
    fn has_cursor(&self) -> bool {
        self.generation > 0
    }

    /// Finds a letter that is to be handled once more and is nobody's: the first behind a number,
    /// or else the first of all.
    fn unclaimed(&self, after: u64, now: Timestamp) -> Option<u64> {
        let behind = self.letters.range((Excluded(after), Unbounded));
        let is_free = |letter: &Letter| {
            letter.redrive && letter.claim.as_ref().is_none_or(|claim| claim.until <= now)
        };
        let mut all = behind.chain(self.letters.range(..=after));
        all.find(|(_, letter)| is_free(letter)).map(|(seq, _)| *seq)
    }

    fn claim(
        &mut self,
        after: u64,
        by: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Option<DeadLetter> {
        let seq = self.unclaimed(after, now)?;
        let letter = self.letters.get_mut(&seq)?;
        letter.claim = Some(Claim { by: by.to_owned(), until });
        Some(letter.letter(seq))
    }

    fn cursor(&self) -> Cursor {
        // What cannot be read is handled again.
        let progress = Progress::with_ahead_text(self.cursor, &self.ahead);
        Cursor {
            generation: self.generation,
            progress: progress.unwrap_or_else(|_| Progress::new(self.cursor, [])),
            totals: Totals { handled: self.handled, stale: self.stale, dead: self.dead },
            deaths: self.deaths,
            trial: self.trial.map(|(seq, deaths)| Trial { seq, deaths }),
        }
    }

    fn take(&mut self, changes: &Changes) -> Result<(), CursorError> {
        if self.generation != changes.generation {
            return Err(CursorError::Taken);
        }
        self.cursor = changes.progress.cursor();
        self.ahead = changes.progress.ahead_text();
        let Totals { handled, stale, dead } = changes.totals;
        (self.handled, self.stale, self.dead) = (handled, stale, dead);
        self.deaths = changes.deaths;
        self.trial = changes.trial.map(|trial| (trial.seq, trial.deaths));
        for seq in &changes.settled {
            self.letters.remove(seq);
        }
        for letter in &changes.dead {
            self.bury(letter);
        }
        Ok(())
    }

    fn bury(&mut self, letter: &DeadLetter) {
        let kept = Letter {
            reason: letter.reason.clone(),
            attempts: letter.attempts,
            first_failed_at: letter.first_failed_at,
            last_failed_at: letter.last_failed_at,
            redrive: letter.redrive,
            claim: None,
        };
        self.letters.insert(letter.seq, kept);
    }
}

impl Letter {
    fn letter(&self, seq: u64) -> DeadLetter {
        DeadLetter {
            seq,
            key: None,
            reason: self.reason.clone(),
            attempts: self.attempts,
            first_failed_at: self.first_failed_at,
            last_failed_at: self.last_failed_at,
            redrive: self.redrive,
        }
    }
}

fn key(consumer: &ConsumerName) -> String {
    // A dot would be another token; nothing else of a name is special in a subject.
    format!("{PREFIX}{}", consumer.as_str().replace('.', "/"))
}

fn name(key: &str) -> Option<ConsumerName> {
    key.strip_prefix(PREFIX)?.replace('/', ".").parse().ok()
}

impl JetStreamInbox {
    async fn kept<R>(
        &self,
        consumer: &ConsumerName,
        start: u64,
        change: impl FnMut(&mut Kept) -> Result<R, CursorError>,
    ) -> Result<R, CursorError> {
        self.shared.check_open()?;
        let key = key(consumer);
        self.shared.bucket.change(&key, Room::Usual, || Kept::at(start), change).await?
    }

    /// Returns how often an event was given back without having failed.
    pub(super) async fn excused(
        &self,
        consumer: &ConsumerName,
        seq: u64,
    ) -> Result<u32, CursorError> {
        self.shared.check_open()?;
        let kept = self.shared.bucket.read::<Kept>(&key(consumer)).await?;
        Ok(kept.and_then(|kept| kept.excused.get(&seq).copied()).unwrap_or(0))
    }

    /// Notes, changes or removes a dead letter of consumers that share their work.
    pub(super) async fn change_letters<R>(
        &self,
        consumer: &ConsumerName,
        mut change: impl FnMut(&mut Letters<'_>) -> R,
    ) -> Result<R, CursorError> {
        self.kept(consumer, 0, |kept| Ok(change(&mut Letters(kept)))).await
    }

    /// Takes a dead letter that is to be handled once more: the first behind a number, or else the
    /// first of all. For so long nobody else gets it.
    pub(super) async fn claim(
        &self,
        consumer: &ConsumerName,
        after: u64,
        by: &str,
        lasts: Duration,
    ) -> Result<Option<DeadLetter>, CursorError> {
        self.shared.check_open()?;
        let (bucket, key) = (&self.shared.bucket, key(consumer));
        let kept = bucket.read::<Kept>(&key).await?;
        if !kept.is_some_and(|kept| kept.letters.values().any(|letter| letter.redrive)) {
            return Ok(None);
        }
        let failed = |error| JetStreamError::failed("ask for the time", error);
        let now = Timestamp::from_nanosecond(bucket.clock().await?).map_err(failed)?;
        let until = now.checked_add(lasts).unwrap_or(Timestamp::MAX);
        // Where nothing is free, nothing is written.
        let claim = |kept: &mut Kept| kept.claim(after, by, now, until).ok_or(());
        let claimed = bucket.change(&key, Room::Last, || Kept::at(0), claim).await?;
        Ok(claimed.ok())
    }
}

/// The dead letters of a consumer, to be changed, and what else is kept of its events.
pub(super) struct Letters<'k>(&'k mut Kept);

impl Letters<'_> {
    /// Notes that an event failed for good. Where that is noted already, the server had not heard
    /// of it: whoever has since asked for it once more, or handles it, is not disturbed.
    pub(super) fn bury(&mut self, letter: &DeadLetter) {
        if !self.0.letters.contains_key(&letter.seq) {
            self.0.dead += 1;
            self.0.bury(letter);
        }
        self.0.excused.remove(&letter.seq);
    }

    /// Notes that events were given back without having failed.
    pub(super) fn excuse(&mut self, seqs: &[u64]) {
        for seq in seqs {
            let times = self.0.excused.entry(*seq).or_default();
            *times = times.saturating_add(1);
        }
    }

    /// Forgets how often an event was given back: it comes no more.
    pub(super) fn forget(&mut self, seq: u64) {
        self.0.excused.remove(&seq);
    }

    pub(super) fn remove(&mut self, seq: u64) {
        self.0.letters.remove(&seq);
    }

    /// Leaves one to whoever comes next; it is as if it had not been claimed.
    pub(super) fn release(&mut self, seq: u64, by: &str) {
        if let Some(letter) = self.claimed(seq, by) {
            letter.claim = None;
        }
    }

    /// Notes that one failed once more; then it is asked for no longer.
    pub(super) fn fail(&mut self, seq: u64, by: &str, reason: &str, now: Timestamp) {
        if let Some(letter) = self.claimed(seq, by) {
            reason.clone_into(&mut letter.reason);
            letter.attempts = letter.attempts.saturating_add(1);
            letter.last_failed_at = now;
            (letter.redrive, letter.claim) = (false, None);
        }
    }

    /// Whoever was so late that another one has it says nothing about it.
    fn claimed(&mut self, seq: u64, by: &str) -> Option<&mut Letter> {
        let is_own = |letter: &&mut Letter| letter.claim.as_ref().is_some_and(|c| c.by == by);
        self.0.letters.get_mut(&seq).filter(is_own)
    }
}

impl Cursors for JetStreamInbox {
    async fn open(&self, consumer: &ConsumerName, start: u64) -> Result<Cursor, CursorError> {
        self.kept(consumer, start, |kept| {
            kept.generation += 1;
            let opened = kept.cursor();
            kept.deaths = kept.deaths.saturating_add(1);
            Ok(opened)
        })
        .await
    }

    async fn save(&self, consumer: &ConsumerName, changes: &Changes) -> Result<(), CursorError> {
        self.kept(consumer, 0, |kept| kept.take(changes)).await
    }

    async fn cursors(&self) -> Result<Vec<(ConsumerName, Cursor)>, CursorError> {
        self.shared.check_open()?;
        let mut cursors = Vec::new();
        for key in self.shared.bucket.keys(PREFIX).await? {
            let Some(name) = name(&key) else { continue };
            let kept = self.shared.bucket.read::<Kept>(&key).await?;
            if let Some(kept) = kept.filter(Kept::has_cursor) {
                cursors.push((name, kept.cursor()));
            }
        }
        cursors.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(cursors)
    }
}

impl DeadLetters for JetStreamInbox {
    async fn dead_letters(&self, query: DeadLetterQuery) -> Result<Vec<DeadLetter>, CursorError> {
        self.shared.check_open()?;
        let kept = self.shared.bucket.read::<Kept>(&key(&query.consumer)).await?;
        let Some(kept) = kept else { return Ok(Vec::new()) };
        let wanted = |(seq, letter): &(&u64, &Letter)| {
            **seq > query.after && (query.which == WhichLetters::All || letter.redrive)
        };
        let mut letters: Vec<DeadLetter> = kept
            .letters
            .iter()
            .filter(wanted)
            .take(query.limit)
            .map(|(seq, letter)| letter.letter(*seq))
            .collect();
        for letter in &mut letters {
            let found = self.shared.message(letter.seq).await?;
            let read = |found: StreamMessage| {
                message::read(found.sequence, &found.headers, &found.payload).ok()
            };
            letter.key = found.and_then(read).map(|event| event.key);
        }
        Ok(letters)
    }

    async fn redrive(
        &self,
        consumer: &ConsumerName,
        seqs: RangeInclusive<u64>,
    ) -> Result<u64, CursorError> {
        self.shared.check_open()?;
        if seqs.is_empty() || self.shared.bucket.read::<Kept>(&key(consumer)).await?.is_none() {
            return Ok(0);
        }
        self.kept(consumer, 0, |kept| {
            let mut marked = 0;
            for letter in kept.letters.range_mut(seqs.clone()).map(|(_, letter)| letter) {
                letter.redrive = true;
                marked += 1;
            }
            Ok(marked)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_keys() {
        for text in ["forward", "crm-2.sync_x", "a.b..c"] {
            let consumer: ConsumerName = text.parse().unwrap();
            assert_eq!(name(&key(&consumer)), Some(consumer));
        }
        assert_eq!(name("ledger"), None);
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_763_784_780 + second).unwrap()
    }

    /// One that is to be handled once more.
    fn letter() -> Letter {
        Letter {
            reason: "no".to_owned(),
            attempts: 5,
            first_failed_at: at(0),
            last_failed_at: at(0),
            redrive: true,
            claim: None,
        }
    }

    #[test]
    fn a_letter_is_one_worker_s_for_a_time() {
        let letters = BTreeMap::from([(7, letter()), (9, letter())]);
        let mut kept = Kept { letters, ..Kept::at(0) };
        let claim = |kept: &mut Kept, after, by, now| {
            kept.claim(after, by, at(now), at(now + 10)).map(|letter| letter.seq)
        };
        // In turns, so that one that cannot be handled now keeps no other from being found.
        assert_eq!(claim(&mut kept, 7, "a", 0), Some(9));
        assert_eq!(claim(&mut kept, 9, "b", 1), Some(7));
        assert_eq!(claim(&mut kept, 7, "c", 9), None);
        assert!(kept.letters.values().all(|letter| letter.redrive));
        // Whoever had it is gone.
        assert_eq!(claim(&mut kept, 7, "c", 10), Some(9));
        let before = kept.clone();
        Letters(&mut kept).release(9, "a");
        Letters(&mut kept).fail(9, "a", "late", at(11));
        assert_eq!(kept, before);

        Letters(&mut kept).release(9, "c");
        assert_eq!(kept.letters[&9], letter());
        assert_eq!(claim(&mut kept, 7, "d", 10), Some(9));
        Letters(&mut kept).fail(9, "d", "again", at(11));
        let failed = Letter {
            reason: "again".to_owned(),
            attempts: 6,
            last_failed_at: at(11),
            redrive: false,
            ..letter()
        };
        assert_eq!(kept.letters[&9], failed);
        assert_eq!(claim(&mut kept, 7, "d", 12), Some(7));
    }

    /// The server had not heard that it is buried, and hands it over again.
    #[test]
    fn who_is_buried_twice_stays_asked_for() {
        let mut kept = Kept { letters: BTreeMap::from([(7, letter())]), ..Kept::at(0) };
        kept.claim(0, "a", at(0), at(10)).unwrap();
        let before = kept.clone();
        let again = DeadLetter { redrive: false, ..letter().letter(7) };
        Letters(&mut kept).bury(&again);
        assert_eq!(kept, before);
        Letters(&mut kept).bury(&DeadLetter { seq: 8, ..again });
        assert_eq!((kept.letters.len(), kept.dead), (2, 1));
    }

    #[test]
    fn json_of_what_is_kept() {
        let kept = Kept {
            generation: 2,
            ahead: "12-15".to_owned(),
            trial: Some((7, 1)),
            letters: BTreeMap::from([(9, letter())]),
            ..Kept::at(10)
        };
        let text = serde_json::to_string(&kept).unwrap();
        assert_eq!(serde_json::from_str::<Kept>(&text).unwrap(), kept);
        insta::assert_snapshot!(text, @r#"{"generation":2,"cursor":10,"ahead":"12-15","handled":0,"stale":0,"dead":0,"deaths":0,"trial":[7,1],"letters":{"9":{"reason":"no","attempts":5,"first_failed_at":"2025-11-22T04:13:00Z","last_failed_at":"2025-11-22T04:13:00Z","redrive":true}}}"#);

        let mut kept = Kept { letters: BTreeMap::from([(9, letter())]), ..Kept::at(0) };
        kept.claim(0, "me", at(0), at(32)).unwrap();
        let text = serde_json::to_string(&kept.letters).unwrap();
        assert_eq!(serde_json::from_str::<BTreeMap<u64, Letter>>(&text).unwrap(), kept.letters);
        insta::assert_snapshot!(text, @r#"{"9":{"reason":"no","attempts":5,"first_failed_at":"2025-11-22T04:13:00Z","last_failed_at":"2025-11-22T04:13:00Z","redrive":true,"claim":{"by":"me","until":"2025-11-22T04:13:32Z"}}}"#);
    }
}
