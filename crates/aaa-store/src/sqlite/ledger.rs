//! Coverage and replay attempts.

use aaa_replay::{
    coverage::{Heartbeat, RunId, Span},
    ledger::{Attempt, Intent, Ledger, LedgerError, Outcome},
};
use aaa_types::ReplayWindow;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    SqliteStore,
    batch::Batch,
    values::{ReadError, count, micros, number, timestamp},
    writer::Wait,
};

const SPAN: &str = "SELECT run, first_wall, first_uptime, first_offset, first_offset_read, \
                    first_refusals, last_wall, last_uptime, last_offset, last_offset_read, \
                    last_refusals, id FROM coverage";

impl Ledger for SqliteStore {
    async fn heartbeat(&self, heartbeat: Heartbeat) -> Result<(), LedgerError> {
        // No waiting for room: a heartbeat says that a delivery could be stored now.
        let write = move |batch: &mut Batch<'_>| beat(batch, heartbeat);
        Ok(self.write(0, Wait::Never, write).await?)
    }

    async fn spans(&self) -> Result<Vec<Span>, LedgerError> {
        Ok(self.reader().spans().await?)
    }

    async fn intend(&self, intent: Intent) -> Result<u64, LedgerError> {
        let write = move |batch: &mut Batch<'_>| intend(batch, intent);
        Ok(self.write(0, Wait::ForRoom, write).await?)
    }

    async fn settle(
        &self,
        attempt: u64,
        outcome: Outcome,
        at: Timestamp,
    ) -> Result<(), LedgerError> {
        let outcome = serde_json::to_string(&outcome)
            .map_err(|error| LedgerError(format!("the outcome cannot be written: {error}")))?;
        let write = move |batch: &mut Batch<'_>| {
            batch.db.execute(
                "UPDATE attempts SET outcome = ?, settled_at = ? WHERE number = ?",
                params![outcome, at.as_microsecond(), number(attempt)],
            )
        };
        match self.write(0, Wait::ForRoom, write).await? {
            0 => Err(LedgerError(format!("there is no attempt {attempt}"))),
            _ => Ok(()),
        }
    }

    async fn attempts(&self) -> Result<Vec<Attempt>, LedgerError> {
        Ok(self.reader().attempts().await?)
    }
}

pub(super) fn spans(db: &mut Connection) -> Result<Vec<Span>, ReadError> {
    let mut statement = db.prepare(&format!("{SPAN} ORDER BY id"))?;
    let mut rows = statement.query([])?;
    let mut spans = Vec::new();
    while let Some(row) = rows.next()? {
        spans.push(span(row)?);
    }
    Ok(spans)
}

pub(super) fn attempts(db: &mut Connection) -> Result<Vec<Attempt>, ReadError> {
    let mut statement = db.prepare(
        "SELECT number, webhook, core_from, core_to, request_from, request_to, intended_at, \
         settled_at, outcome FROM attempts ORDER BY number",
    )?;
    let mut rows = statement.query([])?;
    let mut attempts = Vec::new();
    while let Some(row) = rows.next()? {
        attempts.push(attempt(row)?);
    }
    Ok(attempts)
}

/// Lengthens the last span, or begins one.
fn beat(batch: &mut Batch<'_>, heartbeat: Heartbeat) -> rusqlite::Result<()> {
    let last = batch
        .db
        .query_row(&format!("{SPAN} ORDER BY id DESC LIMIT 1"), [], |row| {
            Ok((row.get::<_, i64>(11)?, span(row).ok()))
        })
        .optional()?;
    let Heartbeat { run, wall, uptime, offset, offset_read, refusals } = heartbeat;
    // The same 64 bits with a sign.
    let run = run.0.cast_signed();
    let (wall, refusals) = (wall.as_microsecond(), number(refusals));
    let (uptime, offset) = (micros(uptime), micros(offset));
    let period = batch.rules.heartbeat_period;
    let longer = last.filter(|(_, span)| span.is_some_and(|mut s| s.extend(heartbeat, period)));
    match longer {
        Some((id, _)) => {
            batch.db.execute(
                "UPDATE coverage SET last_wall = ?, last_uptime = ?, last_offset = ?, \
                 last_offset_read = ?, last_refusals = ? WHERE id = ?",
                params![wall, uptime, offset, offset_read, refusals, id],
            )?;
        }
        None => {
            batch.db.execute(
                "INSERT INTO coverage (run, first_wall, first_uptime, first_offset, \
                 first_offset_read, first_refusals, last_wall, last_uptime, last_offset, \
                 last_offset_read, last_refusals) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?2, ?3, ?4, ?5, ?6)",
                params![run, wall, uptime, offset, offset_read, refusals],
            )?;
        }
    }
    Ok(())
}

fn intend(batch: &mut Batch<'_>, intent: Intent) -> rusqlite::Result<u64> {
    let outcome = serde_json::to_string(&Outcome::Intended)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    batch.db.execute(
        "INSERT INTO attempts (webhook, core_from, core_to, request_from, request_to, \
         intended_at, settled_at, outcome) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7)",
        params![
            intent.webhook.to_string(),
            intent.core.from_date().to_string(),
            intent.core.to_date().to_string(),
            intent.request.from_date().to_string(),
            intent.request.to_date().to_string(),
            intent.at.as_microsecond(),
            outcome,
        ],
    )?;
    Ok(count(batch.db.last_insert_rowid()))
}

fn span(row: &Row<'_>) -> Result<Span, ReadError> {
    let run = RunId(row.get::<_, i64>(0)?.cast_unsigned());
    let heartbeat = |first: usize| -> Result<Heartbeat, ReadError> {
        Ok(Heartbeat {
            run,
            wall: timestamp(row.get(first)?)?,
            uptime: SignedDuration::from_micros(row.get(first + 1)?),
            offset: SignedDuration::from_micros(row.get(first + 2)?),
            offset_read: row.get(first + 3)?,
            refusals: count(row.get(first + 4)?),
        })
    };
    Ok(Span { first: heartbeat(1)?, last: heartbeat(6)? })
}

fn attempt(row: &Row<'_>) -> Result<Attempt, ReadError> {
    let window = |first: usize| -> Result<ReplayWindow, ReadError> {
        let minute =
            |column: usize| row.get::<_, String>(column)?.parse().map_err(ReadError::malformed);
        ReplayWindow::new(minute(first)?, minute(first + 1)?).map_err(ReadError::malformed)
    };
    Ok(Attempt {
        number: count(row.get(0)?),
        intent: Intent {
            webhook: row.get::<_, String>(1)?.parse().map_err(ReadError::malformed)?,
            core: window(2)?,
            request: window(4)?,
            at: timestamp(row.get(6)?)?,
        },
        settled_at: timestamp(row.get(7)?)?,
        outcome: serde_json::from_str(&row.get::<_, String>(8)?).map_err(ReadError::malformed)?,
    })
}
