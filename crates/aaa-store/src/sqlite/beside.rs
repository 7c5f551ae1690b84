//! Small changes by another process than the one that receives.

use std::{
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use aaa_webhook::consumer::ConsumerName;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::{consumers, files, schema};
use crate::error::StoreError;

/// How long to wait for the process that receives. It writes all the time, but each of its
/// transactions is short.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// A store that another process may be writing to, to change a little of it.
///
/// Each change is a short transaction. The methods block, for as long as others write and for half
/// a minute at most.
#[derive(Debug)]
pub struct SqliteBeside {
    path: PathBuf,
    db: Connection,
}

impl SqliteBeside {
    /// Opens the store in a directory, whether another process has it open or not.
    ///
    /// # Errors
    ///
    /// Fails when there is no store, when other users can read it, and when it has another
    /// version or is no store at all.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = files::find(directory.as_ref())?;
        let db = schema::open_beside(&path, BUSY_TIMEOUT)?;
        Ok(Self { path, db })
    }

    /// Asks for dead letters of a consumer to be handled once more; returns how many there are in
    /// the range. The consumer finds them when it looks the next time, which may be when it is
    /// started.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be written.
    pub fn redrive(
        &mut self,
        consumer: &ConsumerName,
        seqs: RangeInclusive<u64>,
    ) -> Result<u64, StoreError> {
        self.change(|db| consumers::redrive(db, consumer, seqs))
    }

    /// Forgets a consumer, its cursor and its dead letters; says whether there was one. Events it
    /// has not handled are not waited for any more. One that is running ends.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be written.
    pub fn forget_consumer(&mut self, consumer: &ConsumerName) -> Result<bool, StoreError> {
        self.change(|db| consumers::forget(db, consumer))
    }

    /// Returns the connection, to read with, and where it leads.
    pub(super) fn parts(&self) -> (&Connection, &Path) {
        (&self.db, &self.path)
    }

    pub(super) fn change<T>(
        &mut self,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let told = |error: rusqlite::Error| StoreError::sqlite(&self.path, &error);
        let transaction =
            Transaction::new(&mut self.db, TransactionBehavior::Immediate).map_err(told)?;
        let changed = change(&transaction).map_err(told)?;
        transaction.commit().map_err(told)?;
        Ok(changed)
    }
}
