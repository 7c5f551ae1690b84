//! Cursors of consumers, and what they could not handle.

use std::ops::RangeInclusive;

use aaa_webhook::consumer::{
    Changes, ConsumerName, Cursor, CursorError, Cursors, DeadLetter, DeadLetterQuery, DeadLetters,
    Progress, Totals, Trial, WhichLetters,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    SqliteReader, SqliteStore,
    batch::Batch,
    values::{ReadError, count, number, timestamp},
    writer::Wait,
};
use crate::error::StoreError;

const CURSOR: &str = "SELECT generation, cursor, ahead, handled, stale, dead, consumer, deaths, trial, trial_deaths \
     FROM cursors";

impl SqliteStore {
    /// Returns the cursor of the slowest consumer, if there is any. Events behind it are still to
    /// be handled, so [`SqliteStore::prune`] keeps from the next one on.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub async fn slowest_cursor(&self) -> Result<Option<u64>, StoreError> {
        self.reader().slowest_cursor().await
    }
}

impl SqliteReader {
    /// Returns the cursor of the slowest consumer, if there is any. Events behind it are still to
    /// be handled, so [`SqliteStore::prune`] keeps from the next one on.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub async fn slowest_cursor(&self) -> Result<Option<u64>, StoreError> {
        self.thread.ask(|db| Ok(slowest_cursor(db)?)).await
    }

    /// Returns the cursors of all consumers by their names.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub async fn cursors(&self) -> Result<Vec<(ConsumerName, Cursor)>, StoreError> {
        self.thread.ask(cursors).await
    }

    /// Returns the next dead letters of a consumer, in the order of the events.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub async fn dead_letters(
        &self,
        query: DeadLetterQuery,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        self.thread.ask(move |db| dead_letters(db, &query)).await
    }
}

impl Cursors for SqliteStore {
    async fn open(&self, consumer: &ConsumerName, start: u64) -> Result<Cursor, CursorError> {
        let name = consumer.clone();
        let write = move |batch: &mut Batch<'_>| match open(batch.db, &name, start) {
            Ok(cursor) => Ok(Ok(cursor)),
            Err(ReadError::Sqlite(error)) => Err(error),
            Err(ReadError::Malformed(reason)) => Ok(Err(reason)),
        };
        let opened = self.write(0, Wait::ForRoom, write).await?;
        opened.map_err(|reason| {
            CursorError::Unavailable(format!("its row cannot be read ({reason}): was it edited?"))
        })
    }

    async fn save(&self, consumer: &ConsumerName, changes: &Changes) -> Result<(), CursorError> {
        let (name, changes) = (consumer.clone(), changes.clone());
        let write = move |batch: &mut Batch<'_>| save(batch.db, &name, &changes);
        let ours = self.write(0, Wait::ForRoom, write).await?;
        if ours { Ok(()) } else { Err(CursorError::Taken) }
    }

    async fn cursors(&self) -> Result<Vec<(ConsumerName, Cursor)>, CursorError> {
        Ok(self.reader().cursors().await?)
    }
}

impl DeadLetters for SqliteStore {
    async fn dead_letters(&self, query: DeadLetterQuery) -> Result<Vec<DeadLetter>, CursorError> {
        Ok(self.reader().dead_letters(query).await?)
    }

    async fn redrive(
        &self,
        consumer: &ConsumerName,
        seqs: RangeInclusive<u64>,
    ) -> Result<u64, CursorError> {
        let name = consumer.clone();
        let write = move |batch: &mut Batch<'_>| redrive(batch.db, &name, seqs.clone());
        Ok(self.write(0, Wait::ForRoom, write).await?)
    }
}

/// Returns the lowest cursor.
pub(super) fn slowest_cursor(db: &Connection) -> rusqlite::Result<Option<u64>> {
    let cursor: Option<i64> =
        db.query_row("SELECT min(cursor) FROM cursors", [], |row| row.get(0))?;
    Ok(cursor.map(count))
}

/// Marks dead letters to be handled once more; returns how many.
pub(super) fn redrive(
    db: &Connection,
    consumer: &ConsumerName,
    seqs: RangeInclusive<u64>,
) -> rusqlite::Result<u64> {
    let marked = db.execute(
        "UPDATE dead_letters SET redrive = 1 WHERE consumer = ? AND seq BETWEEN ? AND ?",
        params![consumer.as_str(), number(*seqs.start()), number(*seqs.end())],
    )?;
    Ok(marked as u64)
}

/// Removes what is known of a consumer; returns whether there was anything.
pub(super) fn forget(db: &Connection, consumer: &ConsumerName) -> rusqlite::Result<bool> {
    db.execute("DELETE FROM dead_letters WHERE consumer = ?", [consumer.as_str()])?;
    Ok(db.execute("DELETE FROM cursors WHERE consumer = ?", [consumer.as_str()])? > 0)
}

fn open(db: &Connection, consumer: &ConsumerName, start: u64) -> Result<Cursor, ReadError> {
    // Not from 1: a consumer that was forgotten and made anew must not be taken for the old one.
    db.execute(
        "INSERT INTO cursors (consumer, generation, cursor, ahead, handled, stale, dead, deaths) \
         VALUES (?, abs(random() % 1000000007), ?, '', 0, 0, 0, 1) \
         ON CONFLICT (consumer) DO UPDATE SET generation = generation + 1, deaths = deaths + 1",
        params![consumer.as_str(), number(start)],
    )?;
    let mut statement = db.prepare(&format!("{CURSOR} WHERE consumer = ?"))?;
    let mut rows = statement.query([consumer.as_str()])?;
    let row = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    let cursor = cursor(row)?;
    Ok(Cursor { deaths: cursor.deaths.saturating_sub(1), ..cursor })
}

/// Says whether the cursor still was that of the saver; if not, nothing is changed.
fn save(db: &Connection, consumer: &ConsumerName, changes: &Changes) -> rusqlite::Result<bool> {
    let Changes { generation, progress, totals, deaths, trial, dead, settled } = changes;
    let saved = db
        .prepare(
            "UPDATE cursors SET cursor = ?, ahead = ?, handled = ?, stale = ?, dead = ?, \
             deaths = ?, trial = ?, trial_deaths = ? WHERE consumer = ? AND generation = ?",
        )?
        .execute(params![
            number(progress.cursor()),
            progress.ahead_text(),
            number(totals.handled),
            number(totals.stale),
            number(totals.dead),
            deaths,
            trial.map(|trial| number(trial.seq)),
            trial.map_or(0, |trial| trial.deaths),
            consumer.as_str(),
            number(*generation),
        ])?;
    if saved == 0 {
        return Ok(false);
    }
    for seq in settled {
        db.execute(
            "DELETE FROM dead_letters WHERE consumer = ? AND seq = ?",
            params![consumer.as_str(), number(*seq)],
        )?;
    }
    for letter in dead {
        db.execute(
            "INSERT OR REPLACE INTO dead_letters (consumer, seq, attempts, first_failed_at, \
             last_failed_at, redrive, reason) VALUES (?, ?, ?, ?, ?, ?, ?)",
            params![
                consumer.as_str(),
                number(letter.seq),
                letter.attempts,
                letter.first_failed_at.as_microsecond(),
                letter.last_failed_at.as_microsecond(),
                letter.redrive,
                letter.reason,
            ],
        )?;
    }
    Ok(true)
}

fn cursors(db: &mut Connection) -> Result<Vec<(ConsumerName, Cursor)>, ReadError> {
    let mut statement = db.prepare(&format!("{CURSOR} ORDER BY consumer"))?;
    let mut rows = statement.query([])?;
    let mut cursors = Vec::new();
    while let Some(row) = rows.next()? {
        let name = row.get::<_, String>(6)?.parse().map_err(ReadError::malformed)?;
        cursors.push((name, cursor(row)?));
    }
    Ok(cursors)
}

fn cursor(row: &Row<'_>) -> Result<Cursor, ReadError> {
    let ahead: String = row.get(2)?;
    Ok(Cursor {
        generation: count(row.get(0)?),
        progress: Progress::with_ahead_text(count(row.get(1)?), &ahead)
            .map_err(ReadError::malformed)?,
        totals: Totals {
            handled: count(row.get(3)?),
            stale: count(row.get(4)?),
            dead: count(row.get(5)?),
        },
        deaths: row.get(7)?,
        trial: match row.get(8)? {
            Some(seq) => Some(Trial { seq: count(seq), deaths: row.get(9)? }),
            None => None,
        },
    })
}

fn dead_letters(
    db: &mut Connection,
    query: &DeadLetterQuery,
) -> Result<Vec<DeadLetter>, ReadError> {
    let which = match query.which {
        WhichLetters::All => "",
        WhichLetters::Redriven => " AND redrive = 1",
    };
    let mut statement = db.prepare(&format!(
        "SELECT seq, attempts, first_failed_at, last_failed_at, redrive, reason \
         FROM dead_letters WHERE consumer = ? AND seq > ?{which} ORDER BY seq LIMIT ?"
    ))?;
    let mut find_key = db.prepare("SELECT key FROM events WHERE seq = ?")?;
    let mut rows = statement.query(params![
        query.consumer.as_str(),
        number(query.after),
        number(query.limit)
    ])?;
    let mut letters = Vec::new();
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        letters.push(DeadLetter {
            seq: count(seq),
            key: find_key.query_row([seq], |row| row.get(0)).optional()?,
            attempts: row.get(1)?,
            first_failed_at: timestamp(row.get(2)?)?,
            last_failed_at: timestamp(row.get(3)?)?,
            redrive: row.get(4)?,
            reason: row.get(5)?,
        });
    }
    Ok(letters)
}
