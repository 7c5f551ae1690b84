//! Whether a store is sound, and what to do if it is not.

use std::{fmt, path::Path};

use aaa_types::event::{EventIdentity, ItemIdentity};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::{
    Settings,
    counters::{
        self, DELIVERIES, EVENTS, FORGOTTEN_DELIVERIES, FORGOTTEN_EVENTS, KEYS_SINCE,
        PRUNED_DELIVERIES, PRUNED_EVENTS,
    },
    files, filing, schema,
    values::count,
    wal,
};
use crate::error::StoreError;

/// How many events one read transaction looks at.
const PAGE: i64 = 1000;

/// After so many lines of SQLite about one file it is clear that it is damaged.
const LINES: i64 = 100;

/// How closely [`check`] looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Every page, the write-ahead log and the counters. Seconds for each gigabyte.
    Quick,
    /// Also whether every index agrees with its table, every event has its delivery, its key and
    /// a payload inside its body. Several times as long.
    Full,
}

/// What [`check`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The size of the database in bytes, without its write-ahead log.
    pub bytes: u64,
    /// How many events it holds.
    pub events: u64,
    /// How many deliveries.
    pub deliveries: u64,
    /// How many keys, those of removed events included.
    pub keys: u64,
    /// What is wrong; nothing when the store is sound.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Says whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    fn find(&mut self, fault: Fault, example: impl Into<String>) {
        match self.findings.iter_mut().find(|finding| finding.fault == fault) {
            Some(finding) => finding.count += 1,
            None => self.findings.push(Finding { fault, count: 1, example: example.into() }),
        }
    }
}

/// One kind of fault, and how often it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What is wrong.
    pub fault: Fault,
    /// How often.
    pub count: u64,
    /// The first place.
    pub example: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fault, count, example } = self;
        write!(f, "{}: {count} (first: {example}); {}", fault.what(), fault.repair())
    }
}

/// What can be wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// SQLite cannot make sense of the file.
    Damaged,
    /// A row names another that is not there.
    DanglingRow,
    /// An event has no key, or that of another event.
    MissingKey,
    /// An event's payload is not inside its body.
    PayloadOutside,
    /// An event is in none of the lists by which events of a user or a kind are found.
    Unlisted,
    /// A delivery has no events.
    EmptyDelivery,
    /// A counter and the rows it counts do not agree.
    Miscounted,
}

impl Fault {
    /// Says what is wrong.
    pub fn what(self) -> &'static str {
        match self {
            Self::Damaged => "the file is damaged",
            Self::DanglingRow => "rows without what they belong to",
            Self::MissingKey => "events without their key",
            Self::PayloadOutside => "events whose payload is not in their body",
            Self::Unlisted => "events that are not found by their user or kind",
            Self::EmptyDelivery => "deliveries without events",
            Self::Miscounted => "counters that do not agree with the rows",
        }
    }

    /// Says what to do.
    pub fn repair(self) -> &'static str {
        match self {
            Self::Damaged => {
                "stop the listener, move the file away together with its -wal and -shm files, and \
                 restore a backup or save what is readable with `sqlite3 FILE .recover`; a replay \
                 brings back what is missing and not too old"
            }
            Self::DanglingRow | Self::PayloadOutside => {
                "rows were changed by something else: restore a backup; until then reading stops \
                 at these events"
            }
            Self::MissingKey => {
                "nothing is lost, but a copy of such an event would be stored and handled again: \
                 restore a backup, or replay nothing from before the first of them"
            }
            Self::Unlisted => {
                "nothing is lost, but filters by user or kind leave them out: restore a backup"
            }
            Self::EmptyDelivery => "harmless: they only take room",
            Self::Miscounted => {
                "rows were added or removed by something else; only `stats` relies on these"
            }
        }
    }
}

/// Looks whether the store of a directory is sound, also while a listener writes there.
///
/// It changes nothing. Meanwhile the write-ahead log of the store grows by what arrives. It
/// blocks; an asynchronous program calls it on a thread for that.
///
/// # Examples
///
/// ```
/// use aaa_store::{Settings, SqliteStore, sqlite::{self, Depth}};
///
/// let directory = tempfile::tempdir()?;
/// let data = directory.path().join("aaa-data");
/// let store = SqliteStore::open(&data, Settings::default())?;
/// assert!(sqlite::check(&data, Depth::Full)?.is_sound());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Fails when there is no store, or when it cannot be read. That it is damaged is no error but a
/// finding.
pub fn check(directory: impl AsRef<Path>, depth: Depth) -> Result<Report, StoreError> {
    let path = files::find(directory.as_ref())?;
    let mut report = Report::default();
    match look(&path, depth, &mut report) {
        Err(StoreError::Corrupt { reason, .. }) => report.find(Fault::Damaged, reason),
        other => other?,
    }
    Ok(report)
}

fn look(path: &Path, depth: Depth, report: &mut Report) -> Result<(), StoreError> {
    let told = |error: rusqlite::Error| StoreError::sqlite(path, &error);
    wal::check(path)?;
    let mut db = schema::open_reader(path, Settings::default().busy_timeout)?;
    report.bytes = count(
        schema::pragma(&db, "page_count").map_err(told)?
            * schema::pragma(&db, "page_size").map_err(told)?,
    );
    integrity(&db, depth, report).map_err(told)?;
    // In a damaged file nothing else can be counted on.
    if report.is_sound() {
        counts(&mut db, report).map_err(told)?;
        if depth == Depth::Full {
            references(&db, report).map_err(told)?;
            lists(&db, report).map_err(told)?;
            let mut after = Some(0);
            while let Some(start) = after {
                after = events(&mut db, start, report).map_err(told)?;
            }
        }
    }
    Ok(())
}

fn integrity(db: &Connection, depth: Depth, report: &mut Report) -> rusqlite::Result<()> {
    let pragma = match depth {
        Depth::Quick => "quick_check",
        Depth::Full => "integrity_check",
    };
    let mut statement = db.prepare(&format!("PRAGMA {pragma}({LINES})"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let line: String = row.get(0)?;
        if line != "ok" {
            report.find(Fault::Damaged, line.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }
    Ok(())
}

/// Counts everything, and compares it with what was counted on the way.
fn counts(db: &mut Connection, report: &mut Report) -> rusqlite::Result<()> {
    let db = db.transaction_with_behavior(TransactionBehavior::Deferred)?;
    let rows = |table: &str| -> rusqlite::Result<i64> {
        db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
    };
    let counter = |name| counters::read(&db, name).map(|value| value.unwrap_or(0));
    let (new_events, new_deliveries) = filing::uncounted(&db)?;
    for (table, uncounted, [all, pruned, forgotten]) in [
        ("events", new_events, [EVENTS, PRUNED_EVENTS, FORGOTTEN_EVENTS]),
        ("deliveries", new_deliveries, [DELIVERIES, PRUNED_DELIVERIES, FORGOTTEN_DELIVERIES]),
    ] {
        let found = rows(table)?;
        let counted = counter(all)? + uncounted - counter(pruned)? - counter(forgotten)?;
        if found != counted {
            report.find(
                Fault::Miscounted,
                format!("{counted} {table} were counted and {found} are there"),
            );
        }
    }
    report.events = count(rows("events")?);
    report.deliveries = count(rows("deliveries")?);
    report.keys = count(rows("event_keys")? + new_events);
    Ok(())
}

fn references(db: &Connection, report: &mut Report) -> rusqlite::Result<()> {
    let mut statement = db.prepare("PRAGMA foreign_key_check")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (table, id): (String, Option<i64>) = (row.get(0)?, row.get(1)?);
        report.find(Fault::DanglingRow, format!("row {} of {table}", id.unwrap_or(0)));
    }
    let mut statement = db.prepare(
        "SELECT id FROM deliveries d \
         WHERE NOT EXISTS (SELECT 1 FROM events WHERE delivery = d.id)",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        report.find(Fault::EmptyDelivery, format!("delivery {}", row.get::<_, i64>(0)?));
    }
    Ok(())
}

fn lists(db: &Connection, report: &mut Report) -> rusqlite::Result<()> {
    for seq in filing::unlisted(db)? {
        report.find(Fault::Unlisted, format!("event {seq}"));
    }
    Ok(())
}

/// Looks at one page of events; returns where to go on.
fn events(db: &mut Connection, after: i64, report: &mut Report) -> rusqlite::Result<Option<i64>> {
    let db = db.transaction_with_behavior(TransactionBehavior::Deferred)?;
    let since = counters::read(&db, KEYS_SINCE)?;
    let filed = filing::filed(&db)?;
    let mut find_key = db.prepare("SELECT seq FROM event_keys WHERE key = ?")?;
    let mut page = db.prepare(
        "SELECT e.seq, e.for_user_id, e.kind, e.item, e.occurred_at, e.payload_start, \
         e.payload_length, d.app, length(d.body), e.unfiled_key \
         FROM events e CROSS JOIN deliveries d ON d.id = e.delivery \
         WHERE e.seq > ? ORDER BY e.seq LIMIT ?",
    )?;
    let mut rows = page.query(params![after, PAGE])?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        last = Some(seq);
        let (user, kind, item): (Option<String>, String, String) =
            (row.get(1)?, row.get(2)?, row.get(3)?);
        let time: Option<i64> = row.get(4)?;
        let (start, length, body): (i64, i64, i64) = (row.get(5)?, row.get(6)?, row.get(8)?);
        let inside = start >= 0 && length > 0;
        if !inside || start.checked_add(length).is_none_or(|end| end > body) {
            report.find(Fault::PayloadOutside, format!("event {seq}"));
        }
        let occurred_at = time.and_then(|time| Timestamp::from_microsecond(time).ok());
        let identity = EventIdentity::new(user.as_deref(), &kind, ItemIdentity::Named(item));
        let key = identity.key(&row.get::<_, String>(7)?, occurred_at);
        // Retention removes keys that carry a time.
        let kept = key
            .occurred_at()
            .is_none_or(|time| since.is_none_or(|since| time.as_second() >= since));
        let known = if seq > filed {
            row.get::<_, Option<Vec<u8>>>(9)?.is_some_and(|unfiled| unfiled == key.as_bytes())
        } else {
            find_key.query_row([key.as_bytes()], |row| row.get(0)).optional()? == Some(seq)
        };
        if kept && !known {
            report.find(Fault::MissingKey, format!("event {seq}"));
        }
    }
    Ok(last)
}
