//! Declared gaps, and attempts to close gaps.

use aaa_replay::{
    coverage::{Cause, Gap},
    ledger::{Attempt, Declaration, Declared, Intent, LeaseId, LedgerError, Outcome, Purpose},
};
use aaa_types::ReplayWindow;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Change, lease};
use crate::sqlite::values::{ReadError, count, number, timestamp};

const ATTEMPT: &str = "SELECT number, webhook, core_from, core_to, request_from, request_to, \
                       intended_at, settled_at, outcome, purpose, found FROM attempts";

pub(in crate::sqlite) fn attempts(db: &Connection) -> Result<Vec<Attempt>, ReadError> {
    let mut statement = db.prepare(&format!("{ATTEMPT} ORDER BY number"))?;
    let mut rows = statement.query([])?;
    let mut attempts = Vec::new();
    while let Some(row) = rows.next()? {
        attempts.push(attempt(row)?);
    }
    Ok(attempts)
}

pub(super) fn intend(db: &Connection, lease: LeaseId, intent: &Intent) -> Change<u64> {
    if !lease::holds(db, lease)? {
        return Ok(Err(LedgerError::NotHeld));
    }
    db.execute(
        "INSERT INTO attempts (webhook, core_from, core_to, request_from, request_to, \
         intended_at, settled_at, outcome, purpose, newest) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, (SELECT ifnull(max(seq), 0) FROM events))",
        params![
            intent.webhook.to_string(),
            intent.core.from_date().to_string(),
            intent.core.to_date().to_string(),
            intent.request.from_date().to_string(),
            intent.request.to_date().to_string(),
            intent.at.as_microsecond(),
            json(&Outcome::Intended)?,
            match intent.purpose {
                Purpose::Gap => "gap",
                Purpose::Sweep => "sweep",
            },
        ],
    )?;
    Ok(Ok(count(db.last_insert_rowid())))
}

pub(super) fn settle(
    db: &Connection,
    lease: LeaseId,
    attempt: u64,
    outcome: &Outcome,
    at: Timestamp,
    found: u64,
) -> Change<u64> {
    if !lease::holds(db, lease)? {
        return Ok(Err(LedgerError::NotHeld));
    }
    let settled = db.execute(
        "UPDATE attempts SET outcome = ?, settled_at = ?, found = ? WHERE number = ?",
        params![json(outcome)?, at.as_microsecond(), number(found), number(attempt)],
    )?;
    Ok(if settled == 0 { Err(LedgerError::NoAttempt(attempt)) } else { Ok(found) })
}

/// Counts the events of the minutes that an attempt asked for, among those that were stored since.
pub(in crate::sqlite) fn found(db: &Connection, number: u64) -> Result<u64, ReadError> {
    let asked = db
        .query_row(
            "SELECT request_from, request_to, newest FROM attempts WHERE number = ?",
            [self::number(number)],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?)),
        )
        .optional()?;
    let Some((from, to, newest)) = asked else { return Ok(0) };
    let micros = |minute: String| -> Result<i64, ReadError> {
        let minute: aaa_types::UtcMinute = minute.parse().map_err(ReadError::malformed)?;
        Ok(minute.start().as_microsecond())
    };
    let found = db.query_row(
        "SELECT count(*) FROM events WHERE seq > ? AND occurred_at >= ? AND occurred_at < ?",
        [newest, micros(from)?, micros(to)?],
        |row| row.get(0),
    )?;
    Ok(count(found))
}

pub(super) fn declare(db: &Connection, declaration: &Declaration) -> rusqlite::Result<u64> {
    let Declaration { gap, webhook, at } = declaration;
    db.execute(
        "INSERT INTO declared_gaps (webhook, from_at, to_at, cause, declared_at, after) \
         VALUES (?, ?, ?, ?, ?, \
         ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'attempts'), 0))",
        params![
            webhook.map(|webhook| webhook.to_string()),
            gap.from.as_microsecond(),
            gap.to.as_microsecond(),
            gap.cause.as_str(),
            at.as_microsecond(),
        ],
    )?;
    Ok(count(db.last_insert_rowid()))
}

pub(super) fn prolong(db: &Connection, number: u64, to: Timestamp) -> rusqlite::Result<bool> {
    let changed = db.execute(
        "UPDATE declared_gaps SET to_at = max(to_at, ?) WHERE number = ?",
        [to.as_microsecond(), self::number(number)],
    )?;
    Ok(changed > 0)
}

pub(super) fn withdraw(db: &Connection, number: u64) -> rusqlite::Result<bool> {
    let number = self::number(number);
    Ok(db.execute("DELETE FROM declared_gaps WHERE number = ?", [number])? > 0)
}

pub(in crate::sqlite) fn declared(db: &Connection) -> Result<Vec<Declared>, ReadError> {
    let mut statement = db.prepare(
        "SELECT number, webhook, from_at, to_at, cause, declared_at, after FROM declared_gaps \
         ORDER BY number",
    )?;
    let mut rows = statement.query([])?;
    let mut declared = Vec::new();
    while let Some(row) = rows.next()? {
        let cause = serde_json::Value::String(row.get(4)?);
        let cause: Cause = serde_json::from_value(cause).map_err(ReadError::malformed)?;
        let webhook = row.get::<_, Option<String>>(1)?;
        let webhook = webhook.map(|id| id.parse().map_err(ReadError::malformed)).transpose()?;
        let gap = Gap { from: timestamp(row.get(2)?)?, to: timestamp(row.get(3)?)?, cause };
        let declaration = Declaration { gap, webhook, at: timestamp(row.get(5)?)? };
        let (number, after) = (count(row.get(0)?), count(row.get(6)?));
        declared.push(Declared { number, after, declaration });
    }
    Ok(declared)
}

/// Goes through the attempts for minutes that end before one.
pub(super) fn attempts_before(db: &Connection, minute: &str) -> Result<Vec<Attempt>, ReadError> {
    let mut statement = db.prepare(&format!("{ATTEMPT} WHERE core_to < ? ORDER BY number"))?;
    let mut rows = statement.query([minute])?;
    let mut attempts = Vec::new();
    while let Some(row) = rows.next()? {
        attempts.push(attempt(row)?);
    }
    Ok(attempts)
}

fn attempt(row: &Row<'_>) -> Result<Attempt, ReadError> {
    let window = |first: usize| -> Result<ReplayWindow, ReadError> {
        let minute =
            |column: usize| row.get::<_, String>(column)?.parse().map_err(ReadError::malformed);
        ReplayWindow::new(minute(first)?, minute(first + 1)?).map_err(ReadError::malformed)
    };
    let purpose = match row.get::<_, String>(9)?.as_str() {
        "sweep" => Purpose::Sweep,
        _ => Purpose::Gap,
    };
    Ok(Attempt {
        number: count(row.get(0)?),
        intent: Intent {
            webhook: row.get::<_, String>(1)?.parse().map_err(ReadError::malformed)?,
            core: window(2)?,
            request: window(4)?,
            at: timestamp(row.get(6)?)?,
            purpose,
        },
        settled_at: timestamp(row.get(7)?)?,
        outcome: serde_json::from_str(&row.get::<_, String>(8)?).map_err(ReadError::malformed)?,
        found: count(row.get(10)?),
    })
}

fn json(outcome: &Outcome) -> rusqlite::Result<String> {
    serde_json::to_string(outcome)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}
