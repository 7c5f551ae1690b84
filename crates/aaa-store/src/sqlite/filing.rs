//! What a commit puts off.
//!
//! Storing an event appends: a row at the end of `deliveries`, a row at the end of `events`. Its
//! key belongs somewhere in the middle of all keys, and writing it there would dirty a page for
//! nearly every event. So the key stands in its row first, and is *filed* later, with some
//! thousand others and in their order: then many lie on the same page. The same goes for the
//! lists that say where events of a user or a kind are, and for the counters.
//!
//! Everything behind [`FILED`] is unfiled. The writer knows those keys by heart, and readers look
//! through those rows. A crash loses nothing: the rows are there, and the writer reads them at its
//! start. Whoever removes events files them before.

use std::collections::HashSet;

use aaa_types::event::EventKey;
use rusqlite::{Connection, params};

use super::counters::{self, DELIVERIES, EVENTS, FILED};

/// After how many events they are filed: enough that they share pages, so few that nobody waits
/// long for the commit that does it.
const MANY: usize = 2048;

/// How many numbers a block has. The lists say in which blocks events of a user or a kind are.
const BLOCK: i64 = 8192;

/// The keys of events that are stored and not filed.
#[derive(Debug, Default)]
pub(super) struct Unfiled {
    keys: HashSet<EventKey>,
    /// Those of the open transaction.
    added: Vec<EventKey>,
    /// What there was before the open transaction filed it.
    before: Option<HashSet<EventKey>>,
}

impl Unfiled {
    /// Reads them from the store, as an earlier process left them.
    pub(super) fn load(db: &Connection) -> rusqlite::Result<Self> {
        let mut statement = db.prepare("SELECT unfiled_key FROM events WHERE seq > ?")?;
        let mut rows = statement.query([filed(db)?])?;
        let mut keys = HashSet::new();
        while let Some(row) = rows.next()? {
            let key: Vec<u8> = row.get(0)?;
            keys.extend(EventKey::try_from(key.as_slice()));
        }
        Ok(Self { keys, ..Self::default() })
    }

    pub(super) fn contains(&self, key: &EventKey) -> bool {
        self.keys.contains(key)
    }

    /// Adds the key of an event that the open transaction stores.
    pub(super) fn add(&mut self, key: EventKey) {
        self.keys.insert(key);
        self.added.push(key);
    }

    pub(super) fn are_many(&self) -> bool {
        self.keys.len() >= MANY
    }

    /// Files everything in the open transaction.
    pub(super) fn file(&mut self, db: &Connection) -> rusqlite::Result<()> {
        file(db)?;
        let keys = std::mem::take(&mut self.keys);
        self.before.get_or_insert(keys);
        Ok(())
    }

    /// The transaction is committed.
    pub(super) fn keep(&mut self) {
        self.added.clear();
        self.before = None;
    }

    /// The transaction is rolled back.
    pub(super) fn undo(&mut self) {
        if let Some(before) = self.before.take() {
            self.keys = before;
        }
        for key in self.added.drain(..) {
            self.keys.remove(&key);
        }
    }
}

/// Files everything, also what another process stored.
pub(super) fn file(db: &Connection) -> rusqlite::Result<()> {
    let filed = filed(db)?;
    let mut tail = db.prepare_cached(
        "SELECT count(*), count(DISTINCT delivery), max(seq) FROM events WHERE seq > ?",
    )?;
    let (events, deliveries, last): (i64, i64, Option<i64>) =
        tail.query_row([filed], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let Some(last) = last else { return Ok(()) };
    db.prepare_cached(
        "INSERT OR IGNORE INTO event_keys (key, seq) SELECT unfiled_key, seq FROM events \
         WHERE seq > ? ORDER BY unfiled_key",
    )?
    .execute([filed])?;
    db.prepare_cached(
        "INSERT OR IGNORE INTO kind_blocks (block, kind) SELECT DISTINCT seq / ?2, kind \
         FROM events WHERE seq > ?1 ORDER BY 1, 2",
    )?
    .execute([filed, BLOCK])?;
    db.prepare_cached(
        "INSERT OR IGNORE INTO user_blocks (block, for_user_id) SELECT DISTINCT seq / ?2, \
         for_user_id FROM events WHERE seq > ?1 AND for_user_id IS NOT NULL ORDER BY 1, 2",
    )?
    .execute([filed, BLOCK])?;
    counters::add(db, EVENTS, events)?;
    counters::add(db, DELIVERIES, deliveries)?;
    counters::raise(db, FILED, last)
}

/// Returns the number of the last event that is filed.
pub(super) fn filed(db: &Connection) -> rusqlite::Result<i64> {
    Ok(counters::read(db, FILED)?.unwrap_or(0))
}

/// Counts the events and the deliveries that are not filed and thus not counted.
pub(super) fn uncounted(db: &Connection) -> rusqlite::Result<(i64, i64)> {
    db.query_row(
        "SELECT count(*), count(DISTINCT delivery) FROM events WHERE seq > ?",
        [filed(db)?],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// Returns the first filed event of each block, user and kind that the lists leave out.
pub(super) fn unlisted(db: &Connection) -> rusqlite::Result<Vec<i64>> {
    let mut statement = db.prepare(
        "SELECT min(seq) FROM events e WHERE seq <= ?1 GROUP BY seq / ?2, kind \
         HAVING NOT EXISTS (SELECT 1 FROM kind_blocks b \
         WHERE b.block = e.seq / ?2 AND b.kind = e.kind) \
         UNION SELECT min(seq) FROM events e WHERE seq <= ?1 AND for_user_id IS NOT NULL \
         GROUP BY seq / ?2, for_user_id HAVING NOT EXISTS (SELECT 1 FROM user_blocks b \
         WHERE b.block = e.seq / ?2 AND b.for_user_id = e.for_user_id)",
    )?;
    statement.query_map([filed(db)?, BLOCK], |row| row.get(0))?.collect()
}

/// Removes what the lists say about blocks of which no event is left.
pub(super) fn forget_blocks(db: &Connection) -> rusqlite::Result<()> {
    let first: Option<i64> = db.query_row("SELECT min(seq) FROM events", [], |row| row.get(0))?;
    let first = first.map_or(filed(db)?, |first| first) / BLOCK;
    db.execute("DELETE FROM kind_blocks WHERE block < ?", [first])?;
    db.execute("DELETE FROM user_blocks WHERE block < ?", [first])?;
    Ok(())
}

/// What events are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted<'q> {
    pub(super) kind: Option<&'q str>,
    pub(super) user: Option<&'q str>,
}

impl Wanted<'_> {
    /// Returns the first stretch of numbers behind `after` in which such events may be: where it
    /// begins and ends, both included. There are none in between.
    ///
    /// With neither kind nor user that is all of them.
    pub(super) fn stretch(&self, db: &Connection, after: i64) -> rusqlite::Result<(i64, i64)> {
        let rest = (after.saturating_add(1), i64::MAX);
        if self.kind.is_none() && self.user.is_none() {
            return Ok(rest);
        }
        let filed = filed(db)?;
        let first: Option<i64> = db
            .prepare_cached("SELECT min(seq) FROM events WHERE seq > ?")?
            .query_row([after], |row| row.get(0))?;
        let from = first.unwrap_or(i64::MAX);
        if from > filed {
            return Ok(rest);
        }
        let mut kinds =
            db.prepare_cached("SELECT 1 FROM kind_blocks WHERE block = ? AND kind = ?")?;
        let mut users =
            db.prepare_cached("SELECT 1 FROM user_blocks WHERE block = ? AND for_user_id = ?")?;
        for block in from / BLOCK..=filed / BLOCK {
            let has_kind = match self.kind {
                Some(kind) => kinds.exists(params![block, kind])?,
                None => true,
            };
            if has_kind
                && match self.user {
                    Some(user) => users.exists(params![block, user])?,
                    None => true,
                }
            {
                let end = (block + 1) * BLOCK - 1;
                return Ok((from.max(block * BLOCK), if end < filed { end } else { filed }));
            }
        }
        Ok((from.max(filed + 1), i64::MAX))
    }
}

#[cfg(test)]
mod tests;
