//! Numbers that outlive the rows they count.

use rusqlite::{Connection, OptionalExtension, params};

/// Events ever stored; what was removed since is counted apart.
pub(super) const EVENTS: &str = "events";
/// Deliveries ever stored.
pub(super) const DELIVERIES: &str = "deliveries";
/// Copies that were refused.
pub(super) const DUPLICATES: &str = "duplicates";
/// Transactions that took deliveries; the last of them are not counted yet.
pub(super) const COMMITS: &str = "commits";
/// Keys that retention removed.
pub(super) const PRUNED_KEYS: &str = "pruned_keys";
/// Events that retention removed.
pub(super) const PRUNED_EVENTS: &str = "pruned_events";
/// Deliveries that retention removed.
pub(super) const PRUNED_DELIVERIES: &str = "pruned_deliveries";
/// Events that were removed with their user.
pub(super) const FORGOTTEN_EVENTS: &str = "forgotten_events";
/// Deliveries that were removed with their user.
pub(super) const FORGOTTEN_DELIVERIES: &str = "forgotten_deliveries";
/// Events whose payload was replaced.
pub(super) const REDACTED_EVENTS: &str = "redacted_events";

/// No count but the number of the last event that is filed.
pub(super) const FILED: &str = "filed";

/// No count but a time, in seconds since 1970: keys of events before it may be gone.
pub(super) const KEYS_SINCE: &str = "keys_since";

/// Adds to a counter.
pub(super) fn add(db: &Connection, name: &str, value: i64) -> rusqlite::Result<()> {
    if value != 0 {
        let mut add = db.prepare_cached(
            "INSERT INTO counters (name, value) VALUES (?, ?) \
             ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
        )?;
        add.execute(params![name, value])?;
    }
    Ok(())
}

/// Sets a value that only ever grows.
pub(super) fn raise(db: &Connection, name: &str, value: i64) -> rusqlite::Result<()> {
    db.execute(
        "INSERT INTO counters (name, value) VALUES (?, ?) \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE value < excluded.value",
        params![name, value],
    )?;
    Ok(())
}

/// Reads a counter that may not have been written yet.
pub(super) fn read(db: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    let mut read = db.prepare_cached("SELECT value FROM counters WHERE name = ?")?;
    read.query_row([name], |row| row.get(0)).optional()
}
