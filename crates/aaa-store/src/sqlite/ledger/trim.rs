//! What matters no more goes, and is counted.

use aaa_replay::{
    coverage::Span,
    ledger::{Book, Summary},
};
use aaa_types::UtcMinute;
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use super::{coverage, jobs};
use crate::sqlite::{
    counters,
    values::{ReadError, count, micros, number},
};

/// When coverage began, in microseconds since 1970.
const SINCE: &str = "coverage_since";
/// How long the spans were that are gone, in microseconds.
const COVERED: &str = "trimmed_coverage";
/// Spans that are gone.
const SPANS: &str = "trimmed_spans";
/// Attempts that are gone.
const ATTEMPTS: &str = "trimmed_attempts";
/// Events that these found, for gaps and by sweeps.
const FOUND: &str = "trimmed_found";
const SWEPT: &str = "trimmed_swept";

/// Removes what ended before a time, as `Book::trim` does.
pub(super) fn trim(db: &Connection, time: Timestamp) -> rusqlite::Result<()> {
    let mut summary = Summary::default();
    let kept = spans(db, time, &mut summary)?;
    let time = Book::settled_before(kept.first(), time);
    let before = time.as_microsecond();
    db.execute("DELETE FROM proofs WHERE to_at < ?", [before])?;
    db.execute(
        "DELETE FROM declared_gaps WHERE to_at < ? AND number IS NOT \
         (SELECT max(number) FROM declared_gaps WHERE cause = 'sweep')",
        [before],
    )?;
    let minute = UtcMinute::ceil(time).to_string();
    let gaps = Book::gaps_left(&kept, &readable(jobs::declared(db))?);
    for attempt in readable(jobs::attempts_before(db, &minute))? {
        if !attempt.is_open_or_ends_after(time) && !attempt.is_about(&gaps) {
            summary.add_attempt(&attempt);
            db.execute("DELETE FROM attempts WHERE number = ?", [number(attempt.number)])?;
        }
    }
    if let Some(since) = summary.since.filter(|_| summary.spans > 0) {
        // What went first began first.
        if counters::read(db, SINCE)?.is_none() {
            counters::add(db, SINCE, since.as_microsecond())?;
        }
    }
    counters::add(db, COVERED, micros(summary.covered))?;
    counters::add(db, SPANS, number(summary.spans))?;
    counters::add(db, ATTEMPTS, number(summary.attempts))?;
    counters::add(db, FOUND, number(summary.found))?;
    counters::add(db, SWEPT, number(summary.swept))
}

/// Removes spans that are over, with the gaps behind them; returns those that stay.
fn spans(db: &Connection, time: Timestamp, summary: &mut Summary) -> rusqlite::Result<Vec<Span>> {
    let mut statement = db.prepare(&coverage::all())?;
    let mut rows = statement.query([])?;
    let mut kept: Vec<Span> = Vec::new();
    // The number of the span before, as long as each before it has gone.
    let mut going: Option<i64> = None;
    let mut last_gone = None;
    while let Some(row) = rows.next()? {
        let (id, span) = (row.get(0)?, readable(coverage::span(row))?);
        if let (Some(before_id), [before]) = (going, kept.as_slice()) {
            if before.last.x_time() >= time || span.first.x_time() >= time {
                going = None;
            } else {
                summary.add_span(before);
                last_gone = Some(before_id);
                kept.clear();
            }
        }
        if kept.is_empty() {
            going = Some(id);
        }
        kept.push(span);
    }
    drop(rows);
    if let Some(last_gone) = last_gone {
        db.execute("DELETE FROM coverage WHERE id <= ?", [last_gone])?;
    }
    Ok(kept)
}

pub(in crate::sqlite) fn summary(db: &Connection) -> Result<Summary, ReadError> {
    let mut summary = Summary::default();
    let counter = |name| Ok::<_, ReadError>(counters::read(db, name)?.unwrap_or(0));
    let since = counters::read(db, SINCE)?;
    summary.since = match since {
        Some(micros) => Timestamp::from_microsecond(micros).ok(),
        None => {
            let mut statement = db.prepare(&format!("{} LIMIT 1", coverage::all()))?;
            let mut rows = statement.query([])?;
            match rows.next()? {
                Some(row) => Some(coverage::span(row)?.first.x_time()),
                None => None,
            }
        }
    };
    summary.covered = SignedDuration::from_micros(counter(COVERED)?);
    summary.spans = count(counter(SPANS)?);
    summary.attempts = count(counter(ATTEMPTS)?);
    summary.found = count(counter(FOUND)?);
    summary.swept = count(counter(SWEPT)?);
    Ok(summary)
}

/// Inside a change only SQLite's own errors can be told.
fn readable<T>(read: Result<T, ReadError>) -> rusqlite::Result<T> {
    read.map_err(|error| match error {
        ReadError::Sqlite(error) => error,
        ReadError::Malformed(reason) => {
            rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, reason.into())
        }
    })
}
