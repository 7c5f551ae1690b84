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

use super::counters::{self, COMMITS, DELIVERIES, EVENTS, FILED};

/// After how many events they are filed: enough that they share pages, so few that nobody waits
/// long for the commit that does it.
const MANY: usize = 2048;

/// How many numbers a block has. The lists say in which blocks events of a user or a kind are.
const BLOCK: i64 = 8192;

/// The keys of events that are stored and not filed, and what else is not written yet.
#[derive(Debug, Default)]
pub(super) struct Unfiled {
    keys: HashSet<EventKey>,
    /// Those of the open transaction.
    added: Vec<EventKey>,
    /// What there was before the open transaction filed it.
    before: Option<HashSet<EventKey>>,
    /// The number that was given to a delivery last.
    last_delivery: i64,
    /// Transactions that took deliveries and are not counted.
    commits: i64,
    /// Whether the open transaction is one.
    takes: bool,
    /// Whether the open transaction counts them.
    counts: bool,
}

impl Unfiled {
    /// Reads them from the store, as an earlier process left them.
    pub(super) fn load(db: &Connection) -> rusqlite::Result<Self> {
        begin_behind_the_last(db)?;
        let mut statement = db.prepare("SELECT unfiled_key FROM events WHERE seq > ?")?;
        let mut rows = statement.query([filed(db)?])?;
        let mut keys = HashSet::new();
        while let Some(row) = rows.next()? {
            // There is none in rows from before keys were filed; theirs are in the table.
            let key: Option<Vec<u8>> = row.get(0)?;
            keys.extend(key.and_then(|key| EventKey::try_from(key.as_slice()).ok()));
        }
        let last_delivery =
            db.query_row("SELECT ifnull(max(id), 0) FROM deliveries", [], |row| row.get(0))?;
        Ok(Self { keys, last_delivery, ..Self::default() })
    }

    /// Returns the number of the next delivery.
    ///
    /// SQLite would give that of a newest one again that was removed, and whoever still knows that
    /// one would take the two for the same.
    pub(super) fn next_delivery(&mut self) -> i64 {
        self.last_delivery += 1;
        self.last_delivery
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

    /// Says whether the open transaction has filed something.
    pub(super) fn is_filing(&self) -> bool {
        self.before.is_some()
    }

    /// The open transaction takes deliveries.
    pub(super) fn takes_deliveries(&mut self) {
        self.takes = true;
    }

    /// Counts the transactions in the open one, at its end.
    pub(super) fn count(&mut self, db: &Connection) -> rusqlite::Result<()> {
        counters::add(db, COMMITS, self.commits + i64::from(self.takes))?;
        self.counts = true;
        Ok(())
    }

    /// The transaction is committed.
    pub(super) fn keep(&mut self) {
        self.added.clear();
        self.before = None;
        self.commits = if self.counts { 0 } else { self.commits + i64::from(self.takes) };
        (self.takes, self.counts) = (false, false);
    }

    /// The transaction is rolled back.
    pub(super) fn undo(&mut self) {
        (self.takes, self.counts) = (false, false);
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

/// Says whether a delivery has events that are not filed.
pub(super) fn is_unfiled(db: &Connection, delivery: i64) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM events WHERE delivery = ? AND seq > ?")?
        .exists([delivery, filed(db)?])
}

/// Makes sure that everything that is to come is unfiled.
///
/// A file that somebody put together again may say otherwise: then numbers are given once more,
/// and what has them would never be filed.
fn begin_behind_the_last(db: &Connection) -> rusqlite::Result<()> {
    let given: i64 = db.query_row(
        "SELECT ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)",
        [],
        |row| row.get(0),
    )?;
    let last: i64 = db.query_row("SELECT ifnull(max(seq), 0) FROM events", [], |row| row.get(0))?;
    if filed(db)? > given.max(last) {
        db.execute("UPDATE counters SET value = ? WHERE name = ?", params![last, FILED])?;
    }
    Ok(())
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

/// Removes what the lists say of a user about the first block behind another, unless an event of
/// that user is left there; returns the block, or `None` when there is none.
///
/// Events only arrive at the end, and those that are not filed are in no list yet: what has none
/// now gets none behind anybody's back.
pub(super) fn forget_user_of_block(
    db: &Connection,
    user: &str,
    after: i64,
) -> rusqlite::Result<Option<i64>> {
    let next: Option<i64> = db.query_row(
        "SELECT min(block) FROM user_blocks WHERE block > ? AND for_user_id = ?",
        params![after, user],
        |row| row.get(0),
    )?;
    let Some(block) = next else { return Ok(None) };
    let (first, last) = ends(block);
    db.execute(
        "DELETE FROM user_blocks WHERE block = ?1 AND for_user_id = ?2 AND NOT EXISTS \
         (SELECT 1 FROM events WHERE seq BETWEEN ?3 AND ?4 AND for_user_id = ?2)",
        params![block, user, first, last],
    )?;
    Ok(Some(block))
}

/// Returns the first and the last number of a block.
fn ends(block: i64) -> (i64, i64) {
    let first = block.saturating_mul(BLOCK);
    (first, first.saturating_add(BLOCK - 1))
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
                let (first, last) = ends(block);
                return Ok((from.max(first), last.min(filed)));
            }
        }
        Ok((from.max(filed.saturating_add(1)), i64::MAX))
    }
}

#[cfg(test)]
mod tests;
