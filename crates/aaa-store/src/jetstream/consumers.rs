//! Cursors and dead letters: a document for each consumer.

use std::{collections::BTreeMap, ops::RangeInclusive};

use aaa_webhook::consumer::{
    Changes, ConsumerName, Cursor, CursorError, Cursors, DeadLetter, DeadLetterQuery, DeadLetters,
    Progress, Totals, Trial, WhichLetters,
};
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
}

impl Kept {
    fn at(start: u64) -> Self {
        Self { cursor: start, ..Self::default() }
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
}

/// The dead letters of a consumer, to be changed, and what else is kept of its events.
pub(super) struct Letters<'k>(&'k mut Kept);

impl Letters<'_> {
    pub(super) fn bury(&mut self, letter: &DeadLetter) {
        if !self.0.letters.contains_key(&letter.seq) {
            self.0.dead += 1;
        }
        self.0.bury(letter);
        self.0.excused.remove(&letter.seq);
    }

    /// Notes how often an event was given back without having failed.
    pub(super) fn excuse(&mut self, seq: u64, times: u32) {
        match times {
            0 => self.0.excused.remove(&seq),
            times => self.0.excused.insert(seq, times),
        };
    }

    pub(super) fn remove(&mut self, seq: u64) {
        self.0.letters.remove(&seq);
    }

    /// Takes one that is to be handled once more; nobody else gets it.
    pub(super) fn claim(&mut self) -> Option<DeadLetter> {
        let (seq, letter) = self.0.letters.iter_mut().find(|(_, letter)| letter.redrive)?;
        letter.redrive = false;
        Some(letter.letter(*seq))
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
            if let Some(kept) = self.shared.bucket.read::<Kept>(&key).await? {
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
            letter.key = match self.shared.events.get_raw_message(letter.seq).await {
                Ok(found) => message::read(found.sequence, &found.headers, &found.payload)
                    .ok()
                    .map(|event| event.key),
                Err(error) if super::is_missing(&error) => None,
                Err(error) => return Err(JetStreamError::failed("read an event", error).into()),
            };
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

    #[test]
    fn json_of_what_is_kept() {
        let at = "2025-11-22T04:13:00Z".parse().unwrap();
        let letter = Letter {
            reason: "no".to_owned(),
            attempts: 5,
            first_failed_at: at,
            last_failed_at: at,
            redrive: true,
        };
        let kept = Kept {
            generation: 2,
            ahead: "12-15".to_owned(),
            trial: Some((7, 1)),
            letters: BTreeMap::from([(9, letter)]),
            ..Kept::at(10)
        };
        let text = serde_json::to_string(&kept).unwrap();
        assert_eq!(serde_json::from_str::<Kept>(&text).unwrap(), kept);
        insta::assert_snapshot!(text, @r#"{"generation":2,"cursor":10,"ahead":"12-15","handled":0,"stale":0,"dead":0,"deaths":0,"trial":[7,1],"letters":{"9":{"reason":"no","attempts":5,"first_failed_at":"2025-11-22T04:13:00Z","last_failed_at":"2025-11-22T04:13:00Z","redrive":true}}}"#);
    }
}
