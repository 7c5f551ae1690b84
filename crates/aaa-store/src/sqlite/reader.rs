//! Pages of events and what else is read, on a thread and a connection of their own.
//!
//! A page is one short read transaction: a long one would keep the write-ahead log growing. The
//! thread is our own, so that reading needs no particular runtime and never holds up its cores.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use aaa_types::event::Body;
use aaa_webhook::inbox::{EventQuery, Origin, StoredEvent};
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, ToSql, TransactionBehavior};
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};

use super::{
    Stats,
    counters::{
        self, COMMITS, DELIVERIES, DUPLICATES, EVENTS, FORGOTTEN_DELIVERIES, FORGOTTEN_EVENTS,
        PRUNED_DELIVERIES, PRUNED_EVENTS, PRUNED_KEYS, REDACTED_EVENTS,
    },
    files::Doubt,
    filing::{self, Wanted},
    schema,
    values::{ReadError, count, number, timestamp},
};
use crate::error::StoreError;

/// A page ends early when its bodies are larger than this together, so that memory stays bounded
/// whatever its length.
const PAGE_BYTES: usize = 16 * 1024 * 1024;

/// How many keys one read transaction looks at.
const KEYS_PER_PAGE: i64 = 10_000;

/// How many questions may wait.
const QUEUE: usize = 64;

type Question = Box<dyn FnOnce(&mut ReadConnection) + Send>;

/// Hands questions to the thread that reads.
#[derive(Debug)]
pub(super) struct ReaderThread {
    sender: mpsc::Sender<Question>,
}

impl ReaderThread {
    pub(super) fn spawn(
        path: &Path,
        busy_timeout: Duration,
        doubt: Doubt,
    ) -> Result<Self, StoreError> {
        let at = path.to_owned();
        let mut connection = ReadConnection { path: at.clone(), busy_timeout, doubt, open: None };
        // What is wrong with the file is told to whoever opens it.
        connection.db()?;
        let (sender, mut receiver) = mpsc::channel::<Question>(QUEUE);
        thread::Builder::new()
            .name("aaa-store-reader".to_owned())
            .spawn(move || {
                while let Some(question) = receiver.blocking_recv() {
                    question(&mut connection);
                }
            })
            .map_err(|error| StoreError::files("start a thread to read", &at, &error))?;
        Ok(Self { sender })
    }

    /// Asks, and waits for the answer.
    pub(super) async fn ask<T, F>(&self, question: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, ReadError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let question: Question = Box::new(move |connection| {
            // Whoever asked may have stopped waiting.
            if !answer.is_closed() {
                let _ = answer.send(connection.ask(question));
            }
        });
        self.sender.send(question).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    /// Closes the connection until the next question.
    pub(super) async fn rest(&self) {
        let (answer, answered) = oneshot::channel();
        let rest: Question = Box::new(move |connection| {
            connection.open = None;
            let _ = answer.send(());
        });
        if self.sender.send(rest).await.is_ok() {
            let _ = answered.await;
        }
    }
}

/// A connection that is opened again after it broke.
struct ReadConnection {
    path: PathBuf,
    busy_timeout: Duration,
    doubt: Doubt,
    open: Option<Connection>,
}

impl ReadConnection {
    fn db(&mut self) -> Result<&mut Connection, StoreError> {
        let db = match self.open.take() {
            Some(db) => db,
            None => schema::open_reader(&self.path, self.busy_timeout)?,
        };
        Ok(self.open.insert(db))
    }

    fn ask<T>(
        &mut self,
        question: impl FnOnce(&mut Connection) -> Result<T, ReadError>,
    ) -> Result<T, StoreError> {
        let result = question(self.db()?);
        result.map_err(|error| match error {
            ReadError::Sqlite(error) => {
                let error = StoreError::sqlite(&self.path, &error);
                if error.breaks_connection() {
                    self.doubt.raise();
                    self.open = None;
                }
                error
            }
            ReadError::Malformed(reason) => {
                StoreError::Malformed { path: self.path.clone(), reason }
            }
        })
    }
}

/// Returns a page of events.
pub(super) fn events(
    db: &mut Connection,
    query: &EventQuery,
) -> Result<Vec<StoredEvent>, ReadError> {
    let wanted = Wanted { kind: query.kind.as_deref(), user: query.user.as_deref() };
    let mut page = Page::default();
    let mut after = number(query.after);
    loop {
        // Others may file, remove and add between two stretches, but not within one.
        let db = db.transaction_with_behavior(TransactionBehavior::Deferred)?;
        let (from, to) = wanted.stretch(&db, after)?;
        page.read(&db, query, from, to)?;
        after = to;
        if page.full || page.events.len() >= query.limit || to == i64::MAX {
            return Ok(page.events);
        }
    }
}

/// What was read of a page so far.
#[derive(Default)]
struct Page {
    events: Vec<StoredEvent>,
    delivery: Option<Delivery>,
    bytes: usize,
    full: bool,
}

impl Page {
    /// Reads the events of a stretch, up to the limits.
    fn read(
        &mut self,
        db: &Connection,
        query: &EventQuery,
        from: i64,
        to: i64,
    ) -> Result<(), ReadError> {
        let limit = number(query.limit.saturating_sub(self.events.len()));
        let mut values: Vec<&dyn ToSql> = vec![&from, &to];
        values.extend(query.kind.as_ref().map(|kind| kind as &dyn ToSql));
        values.extend(query.user.as_ref().map(|user| user as &dyn ToSql));
        values.push(&limit);
        let mut statement = db.prepare_cached(&page_sql(query))?;
        let mut rows = statement.query(values.as_slice())?;
        // What was read in an earlier transaction may have been changed since.
        self.delivery = None;
        while let Some(row) = rows.next()? {
            let id = row.get(0)?;
            let delivery = match self.delivery.take().filter(|delivery| delivery.id == id) {
                Some(same) => self.delivery.insert(same),
                None => {
                    let read = Delivery::read(id, row)?;
                    self.bytes += read.body.len();
                    if self.bytes > PAGE_BYTES && !self.events.is_empty() {
                        self.full = true;
                        break;
                    }
                    self.delivery.insert(read)
                }
            };
            self.events.push(delivery.event(row)?);
        }
        Ok(())
    }
}

/// Counts what is there.
pub(super) fn stats(db: &mut Connection) -> Result<Stats, ReadError> {
    let db = db.transaction_with_behavior(TransactionBehavior::Deferred)?;
    let counter = |name: &str| counters::read(&db, name).map(|value| count(value.unwrap_or(0)));
    let edge = |sql: &str| -> rusqlite::Result<Option<u64>> {
        Ok(db.query_row(sql, [], |row| row.get::<_, Option<i64>>(0))?.map(count))
    };
    let (new_events, new_deliveries) = filing::uncounted(&db)?;
    let (pruned_events, forgotten_events) = (counter(PRUNED_EVENTS)?, counter(FORGOTTEN_EVENTS)?);
    let pruned_deliveries = counter(PRUNED_DELIVERIES)?;
    let last_received_at: Option<i64> = db
        .query_row("SELECT arrived_at FROM deliveries ORDER BY id DESC LIMIT 1", [], |row| {
            row.get(0)
        })
        .optional()?;
    Ok(Stats {
        events: (counter(EVENTS)? + count(new_events))
            .saturating_sub(pruned_events + forgotten_events),
        deliveries: (counter(DELIVERIES)? + count(new_deliveries))
            .saturating_sub(pruned_deliveries + counter(FORGOTTEN_DELIVERIES)?),
        duplicates: counter(DUPLICATES)?,
        commits: counter(COMMITS)?,
        pruned_events,
        pruned_deliveries,
        pruned_keys: counter(PRUNED_KEYS)?,
        forgotten_events,
        redacted_events: counter(REDACTED_EVENTS)?,
        first_seq: edge("SELECT min(seq) FROM events")?,
        last_seq: edge("SELECT max(seq) FROM events")?,
        last_received_at: last_received_at.map(timestamp).transpose()?,
    })
}

/// Looks through one page of keys from `after` on for those that are wanted, and takes them out
/// of `wanted`; returns where to go on, or `None` at the end.
///
/// There is no index by text: it would cost every delivery, and only a check from outside asks.
pub(super) fn find_keys(
    db: &mut Connection,
    after: i64,
    wanted: &mut HashSet<String>,
) -> Result<Option<i64>, ReadError> {
    let mut statement = db.prepare(
        "SELECT seq, for_user_id, kind, item FROM events WHERE seq > ? ORDER BY seq LIMIT ?",
    )?;
    let mut rows = statement.query([after, KEYS_PER_PAGE])?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        last = Some(row.get(0)?);
        let (user, kind, item): (Option<String>, String, String) =
            (row.get(1)?, row.get(2)?, row.get(3)?);
        wanted.remove(&text_key(user.as_deref(), &kind, &item));
    }
    Ok(last.filter(|_| !wanted.is_empty()))
}

fn page_sql(query: &EventQuery) -> String {
    let kind = if query.kind.is_some() { " AND e.kind = ?" } else { "" };
    let user = if query.user.is_some() { " AND e.for_user_id = ?" } else { "" };
    // CROSS keeps the order of the join: events by their numbers, then their deliveries.
    format!(
        "SELECT e.delivery, e.seq, e.kind, e.for_user_id, e.item, e.stale, e.payload_start, \
         e.payload_length, d.app, d.arrived_at, d.signature, d.body \
         FROM events e CROSS JOIN deliveries d ON d.id = e.delivery \
         WHERE e.seq >= ? AND e.seq <= ?{kind}{user} ORDER BY e.seq LIMIT ?"
    )
}

fn text_key(user: Option<&str>, kind: &str, item: &str) -> String {
    format!("{}/{kind}:{item}", user.unwrap_or_default())
}

/// What the events of one delivery share; read once for all of them.
struct Delivery {
    id: i64,
    app: String,
    arrived_at: jiff::Timestamp,
    signature: String,
    body: Bytes,
    context: Box<RawValue>,
}

impl Delivery {
    fn read(id: i64, row: &Row<'_>) -> Result<Self, ReadError> {
        let body = Bytes::from(row.get::<_, Vec<u8>>(11)?);
        let context = {
            let parsed = Body::parse(&body).map_err(ReadError::malformed)?;
            serde_json::value::to_raw_value(&parsed.context()).map_err(ReadError::malformed)?
        };
        Ok(Self {
            id,
            app: row.get(8)?,
            arrived_at: timestamp(row.get(9)?)?,
            signature: row.get(10)?,
            body,
            context,
        })
    }

    fn event(&self, row: &Row<'_>) -> Result<StoredEvent, ReadError> {
        let (kind, for_user_id): (String, Option<String>) = (row.get(2)?, row.get(3)?);
        let start = count(row.get(6)?);
        let end = start.saturating_add(count(row.get(7)?));
        let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
        let payload = range
            .and_then(|(start, end)| self.body.get(start..end))
            .ok_or_else(|| ReadError::malformed("a payload ends behind its body"))?;
        let payload = str::from_utf8(payload).map_err(ReadError::malformed)?.to_owned();
        Ok(StoredEvent {
            seq: count(row.get(1)?),
            key: text_key(for_user_id.as_deref(), &kind, &row.get::<_, String>(4)?),
            kind,
            for_user_id,
            app: self.app.clone(),
            received_at: self.arrived_at,
            stale: row.get(5)?,
            payload: RawValue::from_string(payload).map_err(ReadError::malformed)?,
            context: self.context.clone(),
            body: self.body.clone(),
            origin: Origin { delivery: count(self.id), signature: self.signature.clone() },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever is looked for, the numbers of a stretch are walked and nothing is sorted.
    #[test]
    fn pages_walk_a_stretch() {
        let db = schema::in_memory();
        let some = || Some("x".to_owned());
        let index = "USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)";
        for (kind, user) in [(None, None), (some(), None), (None, some()), (some(), some())] {
            let query = EventQuery { kind, user, ..EventQuery::after(0, 1) };
            let sql = format!("EXPLAIN QUERY PLAN {}", page_sql(&query));
            let mut statement = db.prepare(&sql).unwrap();
            let values = vec!["1"; statement.parameter_count()];
            let values = rusqlite::params_from_iter(values);
            let plan = statement.query_map(values, |row| row.get::<_, String>(3)).unwrap();
            let plan: Vec<_> = plan.map(Result::unwrap).collect();
            assert!(plan[0].contains(index), "{plan:?}");
            assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{plan:?}");
        }
    }

    /// Each stretch is a transaction of its own, and what it shows is of one moment.
    #[test]
    fn a_body_is_read_again_in_the_next_stretch() {
        let db = schema::in_memory();
        db.execute_batch(
            r#"INSERT INTO deliveries VALUES (1, 'main', 'active', '', 0,
                CAST('{"x_events":[1,2]}' AS BLOB));
            INSERT INTO events (delivery, kind, item, payload_start, payload_length, stale)
                VALUES (1, 'x_events', '1', 13, 1, 0), (1, 'x_events', '2', 15, 1, 0)"#,
        )
        .unwrap();
        let query = EventQuery::after(0, 10);
        let mut page = Page::default();
        page.read(&db, &query, 1, 1).unwrap();
        // Redacted, say, by then.
        db.execute(r#"UPDATE deliveries SET body = CAST('{"x_events":[3,4]}' AS BLOB)"#, [])
            .unwrap();
        page.read(&db, &query, 2, 2).unwrap();
        let payloads: Vec<_> = page.events.iter().map(|event| event.payload.get()).collect();
        assert_eq!(payloads, ["1", "4"]);
    }
}
