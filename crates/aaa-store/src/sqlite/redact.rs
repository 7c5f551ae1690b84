//! Taking the content out of stored events, so that only their identity is left.
//!
//! X asks whoever stores posts to remove those that their authors deleted, and what belongs to
//! users who took their access back (<https://developer.x.com/developer-terms/policy>, "content
//! compliance"). An event keeps its row, its number and its key, so that cursors go on and a copy
//! is still a copy. Its payload becomes a short JSON object that says what happened, and its
//! body's signature goes, since these are no more the bytes that X signed.

use aaa_types::event::Event;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    counters::{self, REDACTED_EVENTS},
    filing::Wanted,
    values::number,
};

/// Where every replaced payload begins.
const REDACTED: &str = r#"{"redacted":"#;

/// How many events one step for a user looks at.
const EVENTS: i64 = 100;

const POST: &str = "tweet_create_events";
const DELETION: &str = "tweet_delete_events";
const REVOCATION: &str = "user_event";

/// Why content goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    PostDeleted,
    AccessRevoked,
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Self::PostDeleted => "post deleted",
            Self::AccessRevoked => "access revoked",
        }
    }
}

/// Makes sure that posts are found by their identifier in a store that redacts, and that no other
/// pays for it.
pub(super) fn prepare(db: &Connection, redact: bool) -> rusqlite::Result<()> {
    db.execute_batch(if redact {
        "CREATE INDEX IF NOT EXISTS events_by_post ON events (item)
             WHERE kind IN ('tweet_create_events', 'tweet_delete_events')"
    } else {
        "DROP INDEX IF EXISTS events_by_post"
    })
}

/// Looks at an event that was just stored, and does what it asks for.
///
/// A deleted post goes at once, in either order of post and deletion. A user who revoked access
/// may have any number of events, so these are only noted for [`user_step`].
///
/// A stale deletion or revocation asks for nothing: it may be an old capture that somebody has sent
/// again, and what it would take away cannot be brought back.
pub(super) fn react(
    db: &Connection,
    app: &str,
    kind: &str,
    item: &str,
    payload: &[u8],
    seq: i64,
) -> rusqlite::Result<()> {
    match kind {
        POST | DELETION => post(db, app, item),
        REVOCATION => {
            let payload = String::from_utf8_lossy(payload);
            let Event::Revoke(event) = Event::decode(kind, &payload) else { return Ok(()) };
            let user = &event.revoke.source.user_id;
            db.execute(
                "INSERT INTO redactions (app, user_id, after, until) \
                 SELECT ?, ?, 0, seq FROM events WHERE seq = ? AND NOT stale",
                params![app, user, seq],
            )?;
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Takes the content out of a post, for all users it came for, if its deletion is stored too and
/// was not stale.
fn post(db: &Connection, app: &str, id: &str) -> rusqlite::Result<()> {
    // The condition on the kind is the one of the index.
    let mut statement = db.prepare(
        "SELECT e.kind, e.seq, e.delivery, e.stale FROM events e \
         JOIN deliveries d ON d.id = e.delivery \
         WHERE e.item = ? AND e.kind IN ('tweet_create_events', 'tweet_delete_events') \
         AND d.app = ?",
    )?;
    let found = statement
        .query_map([id, app], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<rusqlite::Result<Vec<(String, i64, i64, bool)>>>()?;
    if found.iter().any(|(kind, .., stale)| kind == DELETION && !stale) {
        for (_, seq, delivery, _) in found.iter().filter(|(kind, ..)| kind == POST) {
            let chosen = |event: &Stored| event.seq == *seq;
            let redacted = delivery_of(db, *delivery, Reason::PostDeleted, chosen)?;
            counters::add(db, REDACTED_EVENTS, number(redacted))?;
        }
    }
    Ok(())
}

/// Does a step for the first user who revoked access; returns how many events it changed, or
/// `None` when there is nobody left.
pub(super) fn user_step(db: &Connection) -> rusqlite::Result<Option<u64>> {
    let task = db
        .query_row(
            "SELECT id, app, user_id, after, until FROM redactions ORDER BY id LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)),
        )
        .optional()?;
    let Some((id, app, user, after, until)): Option<(i64, String, String, i64, i64)> = task else {
        return Ok(None);
    };
    let (from, to) = Wanted { kind: None, user: Some(&user) }.stretch(db, after)?;
    let mut statement = db.prepare(
        "SELECT e.seq, e.delivery, d.app FROM events e CROSS JOIN deliveries d \
         ON d.id = e.delivery WHERE e.seq >= ? AND e.seq <= ? AND e.for_user_id = ? \
         ORDER BY e.seq LIMIT ?",
    )?;
    let to = to.min(until - 1);
    let page = statement
        .query_map(params![from, to, user, EVENTS], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect::<rusqlite::Result<Vec<(i64, i64, String)>>>()?;
    let mut redacted = 0;
    let mut last = None;
    for (_, delivery, _) in page.iter().filter(|(_, _, name)| *name == app) {
        // All events of a delivery are for the same user.
        if last.replace(*delivery) != Some(*delivery) {
            redacted += delivery_of(db, *delivery, Reason::AccessRevoked, |_| true)?;
        }
    }
    counters::add(db, REDACTED_EVENTS, number(redacted))?;
    let last = match page.last() {
        Some((seq, ..)) if number(page.len()) == EVENTS => *seq,
        _ => to,
    };
    if last < until - 1 {
        db.execute("UPDATE redactions SET after = ? WHERE id = ?", [last, id])?;
    } else {
        db.execute("DELETE FROM redactions WHERE id = ?", [id])?;
    }
    Ok(Some(redacted as u64))
}

/// Takes the content out of some events of a delivery; returns how many were changed.
fn delivery_of(
    db: &Connection,
    delivery: i64,
    reason: Reason,
    chosen: impl Fn(&Stored) -> bool,
) -> rusqlite::Result<usize> {
    let mut statement = db.prepare(
        "SELECT seq, for_user_id, kind, item, payload_start, payload_length FROM events \
         WHERE delivery = ? ORDER BY payload_start",
    )?;
    let events = statement
        .query_map([delivery], |row| {
            Ok(Stored {
                seq: row.get(0)?,
                user: row.get(1)?,
                kind: row.get(2)?,
                item: row.get(3)?,
                start: place(row.get(4)?),
                length: place(row.get(5)?),
            })
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let body: Vec<u8> =
        db.query_row("SELECT body FROM deliveries WHERE id = ?", [delivery], |row| row.get(0))?;
    let Some(rewritten) = rewrite(&body, &events, reason, chosen) else {
        tracing::warn!(delivery, "a stored delivery cannot be redacted: its rows were edited");
        return Ok(0);
    };
    if rewritten.changed == 0 {
        return Ok(0);
    }
    db.execute(
        "UPDATE deliveries SET body = ?, signature = '' WHERE id = ?",
        params![rewritten.body.as_bytes(), delivery],
    )?;
    let mut place =
        db.prepare("UPDATE events SET payload_start = ?, payload_length = ? WHERE seq = ?")?;
    for (seq, start, length) in rewritten.places {
        place.execute([number(start), number(length), seq])?;
    }
    Ok(rewritten.changed)
}

/// What is no place in a body is behind its end.
fn place(number: i64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// An event as its row says.
#[derive(Debug, Clone)]
struct Stored {
    seq: i64,
    user: Option<String>,
    kind: String,
    item: String,
    start: usize,
    length: usize,
}

impl Stored {
    fn payload<'b>(&self, body: &'b str) -> Option<&'b str> {
        body.get(self.start..self.start.checked_add(self.length)?)
    }
}

/// A body without the content of some events, and where the payloads of all of them stand in it.
struct Rewritten {
    body: String,
    places: Vec<(i64, usize, usize)>,
    changed: usize,
}

/// Replaces payloads; `None` when the rows do not fit the body.
///
/// As long as an event keeps its content, so does everything around it. With the last one goes
/// whatever else the body holds: users, apps, copies of other events.
fn rewrite(
    body: &[u8],
    events: &[Stored],
    reason: Reason,
    chosen: impl Fn(&Stored) -> bool,
) -> Option<Rewritten> {
    let body = str::from_utf8(body).ok()?;
    let mut payloads = Vec::new();
    let (mut changed, mut kept) = (0, 0);
    for event in events {
        let payload = event.payload(body)?;
        if payload.starts_with(REDACTED) {
            payloads.push(payload.to_owned());
        } else if chosen(event) {
            changed += 1;
            payloads.push(placeholder(event, reason));
        } else {
            kept += 1;
            payloads.push(payload.to_owned());
        }
    }
    let mut rewritten = Rewritten { body: String::new(), places: Vec::new(), changed };
    if kept == 0 {
        rewritten.envelope(events, &payloads)?;
        return Some(rewritten);
    }
    let mut end = 0;
    for (event, payload) in events.iter().zip(&payloads) {
        rewritten.body.push_str(body.get(end..event.start)?);
        rewritten.payload(event, payload);
        end = event.start.checked_add(event.length)?;
    }
    rewritten.body.push_str(body.get(end..)?);
    Some(rewritten)
}

impl Rewritten {
    /// Writes a body that holds nothing but the payloads, under the names they came with.
    fn envelope(&mut self, events: &[Stored], payloads: &[String]) -> Option<()> {
        if let [(event, payload)] = events.iter().zip(payloads).collect::<Vec<_>>().as_slice()
            && !event.kind.ends_with("_events")
        {
            // The whole body was the payload.
            self.payload(event, payload);
            return Some(());
        }
        self.body.push('{');
        if let Some(user) = events.first().and_then(|event| event.user.as_ref()) {
            self.body.push_str(&format!(r#""for_user_id":{},"#, serde_json::to_string(user).ok()?));
        }
        let mut kind = None;
        for (event, payload) in events.iter().zip(payloads) {
            if kind != Some(&event.kind) {
                let close = if kind.is_some() { "]," } else { "" };
                let name = serde_json::to_string(&event.kind).ok()?;
                self.body.push_str(&format!("{close}{name}:["));
            } else {
                self.body.push(',');
            }
            kind = Some(&event.kind);
            self.payload(event, payload);
        }
        self.body.push_str("]}");
        Some(())
    }

    fn payload(&mut self, event: &Stored, payload: &str) {
        self.places.push((event.seq, self.body.len(), payload.len()));
        self.body.push_str(payload);
    }
}

/// What stands in place of a payload. A post keeps its `id_str`, so that its body still has the
/// same identity when it is sent to another receiver.
fn placeholder(event: &Stored, reason: Reason) -> String {
    let name = if event.kind == POST { "id_str" } else { "identity" };
    let item = serde_json::Value::from(event.item.as_str());
    format!(r#"{REDACTED}"{}","{name}":{item}}}"#, reason.as_str())
}

/// Says whether an event that came without a `for_user_id` is about a user: the end of access, or
/// one that the X Activity API sends for a subscription to that user.
pub(super) fn is_about(user: &str, kind: &str, payload: &str) -> bool {
    match Event::decode(kind, payload) {
        Event::Revoke(event) => event.revoke.source.user_id == user,
        Event::Activity(activity) => activity
            .filter
            .and_then(|filter| filter.get("user_id").map(|id| id.as_str() == Some(user)))
            .unwrap_or(false),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
