//! A store with many keys, filled by SQL: through the receiver it would take an hour.

use std::path::Path;

use aaa_store::{Settings, SqliteStore, sqlite::DATABASE};
use load::clock;
use rusqlite::Connection;

use crate::Failure;

/// How many keys a filled store has.
pub(crate) const KEYS: i64 = 5_000_000;

/// Over how many seconds they are spread: a week.
const SECONDS: i64 = 7 * 24 * 60 * 60;

/// Every row that the receiver would have written, but with short bodies: they lie in a table of
/// their own, to whose end new ones are added, and with 2.4 kB each the file would have 14 GB.
///
/// Keys are like real ones: four bytes of time, twelve that look random. Users are those of the
/// load, in turn.
const ROWS: &str = "
CREATE TEMP TABLE n AS
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
    SELECT i, ?2 - ?3 + i * ?3 / ?1 AS second FROM n;
INSERT INTO deliveries (id, app, slot, signature, arrived_at, body)
    SELECT i, 'default', 'active', 'sha256=' || hex(randomblob(22)), second * 1000000,
        zeroblob(64) FROM n;
INSERT INTO events (seq, delivery, kind, for_user_id, item, occurred_at, payload_start,
        payload_length, stale)
    SELECT i, i, 'tweet_create_events', 3001969000 + i % 1000, i, second * 1000000, 0, 64, 0
    FROM n;
INSERT INTO event_keys (key, seq)
    SELECT unhex(printf('%08x', second) || hex(randomblob(12))), i FROM n ORDER BY 1;
INSERT INTO kind_blocks SELECT DISTINCT seq / 8192, kind FROM events ORDER BY 1, 2;
INSERT INTO user_blocks SELECT DISTINCT seq / 8192, for_user_id FROM events ORDER BY 1, 2;
INSERT INTO counters SELECT 'filed', max(seq) FROM events;
";

/// Makes a store in the directory and fills it.
pub(crate) async fn fill(directory: &Path, keys: i64) -> Result<(), Failure> {
    SqliteStore::open(directory, Settings::default())?.close().await?;
    let mut db = Connection::open(directory.join(DATABASE))?;
    db.busy_timeout(std::time::Duration::from_secs(60))?;
    // Nothing here has to survive anything.
    db.pragma_update(None, "synchronous", "OFF")?;
    db.pragma_update(None, "cache_size", -1_000_000)?;
    let indexes = indexes(&db)?;
    let transaction = db.transaction()?;
    for (name, _) in &indexes {
        transaction.execute_batch(&format!("DROP INDEX {name}"))?;
    }
    for statement in ROWS.split_inclusive(';').filter(|text| !text.trim().is_empty()) {
        let now = clock::now().as_second();
        let mut statement = transaction.prepare(statement)?;
        match statement.parameter_count() {
            0 => statement.execute([])?,
            _ => statement.execute([keys, now, SECONDS])?,
        };
    }
    for (_, sql) in &indexes {
        transaction.execute_batch(sql)?;
    }
    transaction.commit()?;
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

/// Returns the indexes of the store's own making, with what makes them: it is quicker to make them
/// at the end.
fn indexes(db: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement =
        db.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_filled_store_is_one() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path().join("data");
        fill(&directory, 1000).await.unwrap();
        // What is no store of ours, or damaged, is not opened.
        let store = SqliteStore::open(&directory, Settings::default()).unwrap();
        assert_eq!(store.stats().await.unwrap().last_seq, Some(1000));
        store.close().await.unwrap();

        let db = Connection::open(directory.join(DATABASE)).unwrap();
        let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        let joined = "SELECT count(*) FROM events JOIN deliveries ON id = delivery \
                      JOIN event_keys ON event_keys.seq = events.seq";
        assert_eq!(count(joined), 1000);
        assert!(indexes(&db).unwrap().len() > 1);
    }
}
