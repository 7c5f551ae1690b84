//! What is noted of a sound database, so that the next start need not look at every page.
//!
//! There are two marks, and each says what has to be the same still:
//!
//! * After a clean end: size and time of the file.
//! * While it is open, for the case that the process is killed: which start of the machine it is,
//!   and which file. A kill takes nothing back that was written, as the system holds it; a power
//!   loss may, where a disk lies, and then the machine was started anew. Between the kill and the
//!   next start somebody may have changed the file. Whatever SQLite changes in it stood in its log
//!   before, so a file that is newer than its log was changed by somebody else; or the process was
//!   killed at the end of a checkpoint, which nobody can tell apart.
//!
//! Without a mark, or when anything differs, every page is looked at.

use std::{fs, path::Path, time::UNIX_EPOCH};

use super::{FileId, log_of};

/// Describes a database that nobody has open. There is no mark while something is left in its
/// write-ahead log.
pub(super) fn closed(database: &Path) -> Option<String> {
    if fs::metadata(log_of(database)).is_ok_and(|log| log.len() > 0) {
        return None;
    }
    let metadata = fs::metadata(database).ok()?;
    let changed = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("closed {} {}\n", metadata.len(), changed.as_nanos()))
}

/// Describes a database that is open, where the system says which start of the machine it is.
pub(super) fn open(database: &Path) -> Option<String> {
    let FileId(device, number) = FileId::of(database)?;
    Some(format!("open {} {device} {number}\n", boot()?))
}

/// Says whether a mark describes the database as it is now.
pub(super) fn holds(mark: &str, database: &Path) -> bool {
    let is = |now: Option<String>| now.is_some_and(|now| now == mark);
    is(closed(database)) || (is(open(database)) && !is_newer_than_its_log(database))
}

fn is_newer_than_its_log(database: &Path) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    match (changed(database), changed(&log_of(database))) {
        (Some(database), Some(log)) => database > log,
        _ => true,
    }
}

/// Returns what is the same from one start of the machine to the next.
#[cfg(target_os = "linux")]
fn boot() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let boot = boot.trim();
    (boot.len() == 36).then(|| boot.to_owned())
}

#[cfg(not(target_os = "linux"))]
fn boot() -> Option<String> {
    None
}
