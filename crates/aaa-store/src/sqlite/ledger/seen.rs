//! When all was last seen to be well with a webhook.

use aaa_replay::ledger::Seen;
use aaa_types::WebhookId;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::sqlite::values::{ReadError, timestamp};

pub(super) fn confirm(db: &Connection, webhook: WebhookId, seen: Seen) -> rusqlite::Result<()> {
    let [valid, complete] = [seen.valid, seen.complete].map(|at| at.map(Timestamp::as_microsecond));
    db.execute(
        "INSERT INTO seen (webhook, valid_at, complete_at) VALUES (?, ?, ?) \
         ON CONFLICT (webhook) DO UPDATE SET valid_at = ifnull(excluded.valid_at, valid_at), \
         complete_at = ifnull(excluded.complete_at, complete_at)",
        params![webhook.to_string(), valid, complete],
    )?;
    Ok(())
}

pub(in crate::sqlite) fn confirmed(db: &Connection, webhook: WebhookId) -> Result<Seen, ReadError> {
    let found = db
        .query_row(
            "SELECT valid_at, complete_at FROM seen WHERE webhook = ?",
            [webhook.to_string()],
            |row| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?)),
        )
        .optional()?;
    let Some((valid, complete)) = found else { return Ok(Seen::default()) };
    Ok(Seen {
        valid: valid.map(timestamp).transpose()?,
        complete: complete.map(timestamp).transpose()?,
    })
}
