//! Cursors and dead letters that are forgotten with the process.

use std::ops::RangeInclusive;

use aaa_webhook::consumer::{
    Changes, ConsumerName, Cursor, CursorError, Cursors, DeadLetter, DeadLetterQuery, DeadLetters,
    Progress, WhichLetters,
};

use super::{Kept, MemoryStore};

impl Cursors for MemoryStore {
    async fn open(&self, consumer: &ConsumerName, start: u64) -> Result<Cursor, CursorError> {
        let mut state = self.state();
        let first = || Kept {
            cursor: Cursor { progress: Progress::new(start, []), ..Cursor::default() },
            ..Kept::default()
        };
        let kept = state.consumers.entry(consumer.clone()).or_insert_with(first);
        kept.cursor.generation += 1;
        let opened = kept.cursor.clone();
        kept.cursor.deaths += 1;
        Ok(opened)
    }

    async fn save(&self, consumer: &ConsumerName, changes: &Changes) -> Result<(), CursorError> {
        let mut state = self.state();
        let kept = state
            .consumers
            .get_mut(consumer)
            .filter(|kept| kept.cursor.generation == changes.generation)
            .ok_or(CursorError::Taken)?;
        kept.cursor.progress = changes.progress.clone();
        kept.cursor.totals = changes.totals;
        kept.cursor.deaths = changes.deaths;
        kept.cursor.trial = changes.trial;
        for seq in &changes.settled {
            kept.dead.remove(seq);
        }
        kept.dead.extend(changes.dead.iter().map(|letter| (letter.seq, letter.clone())));
        Ok(())
    }

    async fn cursors(&self) -> Result<Vec<(ConsumerName, Cursor)>, CursorError> {
        let state = self.state();
        let cursor = |(name, kept): (&ConsumerName, &Kept)| (name.clone(), kept.cursor.clone());
        Ok(state.consumers.iter().map(cursor).collect())
    }
}

impl DeadLetters for MemoryStore {
    async fn dead_letters(&self, query: DeadLetterQuery) -> Result<Vec<DeadLetter>, CursorError> {
        let state = self.state();
        let Some(kept) = state.consumers.get(&query.consumer) else { return Ok(Vec::new()) };
        let wanted = |letter: &&DeadLetter| {
            letter.seq > query.after && (query.which == WhichLetters::All || letter.redrive)
        };
        let letters = kept.dead.values().filter(wanted).take(query.limit).map(|letter| {
            let event = state.events.iter().find(|event| event.seq == letter.seq);
            DeadLetter { key: event.map(|event| event.key.clone()), ..letter.clone() }
        });
        Ok(letters.collect())
    }

    async fn redrive(
        &self,
        consumer: &ConsumerName,
        seqs: RangeInclusive<u64>,
    ) -> Result<u64, CursorError> {
        let mut state = self.state();
        let Some(kept) = state.consumers.get_mut(consumer) else { return Ok(0) };
        if seqs.is_empty() {
            return Ok(0);
        }
        let mut marked = 0;
        for letter in kept.dead.range_mut(seqs).map(|(_, letter)| letter) {
            letter.redrive = true;
            marked += 1;
        }
        Ok(marked)
    }
}
