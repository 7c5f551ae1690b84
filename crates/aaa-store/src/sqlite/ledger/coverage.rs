//! Spans of coverage, and what proves them.

use aaa_replay::coverage::{Heartbeat, Mark, Proof, RunId, Span, Tally, Verified};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::sqlite::values::{ReadError, count, micros, number, timestamp};

const SPAN: &str = "SELECT id, run, first_wall, first_uptime, first_offset, first_offset_read, \
                    first_refusals, first_verified, first_rejected, first_arrived, last_wall, \
                    last_uptime, last_offset, last_offset_read, last_refusals, last_verified, \
                    last_rejected, last_arrived, verified_first_at, verified_first_rejected, \
                    verified_last_at, verified_last_rejected FROM coverage";

pub(in crate::sqlite) fn spans_from(
    db: &Connection,
    from: u64,
) -> Result<Vec<(u64, Span)>, ReadError> {
    let mut statement = db.prepare(&format!("{SPAN} WHERE id >= ? ORDER BY id"))?;
    let mut rows = statement.query([number(from)])?;
    let mut spans = Vec::new();
    while let Some(row) = rows.next()? {
        spans.push((count(row.get(0)?), span(row)?));
    }
    Ok(spans)
}

pub(in crate::sqlite) fn proofs(db: &Connection) -> Result<Vec<Proof>, ReadError> {
    let mut statement = db.prepare("SELECT from_at, to_at FROM proofs ORDER BY id")?;
    let mut rows = statement.query([])?;
    let mut proofs = Vec::new();
    while let Some(row) = rows.next()? {
        proofs.push(proof(row)?);
    }
    Ok(proofs)
}

/// Returns X's clock minus ours, as the last heartbeat knew it.
pub(in crate::sqlite) fn offset(db: &Connection) -> rusqlite::Result<Option<SignedDuration>> {
    let mut last =
        db.prepare_cached("SELECT last_offset FROM coverage ORDER BY id DESC LIMIT 1")?;
    let offset = last.query_row([], |row| row.get(0)).optional()?;
    Ok(offset.map(SignedDuration::from_micros))
}

/// Lengthens the last span, or begins one.
pub(super) fn beat(
    db: &Connection,
    period: SignedDuration,
    heartbeat: Heartbeat,
) -> rusqlite::Result<()> {
    let last = db
        .prepare(&format!("{SPAN} ORDER BY id DESC LIMIT 1"))?
        .query_row([], |row| Ok((row.get::<_, i64>(0)?, span(row).ok())))
        .optional()?;
    let last = last.and_then(|(id, span)| Some((id, span?)));
    let Some((id, mut span)) = last else { return begin(db, &Span::new(heartbeat)) };
    let before = span.last;
    if !span.extend(heartbeat, period) {
        return begin(db, &Span::new(heartbeat));
    }
    let Heartbeat { wall, uptime, offset, offset_read, tally, .. } = heartbeat;
    let (first, last) = marks(&span);
    db.prepare(
        "UPDATE coverage SET last_wall = ?, last_uptime = ?, last_offset = ?, \
         last_offset_read = ?, last_refusals = ?, last_verified = ?, last_rejected = ?, \
         last_arrived = ?, verified_first_at = ?, verified_first_rejected = ?, \
         verified_last_at = ?, verified_last_rejected = ? WHERE id = ?",
    )?
    .execute(params![
        wall.as_microsecond(),
        micros(uptime),
        micros(offset),
        offset_read,
        number(tally.refusals),
        number(tally.verified),
        number(tally.rejected),
        number(tally.arrived),
        first.0,
        first.1,
        last.0,
        last.1,
        id
    ])?;
    match Proof::between(&before, &heartbeat) {
        Some(proof) => prove(db, proof),
        None => Ok(()),
    }
}

fn begin(db: &Connection, span: &Span) -> rusqlite::Result<()> {
    let Heartbeat { run, wall, uptime, offset, offset_read, tally } = span.first;
    let (first, last) = marks(span);
    db.execute(
        "INSERT INTO coverage (run, first_wall, first_uptime, first_offset, first_offset_read, \
         first_refusals, first_verified, first_rejected, first_arrived, last_wall, last_uptime, \
         last_offset, last_offset_read, last_refusals, last_verified, last_rejected, \
         last_arrived, verified_first_at, verified_first_rejected, verified_last_at, \
         verified_last_rejected) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, \
         ?10, ?11, ?12, ?13)",
        params![
            // The same 64 bits with a sign.
            run.0.cast_signed(),
            wall.as_microsecond(),
            micros(uptime),
            micros(offset),
            offset_read,
            number(tally.refusals),
            number(tally.verified),
            number(tally.rejected),
            number(tally.arrived),
            first.0,
            first.1,
            last.0,
            last.1,
        ],
    )?;
    Ok(())
}

/// Lengthens the last proof, or adds one.
fn prove(db: &Connection, proof: Proof) -> rusqlite::Result<()> {
    let last = db
        .prepare("SELECT from_at, to_at, id FROM proofs ORDER BY id DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get::<_, i64>(2)?, self::proof(row).ok())))
        .optional()?;
    if let Some((id, Some(mut last))) = last
        && last.join(proof)
    {
        let to = last.to.as_microsecond();
        db.prepare("UPDATE proofs SET to_at = ? WHERE id = ?")?.execute([to, id])?;
    } else {
        let (from, to) = (proof.from.as_microsecond(), proof.to.as_microsecond());
        db.execute("INSERT INTO proofs (from_at, to_at) VALUES (?, ?)", [from, to])?;
    }
    Ok(())
}

type Marked = (Option<i64>, Option<i64>);

fn marks(span: &Span) -> (Marked, Marked) {
    let mark = |mark: Mark| (Some(mark.at.as_microsecond()), Some(number(mark.rejected)));
    span.verified.map_or(((None, None), (None, None)), |verified| {
        (mark(verified.first), mark(verified.last))
    })
}

fn proof(row: &Row<'_>) -> Result<Proof, ReadError> {
    Ok(Proof { from: timestamp(row.get(0)?)?, to: timestamp(row.get(1)?)? })
}

pub(super) fn span(row: &Row<'_>) -> Result<Span, ReadError> {
    let run = RunId(row.get::<_, i64>(1)?.cast_unsigned());
    let heartbeat = |first: usize| -> Result<Heartbeat, ReadError> {
        Ok(Heartbeat {
            run,
            wall: timestamp(row.get(first)?)?,
            uptime: SignedDuration::from_micros(row.get(first + 1)?),
            offset: SignedDuration::from_micros(row.get(first + 2)?),
            offset_read: row.get(first + 3)?,
            tally: Tally {
                refusals: count(row.get(first + 4)?),
                verified: count(row.get(first + 5)?),
                rejected: count(row.get(first + 6)?),
                arrived: count(row.get(first + 7)?),
            },
        })
    };
    let mark = |first: usize| -> Result<Option<Mark>, ReadError> {
        let Some(at) = row.get::<_, Option<i64>>(first)? else { return Ok(None) };
        let at: Timestamp = timestamp(at)?;
        Ok(Some(Mark { at, rejected: count(row.get(first + 1)?) }))
    };
    let verified = mark(18)?.zip(mark(20)?).map(|(first, last)| Verified { first, last });
    Ok(Span { first: heartbeat(2)?, last: heartbeat(10)?, verified })
}

/// The spans in their order, for whoever looks at some of them.
pub(super) fn all() -> String {
    format!("{SPAN} ORDER BY id")
}
