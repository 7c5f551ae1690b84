//! Who is subscribed to a webhook, or was and should still be.

use std::collections::BTreeSet;

use aaa_types::{UserId, WebhookId};
use rusqlite::{Connection, params};

use crate::sqlite::values::ReadError;

/// Records them. Only what has changed is written.
pub(super) fn remember(
    db: &Connection,
    webhook: WebhookId,
    users: &BTreeSet<UserId>,
) -> rusqlite::Result<()> {
    let webhook = webhook.to_string();
    let users: BTreeSet<String> = users.iter().map(ToString::to_string).collect();
    let before = read(db, &webhook)?;
    let mut remove =
        db.prepare_cached("DELETE FROM subscribers WHERE webhook = ? AND user_id = ?")?;
    for user in before.difference(&users) {
        remove.execute(params![webhook, user])?;
    }
    let mut add = db.prepare_cached("INSERT INTO subscribers (webhook, user_id) VALUES (?, ?)")?;
    for user in users.difference(&before) {
        add.execute(params![webhook, user])?;
    }
    Ok(())
}

pub(in crate::sqlite) fn remembered(
    db: &Connection,
    webhook: WebhookId,
) -> Result<BTreeSet<UserId>, ReadError> {
    let users = read(db, &webhook.to_string())?;
    users.iter().map(|user| user.parse().map_err(ReadError::malformed)).collect()
}

/// Forgets a user at every webhook.
pub(in crate::sqlite) fn forget(db: &Connection, user: &str) -> rusqlite::Result<()> {
    db.execute("DELETE FROM subscribers WHERE user_id = ?", [user]).map(drop)
}

fn read(db: &Connection, webhook: &str) -> rusqlite::Result<BTreeSet<String>> {
    let mut read = db.prepare_cached("SELECT user_id FROM subscribers WHERE webhook = ?")?;
    read.query_map([webhook], |row| row.get(0))?.collect()
}
