//! Who looks after the replays.

use aaa_replay::{
    coverage::RunId,
    ledger::{Holder, Lease, LeaseId, LedgerError, Role},
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::Change;
use crate::sqlite::values::{ReadError, count, number, timestamp};

pub(in crate::sqlite) fn lease(db: &Connection) -> Result<Option<Lease>, ReadError> {
    let mut statement = db.prepare("SELECT number, name, run, role, expires_at FROM lease")?;
    let mut rows = statement.query([])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let holder = Holder {
        name: row.get(1)?,
        run: RunId(row.get::<_, i64>(2)?.cast_unsigned()),
        role: match row.get::<_, String>(3)?.as_str() {
            "listener" => Role::Listener,
            _ => Role::Command,
        },
    };
    let (id, expires_at) = (LeaseId(count(row.get(0)?)), timestamp(row.get(4)?)?);
    Ok(Some(Lease { id, holder, expires_at }))
}

pub(super) fn take(
    db: &Connection,
    holder: &Holder,
    now: Timestamp,
    until: Timestamp,
) -> Change<Lease> {
    let current = match lease(db) {
        Ok(current) => current,
        Err(ReadError::Sqlite(error)) => return Err(error),
        Err(ReadError::Malformed(reason)) => return Ok(Err(LedgerError::Unavailable(reason))),
    };
    let lease = match Lease::take(current.as_ref(), holder, now, until) {
        Ok(lease) => lease,
        Err(held) => return Ok(Err(LedgerError::Held(held))),
    };
    let role = match lease.holder.role {
        Role::Listener => "listener",
        Role::Command => "command",
    };
    db.execute(
        "INSERT OR REPLACE INTO lease (only, number, name, run, role, expires_at) \
         VALUES (1, ?, ?, ?, ?, ?)",
        params![
            number(lease.id.0),
            lease.holder.name,
            lease.holder.run.0.cast_signed(),
            role,
            lease.expires_at.as_microsecond(),
        ],
    )?;
    Ok(Ok(lease))
}

pub(super) fn release(db: &Connection, lease: LeaseId) -> rusqlite::Result<()> {
    // As `Lease::released` has it.
    db.execute("UPDATE lease SET expires_at = 0 WHERE number = ?", [number(lease.0)])?;
    Ok(())
}

/// Says whether this is the lease that counts.
pub(super) fn holds(db: &Connection, lease: LeaseId) -> rusqlite::Result<bool> {
    let current: Option<i64> =
        db.query_row("SELECT number FROM lease", [], |row| row.get(0)).optional()?;
    Ok(current == Some(number(lease.0)))
}
